//! Where Redis is.

/// The address of a Redis, which may hold a password and is therefore never printed.
#[derive(Clone)]
pub struct RedisUrl(redis::Client);

impl RedisUrl {
    /// Reads `redis://…`, `rediss://…` (TLS) or `redis+unix:…`.
    pub fn parse(url: &str) -> Option<Self> {
        redis::Client::open(url).ok().map(Self)
    }

    pub(super) fn client(&self) -> &redis::Client {
        &self.0
    }
}

impl std::fmt::Debug for RedisUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("redis:…")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_and_never_printed() {
        for good in ["redis://:hunter2@localhost/3", "rediss://localhost:6380"] {
            let url = RedisUrl::parse(good).unwrap();
            assert!(!format!("{url:?}").contains("hunter2"));
        }
        for bad in ["", "localhost:6379", "http://localhost", "redis://"] {
            assert!(RedisUrl::parse(bad).is_none(), "{bad}");
        }
    }
}
