//! The short way through a chunk and the long one agree.

use super::wire::{self, Chunk, Piece};
use crate::upstream::json;

/// Whether the short way takes this data of an event: then the long one, if it can read it, finds the
/// same text and nothing else. (The short way does not look into what it has no use for.)
pub(crate) fn short_way(data: &str) -> bool {
    let Some(text) = wire::only_text(data) else { return false };
    let Ok(chunk) = json::parse::<Chunk>(data) else { return true };
    let [choice] = &chunk.choices[..] else { panic!("one choice: {data}") };
    assert!(matches!(choice.index.as_u64(), None | Some(0)), "{data}");
    let delta = &choice.delta;
    let others = [&delta.refusal, &delta.tool_calls, &delta.function_call];
    let thoughts = [&delta.reasoning_content, &delta.reasoning];
    let ends = [&choice.finish_reason, &chunk.usage, &chunk.error];
    assert!(others.iter().chain(&thoughts).chain(&ends).all(|other| other.is_null()), "{data}");
    let pieces = wire::pieces(delta.content.clone());
    assert!(matches!(&pieces[..], [Piece::Text(long)] if *long == text), "{data}");
    true
}
