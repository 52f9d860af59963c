//! What a tool server is, as the operator says it.

use std::{fmt, time::Duration};

use hyper::http::{HeaderName, HeaderValue};

use crate::{protocol::UserId, tools::registry::is_meant};

use super::naming;

/// What stands for the caller's name in a header's value.
const USER_ID: &str = "{user_id}";
/// Headers that belong to HTTP or to the protocol, in lower case.
const NOT_TO_BE_SET: [&str; 12] = [
    "accept",
    "connection",
    "content-length",
    "content-type",
    "host",
    "last-event-id",
    "mcp-method",
    "mcp-name",
    "mcp-protocol-version",
    "mcp-session-id",
    "te",
    "transfer-encoding",
];

/// A tool server. Its [`Debug`](fmt::Debug) shows no value of a header or a variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerSettings {
    /// Stands before the names of its tools, in the log and in metrics; see [`is_valid_name`].
    pub name: String,
    /// Where it is.
    pub transport: TransportSettings,
    /// Which of its tools are offered.
    pub allowed_tools: AllowedTools,
    /// How long one call may take.
    pub timeout: Duration,
    /// Whether the user is asked before a call, unless the tool only reads.
    pub confirm: bool,
    /// Whether its results may show something in the thread and act in the page.
    pub show: bool,
}

impl ServerSettings {
    /// How long one call may take where nothing is said.
    pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);

    /// A server with all its tools and the usual time limit.
    pub fn new(name: impl Into<String>, transport: TransportSettings) -> Self {
        Self {
            name: name.into(),
            transport,
            allowed_tools: AllowedTools::default(),
            timeout: Self::DEFAULT_TIMEOUT,
            confirm: false,
            show: false,
        }
    }
}

/// Whether a server may be called so: 1 to 24 letters, digits and `-`, with single `_` between
/// them. So the two `_` behind it say where the name of the tool begins, and names of different
/// servers' tools are never the same.
pub fn is_valid_name(name: &str) -> bool {
    let is_word = |word: &str| {
        !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    name.len() <= naming::MAX_SERVER_LEN && name.split('_').all(is_word)
}

/// Where a server is.
#[derive(Clone, PartialEq, Eq)]
pub enum TransportSettings {
    /// Streamable HTTP.
    Http {
        /// The address of its endpoint.
        url: String,
        /// Sent with every request.
        headers: Vec<Header>,
    },
    /// A child process that speaks over its standard input and output.
    Process {
        /// The program, looked for in `PATH`.
        command: String,
        /// Its arguments.
        args: Vec<String>,
        /// Its environment, besides the few variables that every program gets.
        env: Vec<(String, String)>,
    },
}

impl fmt::Debug for TransportSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http { headers, .. } => {
                let names = headers.iter().map(|header| header.name.as_str());
                f.debug_struct("Http").field("headers", &names.collect::<Vec<_>>()).finish()
            }
            Self::Process { command, env, .. } => {
                let names = env.iter().map(|(name, _)| name.as_str());
                f.debug_struct("Process")
                    .field("command", command)
                    .field("env", &names.collect::<Vec<_>>())
                    .finish()
            }
        }
    }
}

/// Why a header cannot be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// No name of a header.
    #[error("is no name of a header")]
    Name,
    /// HTTP or MCP sets it.
    #[error("is set by the protocol itself")]
    Reserved,
    /// No value of a header.
    #[error("has a value that HTTP cannot carry: only visible characters and blanks between them")]
    Value,
}

/// A header of every request to a server; one whose value holds `{user_id}` goes with calls of
/// tools alone, since only they are made for a user.
#[derive(Clone, PartialEq, Eq)]
pub struct Header {
    name: HeaderName,
    value: String,
}

impl Header {
    /// Checks name and value.
    pub fn new(name: &str, value: impl Into<String>) -> Result<Self, HeaderError> {
        let name: HeaderName = name.parse().map_err(|_| HeaderError::Name)?;
        if NOT_TO_BE_SET.contains(&name.as_str()) {
            return Err(HeaderError::Reserved);
        }
        let value = value.into();
        HeaderValue::from_str(&value).map_err(|_| HeaderError::Value)?;
        Ok(Self { name, value })
    }

    pub(super) fn name(&self) -> &HeaderName {
        &self.name
    }

    /// Its value where it is the same for all users.
    pub(super) fn fixed(&self) -> Option<HeaderValue> {
        (!self.value.contains(USER_ID)).then(|| secret(&self.value))
    }

    /// Its value for a user, where it differs. What a header cannot carry, and whatever could end a
    /// word in it, stands percent-encoded.
    pub(super) fn for_user(&self, user: &UserId) -> Option<HeaderValue> {
        let name = || percent_encoded(user.as_str());
        self.value.contains(USER_ID).then(|| secret(&self.value.replace(USER_ID, &name())))
    }
}

fn secret(value: &str) -> HeaderValue {
    let mut value = HeaderValue::from_str(value).expect("it was checked, and names are encoded");
    value.set_sensitive(true);
    value
}

/// Everything but letters, digits and `-._~`, which RFC 3986 calls unreserved, as `%XX`.
fn percent_encoded(text: &str) -> String {
    use std::fmt::Write as _;
    text.bytes().fold(String::with_capacity(text.len()), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
        encoded
    })
}

/// Which tools of a server are offered, by the names that the server gives them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllowedTools(Vec<String>);

impl AllowedTools {
    /// Names; one that ends in `*` stands for all that begin so.
    pub fn new(names: Vec<String>) -> Self {
        Self(names)
    }

    pub(super) fn contains(&self, tool: &str) -> bool {
        self.0.iter().any(|name| is_meant(name, tool))
    }
}

impl Default for AllowedTools {
    /// All.
    fn default() -> Self {
        Self(vec!["*".to_owned()])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_servers_name_leaves_no_doubt_where_a_tools_name_begins() {
        for valid in ["time", "GitHub-2", "file_system", &"x".repeat(24)] {
            assert!(is_valid_name(valid), "{valid}");
        }
        for invalid in ["", "_a", "a_", "a__b", "a b", "a.b", "é", &"x".repeat(25)] {
            assert!(!is_valid_name(invalid), "{invalid}");
        }
    }

    #[test]
    fn a_users_name_is_encoded_so_that_it_ends_nothing() {
        let header = Header::new("X-User", "id={user_id}; v=1").unwrap();
        let user = UserId::parse("a; id=é b").unwrap();

        let value = header.for_user(&user).unwrap();

        assert_eq!(value.to_str().unwrap(), "id=a%3B%20id%3D%C3%A9%20b; v=1");
        assert_eq!(header.fixed(), None);
        assert_eq!(Header::new("X-Key", "k").unwrap().for_user(&user), None);
    }

    #[test]
    fn headers_of_the_protocol_and_broken_ones_are_refused() {
        let problem = |name, value: &str| Header::new(name, value).err();

        assert_eq!(problem("Mcp-Session-Id", "1"), Some(HeaderError::Reserved));
        assert_eq!(problem("a b", "1"), Some(HeaderError::Name));
        assert_eq!(problem("X-Key", "a\r\nb: c"), Some(HeaderError::Value));
        assert_eq!(problem("Authorization", "Bearer x"), None);
    }

    #[test]
    fn allowed_tools_are_names_and_beginnings() {
        let allowed = AllowedTools::new(vec!["get_*".to_owned(), "now".to_owned()]);

        assert!(allowed.contains("get_time") && allowed.contains("now"));
        assert!(!allowed.contains("nowhere") && !allowed.contains("set_time"));
        assert!(AllowedTools::default().contains("anything"));
        assert!(!AllowedTools::new(Vec::new()).contains("anything"));
    }

    #[test]
    fn no_secret_is_printed() {
        let headers = vec![Header::new("Authorization", "Bearer hunter2").unwrap()];
        let url = "https://example.com/mcp?key=hunter2".to_owned();
        let env = vec![("KEY".to_owned(), "hunter2".to_owned())];
        let process =
            TransportSettings::Process { command: "time".to_owned(), args: Vec::new(), env };

        for transport in [TransportSettings::Http { url, headers }, process] {
            let printed = format!("{:?}", ServerSettings::new("time", transport));
            assert!(!printed.contains("hunter2"), "{printed}");
        }
    }
}
