//! What the databases' errors mean to a caller of the store.

use sqlx::error::{DatabaseError, ErrorKind};

use super::StoreError;

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            // A server that goes away in the middle of a handshake is a breach of the protocol.
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::Protocol(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed
            | sqlx::Error::BeginFailed => Self::Unavailable(Box::new(error)),
            sqlx::Error::Database(refusal) if is_conflict(refusal.as_ref()) => {
                Self::Conflict { table: table_of(refusal.as_ref()), source: Box::new(error) }
            }
            sqlx::Error::Database(refusal) if is_passing(refusal.as_ref()) => {
                Self::Unavailable(Box::new(error))
            }
            _ => Self::Refused(Box::new(error)),
        }
    }
}

/// Why a run was not begun.
#[derive(Debug, thiserror::Error)]
#[error("too many runs are being begun at once")]
struct Crowded;

impl StoreError {
    /// Nothing is taken any more.
    pub(super) fn closed() -> Self {
        Self::Unavailable("the store is closed".into())
    }

    /// A run waited in vain for its turn to begin.
    pub(super) fn crowded() -> Self {
        Self::Unavailable(Box::new(Crowded))
    }

    /// Whether the same call may work later.
    pub(super) fn is_unavailable(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }
}

fn is_conflict(refusal: &dyn DatabaseError) -> bool {
    matches!(refusal.kind(), ErrorKind::UniqueViolation | ErrorKind::ForeignKeyViolation)
}

/// PostgreSQL names the table; SQLite does so in its message only, and not for foreign keys.
fn table_of(refusal: &dyn DatabaseError) -> String {
    if let Some(table) = refusal.table() {
        return table.to_owned();
    }
    let (_, columns) = refusal.message().split_once("constraint failed: ").unwrap_or_default();
    let (table, _) = columns.split_once('.').unwrap_or_default();
    if table.is_empty() { "a referenced table".to_owned() } else { table.to_owned() }
}

/// Whether the refusal lies in the server's or the file's condition and not in the statement.
fn is_passing(refusal: &dyn DatabaseError) -> bool {
    let Some(code) = refusal.code() else { return false };
    match code.len() {
        5 => is_passing_sqlstate(&code),
        _ => code.parse().is_ok_and(is_passing_result_code),
    }
}

/// <https://www.postgresql.org/docs/current/errcodes-appendix.html>
fn is_passing_sqlstate(code: &str) -> bool {
    let class = &code[..2];
    // Connection, resources, operator intervention (shutdown, statement timeout), system.
    matches!(class, "08" | "53" | "57" | "58")
        // Serialisation failure, deadlock, lock timeout, transaction idle too long, and a server
        // that became a read-only standby.
        || matches!(code, "40001" | "40P01" | "55P03" | "25P03" | "25006")
}

/// <https://www.sqlite.org/rescode.html>; the low byte of an extended code is the primary one.
fn is_passing_result_code(code: u32) -> bool {
    const BUSY: u32 = 5;
    const LOCKED: u32 = 6;
    const NOMEM: u32 = 7;
    const IOERR: u32 = 10;
    const FULL: u32 = 13;
    const CANTOPEN: u32 = 14;
    matches!(code & 0xff, BUSY | LOCKED | NOMEM | IOERR | FULL | CANTOPEN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_that_may_pass_is_told_from_a_bug() {
        for code in ["57P01", "57014", "53300", "40P01", "08006"] {
            assert!(is_passing_sqlstate(code), "{code}");
        }
        for code in ["42P01", "22P05", "23505"] {
            assert!(!is_passing_sqlstate(code), "{code}");
        }
        assert!(is_passing_result_code(778), "SQLITE_IOERR_WRITE");
        assert!(!is_passing_result_code(1), "SQLITE_ERROR");
    }
}
