//! What a model says, in the vocabulary that both dialects share.

use serde_json::Value;

use crate::{
    protocol::{Annotation, item::GeneratedImage},
    store::record::Usage,
};

/// What a model says, one step at a time.
///
/// `index` names an output item of this answer: items begin in rising order and may interleave.
#[derive(Clone, Debug, PartialEq)]
pub enum ModelEvent {
    /// The first event of an answer that can be read again, see [`Model::reread`](super::Model::reread).
    Begun {
        /// The provider's name for it.
        response_id: String,
    },
    /// A message begins.
    MessageStarted {
        /// Which output item.
        index: usize,
    },
    /// A part of a message begins; refusals are parts like others.
    PartStarted {
        /// Which output item.
        index: usize,
        /// Which part of it.
        part: usize,
        /// Mostly empty.
        text: String,
    },
    /// Text of a part, refusals included. Never empty.
    TextDelta {
        /// Which output item.
        index: usize,
        /// Which part of it.
        part: usize,
        /// To be appended.
        delta: String,
    },
    /// A citation.
    Annotation {
        /// Which output item.
        index: usize,
        /// Which part of it.
        part: usize,
        /// The citation.
        annotation: Box<Annotation>,
    },
    /// A part is whole. Its text replaces what was joined from deltas.
    PartDone {
        /// Which output item.
        index: usize,
        /// Which part of it.
        part: usize,
        /// The whole text.
        text: String,
    },
    /// A message is whole. Its parts replace what came before.
    MessageDone {
        /// Which output item.
        index: usize,
        /// Its parts.
        parts: Vec<MessagePart>,
        /// To be sent back in the next turn.
        phase: Option<String>,
    },
    /// The model begins to reason.
    ReasoningStarted {
        /// Which output item.
        index: usize,
    },
    /// A piece of a summary of the model's thoughts. Never empty.
    ReasoningDelta {
        /// Which output item.
        index: usize,
        /// Which summary.
        part: usize,
        /// To be appended.
        delta: String,
    },
    /// A summary is whole.
    ReasoningPartDone {
        /// Which output item.
        index: usize,
        /// Which summary.
        part: usize,
        /// The whole summary.
        text: String,
    },
    /// The model has reasoned.
    ReasoningDone {
        /// Which output item.
        index: usize,
        /// The item, to be sent back in the next turn of the same run; `None` where the dialect
        /// has no such thing.
        item: Option<Value>,
    },
    /// A function call, whole: it may be run once the answer has [finished](Self::Finished).
    FunctionCall {
        /// Which output item.
        index: usize,
        /// The call.
        call: FunctionCall,
    },
    /// The provider begins to use a tool of its own. Not all of the call need be known yet.
    HostedCallStarted {
        /// Which output item.
        index: usize,
        /// The call, as far as it is known.
        call: HostedCall,
    },
    /// The provider has used the tool.
    HostedCallDone {
        /// Which output item.
        index: usize,
        /// The whole call.
        call: HostedCall,
        /// The item, to be sent back in the next turn of the same run.
        item: Option<Value>,
    },
    /// Something that is nothing to people, such as the list of a server's tools, but to be sent back
    /// in the next turn of the same run.
    Context {
        /// The item.
        item: Value,
    },
    /// An image begins.
    ImageStarted {
        /// Which output item.
        index: usize,
    },
    /// An image as far as it is drawn: replaces the one before.
    ImagePartial {
        /// Which output item.
        index: usize,
        /// Its number, from 0.
        number: u32,
        /// The image.
        image: GeneratedImage,
    },
    /// An image is whole, or will not be.
    ImageDone {
        /// Which output item.
        index: usize,
        /// The image; `None` when it could not be drawn.
        image: Option<GeneratedImage>,
        /// The item, to be sent back in the next turn of the same run.
        item: Option<Value>,
    },
    /// The answer is whole: the last event.
    Finished {
        /// Why it ended.
        reason: FinishReason,
        /// Tokens used, when the server says so.
        usage: Option<Usage>,
    },
}

/// A part of a whole message.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MessagePart {
    /// The text.
    pub text: String,
    /// Its citations.
    pub annotations: Vec<Annotation>,
}

/// A call that the model wants made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionCall {
    /// Links it with its output; made up when the server gave none.
    pub call_id: String,
    /// The function.
    pub name: String,
    /// JSON text as the model wrote it, `{}` for none; whether it is an object is for the caller
    /// to see.
    pub arguments: String,
}

/// A call of a tool that the provider runs itself. The model has the result already: this is for
/// people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostedCall {
    /// A search on the web, or a look at one of its pages.
    WebSearch {
        /// What was searched for; none for a page.
        queries: Vec<String>,
        /// What was found, where the provider says so, or the page.
        sources: Vec<WebSource>,
    },
    /// A search in files.
    FileSearch {
        /// What was searched for.
        queries: Vec<String>,
        /// The names of the files that were found, each once, where the provider says so.
        filenames: Vec<String>,
    },
    /// A program was run.
    CodeInterpreter {
        /// The program.
        code: String,
        /// What it wrote, where the provider says so.
        logs: String,
        /// The addresses of the images that it made: `https:`, or data URLs.
        images: Vec<String>,
    },
    /// A tool of an MCP server that the provider talks to.
    Mcp {
        /// The server's label.
        server: String,
        /// The tool.
        name: String,
        /// JSON text.
        arguments: String,
        /// Why the call failed.
        error: Option<String>,
    },
}

/// A page on the web.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebSource {
    /// Its address.
    pub url: String,
    /// Its title, or its address again.
    pub title: String,
}

/// Why an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FinishReason {
    /// The model was done, or wants its calls made.
    Complete,
    /// It reached a limit of tokens: the text is cut short, calls are void.
    Length,
    /// A filter of the provider cut it short: calls are void.
    ContentFilter,
}
