//! Speech to text.

use base64::{Engine as _, engine::general_purpose::STANDARD};

use crate::{agent::Audio, protocol::UserId};

use super::{ChatError, ChatService};

impl ChatService {
    /// The text of a recording in base64.
    pub async fn transcribe(
        &self,
        user: &UserId,
        audio: &str,
        mime_type: String,
    ) -> Result<String, ChatError> {
        let data = STANDARD
            .decode(audio)
            .map_err(|_| ChatError::invalid("audio_base64 must be base64"))?;
        Ok(self.agent.transcribe(user, Audio { data, mime_type }).await?)
    }
}
