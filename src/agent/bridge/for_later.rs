//! What tools show that has its place behind them: sources of the next message, questions to the
//! user, and whether anybody answers an action; and the widget whose action is being answered.

use crate::protocol::{
    Annotation, ItemKind, Source, ThreadEvent, ThreadItem,
    item::{
        AssistantContent, StructuredInput, StructuredInputItem, StructuredInputStatus, WidgetItem,
    },
};

use super::Bridge;

/// How many sources of tools one message names.
const MAX_SOURCES: usize = 50;
/// How many forms of tools the user is asked to fill in at a time.
const MAX_FORMS: usize = 4;

/// What is kept of it.
#[derive(Debug, Default)]
pub(super) struct ForLater {
    sources: Vec<Source>,
    questions: Vec<Vec<StructuredInput>>,
    responds: bool,
    sender: Option<ThreadItem>,
}

impl ForLater {
    pub(super) fn cite(&mut self, sources: Vec<Source>) {
        self.sources.extend(sources);
        self.sources.truncate(MAX_SOURCES);
    }

    pub(super) fn ask(&mut self, questions: Vec<StructuredInput>) {
        self.questions.push(questions);
        self.questions.truncate(MAX_FORMS);
    }

    pub(super) fn respond(&mut self) {
        self.responds = true;
    }
}

impl Bridge {
    /// The run answers an action of this widget.
    pub(in crate::agent) fn answer_action_of(&mut self, sender: Option<ThreadItem>) {
        self.for_later.sender = sender;
    }

    /// Whether a tool wants the model to answer.
    pub(in crate::agent) fn responds(&self) -> bool {
        self.for_later.responds
    }

    /// The questions that tools want to have answered, each form an item that is whole.
    pub(in crate::agent) fn take_questions(&mut self) -> Option<Vec<ThreadEvent>> {
        let forms = std::mem::take(&mut self.for_later.questions);
        if forms.is_empty() {
            return None;
        }
        let asked = forms.into_iter().map(|inputs| {
            let status = StructuredInputStatus::Pending;
            let kind = ItemKind::StructuredInput(StructuredInputItem { status, inputs });
            ThreadEvent::ItemDone { item: Box::new(self.new_item(kind)) }
        });
        Some(asked.collect())
    }

    /// A widget, in place of the one whose action is answered or behind all there is.
    pub(super) fn show_widget(
        &mut self,
        widget: WidgetItem,
        replaces_sender: bool,
        out: &mut Vec<ThreadEvent>,
    ) {
        if let Some(sender) = self.for_later.sender.as_mut().filter(|_| replaces_sender) {
            sender.kind = ItemKind::Widget(widget);
            out.push(ThreadEvent::ItemReplaced { item: Box::new(sender.clone()) });
            return;
        }
        self.close_workflow(None, None, out);
        let item = Box::new(self.new_item(ItemKind::Widget(widget)));
        out.push(ThreadEvent::ItemDone { item });
    }

    /// The sources of tools, as citations at the end of a message.
    pub(super) fn cite_sources(
        &mut self,
        index: usize,
        content: &mut [AssistantContent],
        out: &mut Vec<ThreadEvent>,
    ) {
        let Some((part, content)) = content.iter_mut().enumerate().next_back() else { return };
        let end = u64::try_from(content.text.chars().count()).ok();
        for source in std::mem::take(&mut self.for_later.sources) {
            let annotation = Annotation { source, index: end };
            content.annotations.push(annotation.clone());
            self.annotate(index, part, Box::new(annotation), out);
        }
    }
}
