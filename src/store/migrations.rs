//! The schema's steps, compiled in: the same numbers and names for both databases.

use sqlx::{
    SqlStr,
    migrate::{Migration, MigrationType, Migrator},
};

macro_rules! steps {
    ($database:literal: $($number:literal $name:literal,)*) => {
        Migrator::with_migrations(vec![$(
            Migration::new(
                $number,
                $name.into(),
                MigrationType::Simple,
                SqlStr::from_static(include_str!(concat!(
                    "../../migrations/", $database, "/000", $number, "_", $name, ".sql"
                ))),
                false,
            )
        ),*])
    };
}

macro_rules! steps_of {
    ($database:literal) => {
        steps!($database:
            1 "threads",
            2 "runs",
            3 "sessions",
            4 "tasks",
            5 "attachments",
            6 "resume_point",
            7 "supersede",
            8 "waiting_calls",
            9 "token_use",
        )
    };
}

/// The number of the last step: a database at it, or above, is served.
pub(super) const LATEST: i64 = 9;

/// The steps for SQLite.
pub(super) fn sqlite() -> Migrator {
    steps_of!("sqlite")
}

/// The steps for PostgreSQL. Running them takes an advisory lock of the database, so that of many
/// instances starting at once one migrates and the others wait.
pub(super) fn postgres() -> Migrator {
    steps_of!("postgres")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_databases_have_the_same_steps() {
        let steps = |migrator: Migrator| -> Vec<(i64, String)> {
            migrator.iter().map(|step| (step.version, step.description.to_string())).collect()
        };

        assert_eq!(steps(sqlite()), steps(postgres()));
        assert_eq!(steps(sqlite()).last().map(|step| step.0), Some(LATEST));
    }
}
