//! What holds for whatever a model's server sends.

pub(crate) use super::{
    chat_completions::short_way as short_way_of_chunks,
    responses::short_way as short_way_of_deltas, sse::property::sse, transport::http1_answer,
};
