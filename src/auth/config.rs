//! What login is configured with.

use std::{fmt, sync::Arc};

use reqwest::Url;

use super::weakness::weakness;

const JWKS_URL: &str = "BETTER_AUTH_JWKS_URL";
const LOGIN_SECRET: &str = "BETTER_AUTH_SECRET";
const SESSION_SECRET: &str = "CHATKIT_SESSION_SECRET";
const ISSUER: &str = "BETTER_AUTH_ISSUER";
const AUDIENCE: &str = "BETTER_AUTH_AUDIENCE";

const NO_LOGIN: ConfigProblem = ConfigProblem {
    variable: JWKS_URL,
    problem: "is not set, nor is BETTER_AUTH_SECRET: logins cannot be verified",
};
const NO_SESSION_KEY: ConfigProblem = ConfigProblem {
    variable: SESSION_SECRET,
    problem: "is not set, nor is BETTER_AUTH_SECRET to derive it from",
};

/// A variable that cannot be used, and why; never its value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{variable} {problem}")]
pub struct ConfigProblem {
    /// Its name.
    pub variable: &'static str,
    /// What is wrong with it, to be read after its name.
    pub problem: &'static str,
}

/// The bytes of a symmetric key, which no log shows.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Arc<[u8]>);

impl Secret {
    /// The least length in bytes: that of an HS256 tag, as RFC 7518, section 3.2 requires.
    pub const MIN_BYTES: usize = 32;

    /// Takes the value of `variable` as it stands; it is plain bytes, not an encoding of others.
    pub fn new(variable: &'static str, value: &[u8]) -> Result<Self, ConfigProblem> {
        if value.len() < Self::MIN_BYTES {
            return Err(ConfigProblem { variable, problem: "is shorter than 32 bytes" });
        }
        if let Some(problem) = weakness(value) {
            return Err(ConfigProblem { variable, problem });
        }
        Ok(Self(value.into()))
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(redacted)")
    }
}

/// How the login's JWTs are verified.
#[derive(Clone, Debug)]
pub enum Login {
    /// By the public keys that Better Auth serves: `EdDSA`, ES256, RS256, PS256.
    KeySet {
        /// Where, usually `/api/auth/jwks` of the app.
        url: Url,
        /// What `iss` must be, exactly.
        issuer: String,
        /// What `aud` must be, exactly.
        audience: String,
    },
    /// By a secret shared with the login's system: HS256.
    SharedSecret {
        /// The key.
        secret: Secret,
        /// What `iss` must be, exactly; not looked at when absent.
        issuer: Option<String>,
        /// What `aud` must be, exactly; not looked at when absent.
        audience: Option<String>,
    },
}

impl Login {
    /// Verification by the key set at `url`; `iss` and `aud` default to its origin, which is what
    /// Better Auth puts there.
    pub fn key_set(
        url: &str,
        issuer: Option<String>,
        audience: Option<String>,
    ) -> Result<Self, ConfigProblem> {
        let url = Url::parse(url)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https"))
            .ok_or(ConfigProblem { variable: JWKS_URL, problem: "is not an http(s) URL" })?;
        let origin = url.origin().ascii_serialization();
        Ok(Self::KeySet {
            issuer: issuer.unwrap_or_else(|| origin.clone()),
            audience: audience.unwrap_or(origin),
            url,
        })
    }
}

/// Where the keys of session tokens come from.
#[derive(Clone, Debug)]
pub enum SessionSecrets {
    /// Secrets made for it.
    Given {
        /// Signs, and verifies.
        signing: Secret,
        /// Verify only: the keys before it.
        retired: Vec<Secret>,
    },
    /// The login's secret: see [`SessionKeys`](super::SessionKeys) on the derivation.
    DerivedFrom(Secret),
}

impl SessionSecrets {
    /// Reads `CHATKIT_SESSION_SECRET`: plain bytes, comma-separated, the first signs.
    pub fn parse(list: &str) -> Result<Self, ConfigProblem> {
        let mut secrets = list.split(',').map(|one| Secret::new(SESSION_SECRET, one.as_bytes()));
        let signing = secrets.next().unwrap_or_else(|| Secret::new(SESSION_SECRET, b""))?;
        Ok(Self::Given { signing, retired: secrets.collect::<Result<_, _>>()? })
    }
}

/// Login, whole.
#[derive(Clone, Debug)]
pub struct AuthConfig {
    /// How logins are verified.
    pub login: Login,
    /// What signs session tokens.
    pub session: SessionSecrets,
    /// The claims of logins that agents may know.
    pub claims: Vec<String>,
}

impl AuthConfig {
    /// Reads the variables of login through `lookup`; one that is empty counts as unset. Answers
    /// all problems at once.
    pub fn from_vars(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, Vec<ConfigProblem>> {
        let var = |name| lookup(name).filter(|value| !value.is_empty());
        let mut problems = Vec::new();
        let secret = var(LOGIN_SECRET).map(|value| Secret::new(LOGIN_SECRET, value.as_bytes()));
        // One that is refused is set all the same: what depends on it is not reported, too.
        let is_secret_set = secret.is_some();
        let secret = secret.and_then(|secret| secret.map_err(|it| problems.push(it)).ok());

        let login = match (var(JWKS_URL), &secret) {
            (Some(url), _) => Login::key_set(&url, var(ISSUER), var(AUDIENCE))
                .map_err(|problem| problems.push(problem))
                .ok(),
            (None, Some(secret)) => Some(Login::SharedSecret {
                secret: secret.clone(),
                issuer: var(ISSUER),
                audience: var(AUDIENCE),
            }),
            (None, None) => {
                problems.extend((!is_secret_set).then_some(NO_LOGIN));
                None
            }
        };
        let session = match (var(SESSION_SECRET), secret) {
            (Some(list), _) => {
                SessionSecrets::parse(&list).map_err(|problem| problems.push(problem)).ok()
            }
            (None, Some(secret)) => Some(SessionSecrets::DerivedFrom(secret)),
            (None, None) => {
                let is_reported = is_secret_set || var(JWKS_URL).is_none();
                problems.extend((!is_reported).then_some(NO_SESSION_KEY));
                None
            }
        };
        match (login, session) {
            (Some(login), Some(session)) if problems.is_empty() => {
                Ok(Self { login, session, claims: Vec::new() })
            }
            _ => Err(problems),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: &str = "0123456789abcdef0123456789abcdef";

    fn read(vars: &[(&str, &str)]) -> Result<AuthConfig, Vec<&'static str>> {
        let lookup = |name: &str| {
            vars.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        AuthConfig::from_vars(lookup)
            .map_err(|problems| problems.into_iter().map(|problem| problem.variable).collect())
    }

    #[test]
    fn issuer_and_audience_default_to_the_origin_of_the_key_set() {
        let config = read(&[
            (JWKS_URL, "https://app.example:443/api/auth/jwks"),
            (SESSION_SECRET, LONG),
            (AUDIENCE, "chat"),
        ]);

        let Login::KeySet { issuer, audience, .. } = config.unwrap().login else { panic!() };
        assert_eq!((issuer.as_str(), audience.as_str()), ("https://app.example", "chat"));
    }

    #[test]
    fn every_problem_is_reported_by_the_name_of_its_variable() {
        for (vars, problems) in [
            (vec![], vec![JWKS_URL]),
            (vec![(LOGIN_SECRET, "")], vec![JWKS_URL]),
            (vec![(LOGIN_SECRET, "short")], vec![LOGIN_SECRET]),
            (vec![(JWKS_URL, "https://a/jwks")], vec![SESSION_SECRET]),
            (vec![(JWKS_URL, "ftp://a/"), (LOGIN_SECRET, LONG)], vec![JWKS_URL]),
            (
                vec![(JWKS_URL, "nonsense"), (LOGIN_SECRET, "short"), (SESSION_SECRET, "short")],
                vec![LOGIN_SECRET, JWKS_URL, SESSION_SECRET],
            ),
            (
                vec![(LOGIN_SECRET, LONG), (SESSION_SECRET, "0123456789abcdef0123456789abcdef,")],
                vec![SESSION_SECRET],
            ),
        ] {
            assert_eq!(read(&vars).unwrap_err(), problems, "{vars:?}");
        }
    }

    #[test]
    fn a_secret_does_not_show_in_debug_output() {
        let config = read(&[(LOGIN_SECRET, LONG)]).unwrap();

        assert!(!format!("{config:?}").contains("0123"));
    }
}
