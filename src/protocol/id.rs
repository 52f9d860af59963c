//! Identifiers: UUIDs of version 7, so that they sort by time of creation and never collide.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{Object, RefOr, Schema, SchemaFormat, Type},
};
use uuid::Uuid;

/// A string that is no identifier of ours.
#[derive(Debug, thiserror::Error)]
#[error("not an identifier")]
pub struct InvalidId;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Uuid);

        impl $name {
            /// The nil identifier, which names nothing: see [`Deserialize`](#impl-Deserialize).
            pub const UNKNOWN: Self = Self(Uuid::nil());

            /// A new identifier, later in order than those made before it.
            #[expect(clippy::new_without_default, reason = "two defaults would differ")]
            pub fn new() -> Self {
                Self(Uuid::now_v7())
            }

            /// The bare UUID, for the database.
            pub fn as_uuid(self) -> Uuid {
                self.0
            }

            /// What a client sent as an identifier. A string that is no identifier becomes
            /// [`Self::UNKNOWN`], so that a malformed id is answered exactly like an unknown one.
            pub fn parse_or_unknown(text: &str) -> Self {
                text.parse().unwrap_or(Self::UNKNOWN)
            }
        }

        impl From<Uuid> for $name {
            fn from(uuid: Uuid) -> Self {
                Self(uuid)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            /// Accepts the hyphenated form only, with capitals as well (RFC 9562, section 4).
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                if text.len() != 36 {
                    return Err(InvalidId);
                }
                Uuid::try_parse(text).map(Self).map_err(|_| InvalidId)
            }
        }

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                Object::builder()
                    .schema_type(Type::String)
                    .format(Some(SchemaFormat::Custom("uuid".to_owned())))
                    .description(Some("A UUID of version 7, in its hyphenated form."))
                    .into()
            }
        }

        impl ToSchema for $name {}

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                self.0.serialize(serializer)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            /// Any string is read: one that is no identifier becomes [`Self::UNKNOWN`].
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                Ok(Self::parse_or_unknown(&text))
            }
        }
    };
}

id!(
    /// A thread, which is a `conversation` row in the database.
    ThreadId
);
id!(
    /// A thread item, which is a `message` row in the database.
    ItemId
);
id!(
    /// One generation of an answer.
    RunId
);
id!(
    /// An attachment.
    AttachmentId
);

/// Who a caller is: the subject of the login, as the login's system names it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct UserId(std::sync::Arc<str>);

impl UserId {
    /// The longest name that is taken, in bytes.
    pub const MAX_LEN: usize = 255;

    /// Reads a name: 1 to 255 bytes without control characters.
    pub fn parse(text: &str) -> Result<Self, InvalidId> {
        if text.is_empty() || text.len() > Self::MAX_LEN || text.chars().any(char::is_control) {
            return Err(InvalidId);
        }
        Ok(Self(text.into()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_malformed_id_reads_as_unknown() {
        for text in ["", "thr_1", "00000000000000000000000000000000", "{}"] {
            assert_eq!(ThreadId::parse_or_unknown(text), ThreadId::UNKNOWN, "{text}");
        }
    }

    #[test]
    fn later_ids_sort_later() {
        let ids: Vec<ItemId> = (0..100).map(|_| ItemId::new()).collect();

        assert!(ids.is_sorted());
    }
}
