//! What a login says of its user beyond who it is.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Claims of a login (RFC 7519, section 4) that the operator lets an agent have: a name, an e-mail
/// address, roles. Empty unless `claims` in `[agent]` of gateway.toml names some.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Claims(Map<String, Value>);

impl Claims {
    /// Takes what a login says.
    pub fn new(claims: Map<String, Value>) -> Self {
        Self(claims)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The claim of this name.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// Those of these names.
    #[must_use]
    pub fn only(self, names: &[String]) -> Self {
        let mut claims = self.0;
        claims.retain(|name, _| names.iter().any(|wanted| wanted == name));
        Self(claims)
    }
}

/// What a login says of a person is not for logs: the names alone.
impl fmt::Debug for Claims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}
