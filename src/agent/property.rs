//! What holds for whatever an agent or its model says.

pub(crate) use super::{
    bridge::property::{chat_completions, responses},
    remote::remote_agent,
    widget::property::widget,
};
