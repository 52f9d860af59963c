//! A script played into a body, at its pace.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Bytes, BytesMut};
use hyper::body::{Body, Frame};
use tokio::time::{Instant, Sleep, sleep_until};

use super::{Step, Steps, observe::CallGuard, wire::Wire};
use crate::upstream::FinishReason;

/// Steps that follow each other without a pause leave in frames of about this size.
const FRAME_BYTES: usize = 16 * 1024;

/// The body of a streamed answer.
pub(super) struct ScriptBody {
    wire: Box<dyn Wire>,
    /// Dropped with the script's end.
    playing: Option<(Steps, CallGuard)>,
    phase: Phase,
    framing: Framing,
    buffer: BytesMut,
    /// When the next step is due: the sum of the pauses, so that late timers do not add up.
    clock: Instant,
    /// Made at the first pause, then set again.
    timer: Option<Pin<Box<Sleep>>>,
    /// Whether the script itself made us wait.
    waited: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Playing,
    Pausing,
    Hanging,
    /// To be cut once what is buffered was flushed.
    Cutting,
    /// Flushed: the next poll is the cut.
    Flushed,
    Ended,
}

/// Whose frames the body is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Framing {
    /// Nothing was written.
    Unknown,
    /// The script's own bytes, to which nothing is added.
    Raw,
    /// The dialect's.
    Dialect,
}

impl ScriptBody {
    /// A body that begins with `first`, or is over when there is none.
    pub(super) fn new(
        wire: Box<dyn Wire>,
        first: Option<Step>,
        steps: Steps,
        guard: CallGuard,
    ) -> Self {
        let mut body = Self {
            wire,
            playing: Some((steps, guard)),
            phase: Phase::Playing,
            framing: Framing::Unknown,
            buffer: BytesMut::new(),
            clock: Instant::now(),
            timer: None,
            waited: false,
        };
        body.apply_or_end(first);
        body
    }

    fn apply_or_end(&mut self, step: Option<Step>) {
        match step {
            Some(step) => self.apply(step),
            None if self.framing == Framing::Raw => self.end(),
            None => self.finish(FinishReason::Complete),
        }
    }

    fn apply(&mut self, step: Step) {
        match step {
            Step::Raw(bytes) => {
                if self.framing == Framing::Unknown {
                    self.framing = Framing::Raw;
                }
                self.buffer.extend_from_slice(&bytes);
                return;
            }
            Step::Finish(reason) => return self.finish(reason),
            Step::Pause(pause) => {
                self.clock += pause;
                self.phase = Phase::Pausing;
            }
            Step::Hang => self.phase = Phase::Hanging,
            Step::Cut => self.phase = Phase::Cutting,
            Step::EndWithoutMark => self.phase = Phase::Ended,
            said => return self.say(said),
        }
        if self.framing == Framing::Unknown {
            self.begin();
        }
        if matches!(self.phase, Phase::Cutting | Phase::Ended) {
            self.drop_script();
        }
    }

    /// What the dialect has frames for.
    fn say(&mut self, step: Step) {
        self.begin();
        let (wire, out) = (&mut self.wire, &mut self.buffer);
        match step {
            Step::Text(delta) => wire.text(&delta, out),
            Step::Reasoning(delta) => wire.reasoning(&delta, out),
            Step::Refusal(delta) => wire.refusal(&delta, out),
            Step::Call { name, arguments } => wire.call(&name, &arguments, out),
            Step::Item(item) => wire.item(&item, out),
            Step::Image { drafts, result } => wire.image(&drafts, result.as_deref(), out),
            Step::Error { code, message } => {
                wire.error(&code, &message, out);
                self.end();
            }
            misplaced => {
                wire.error("script_error", &format!("misplaced step: {misplaced:?}"), out);
                self.end();
            }
        }
    }

    fn begin(&mut self) {
        if self.framing != Framing::Dialect {
            self.framing = Framing::Dialect;
            self.wire.begin(&mut self.buffer);
        }
    }

    fn finish(&mut self, reason: FinishReason) {
        self.begin();
        self.wire.finish(reason, &mut self.buffer);
        self.end();
    }

    fn end(&mut self) {
        self.phase = Phase::Ended;
        self.drop_script();
    }

    fn drop_script(&mut self) {
        if let Some((_, mut guard)) = self.playing.take() {
            guard.played();
        }
    }

    /// Goes on by one step or one phase. Pending: there is nothing to do before a wake-up.
    fn poll_progress(&mut self, context: &mut Context<'_>) -> Poll<()> {
        match self.phase {
            Phase::Playing => self.poll_step(context),
            Phase::Pausing => self.poll_pause(context),
            Phase::Cutting if self.buffer.is_empty() => {
                // hyper flushes when a body is pending; a cut in the same poll would lose the rest.
                self.phase = Phase::Flushed;
                context.waker().wake_by_ref();
                Poll::Pending
            }
            Phase::Hanging | Phase::Cutting | Phase::Flushed | Phase::Ended => Poll::Pending,
        }
    }

    fn poll_step(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let Some((steps, _)) = &mut self.playing else { return Poll::Pending };
        let Poll::Ready(step) = steps.as_mut().poll_next(context) else {
            self.waited = true;
            return Poll::Pending;
        };
        if std::mem::take(&mut self.waited) {
            self.clock = Instant::now();
        }
        self.apply_or_end(step);
        Poll::Ready(())
    }

    fn poll_pause(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if self.clock > Instant::now() {
            let clock = self.clock;
            let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(clock)));
            if timer.deadline() != clock {
                timer.as_mut().reset(clock);
            }
            ready!(timer.as_mut().poll(context));
        }
        self.phase = Phase::Playing;
        Poll::Ready(())
    }
}

impl Body for ScriptBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let this = self.get_mut();
        if this.phase == Phase::Flushed {
            this.phase = Phase::Ended;
            return Poll::Ready(Some(Err(cut())));
        }
        while this.buffer.len() < FRAME_BYTES {
            if this.poll_progress(context).is_pending() {
                break;
            }
        }
        if !this.buffer.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(this.buffer.split().freeze()))));
        }
        if this.phase == Phase::Ended { Poll::Ready(None) } else { Poll::Pending }
    }

    fn is_end_stream(&self) -> bool {
        self.phase == Phase::Ended && self.buffer.is_empty()
    }
}

/// Why a body breaks off.
fn cut() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionAborted, "cut by the script")
}
