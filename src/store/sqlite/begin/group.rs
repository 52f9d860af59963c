//! A group of runs, begun in one transaction.

use std::sync::Arc;

use sqlx::SqliteConnection;

use super::{
    super::writer::Writer,
    admit::{self, Admitted},
    begin_alone,
    start::start,
};
use crate::store::{
    Result,
    begin_queue::{BeginGroup, all_unavailable, waves},
    record::{Begun, NewRun},
};

/// What begins groups.
pub(in crate::store::sqlite) struct Beginner(pub(in crate::store::sqlite) Arc<Writer>);

impl BeginGroup for Beginner {
    /// When the database refuses the group, each of it is tried by itself.
    async fn begin_group(&self, runs: Vec<NewRun>) -> Vec<Result<Begun>> {
        let Self(writer) = self;
        let runs: Arc<[NewRun]> = runs.into();
        let group = Arc::clone(&runs);
        let begun = writer
            .write(move |connection| Box::pin(async move { begin_all(connection, &group).await }))
            .await;
        match begun {
            Ok(begun) => begun.into_iter().map(Ok).collect(),
            Err(error) if error.is_unavailable() => all_unavailable(error, runs.len()),
            Err(_) => {
                let mut begun = Vec::with_capacity(runs.len());
                for run in runs.iter() {
                    begun.push(begin_alone(writer, run.clone()).await);
                }
                begun
            }
        }
    }
}

async fn begin_all(connection: &mut SqliteConnection, runs: &[NewRun]) -> Result<Vec<Begun>> {
    let mut begun: Vec<Option<Begun>> = runs.iter().map(|_| None).collect();
    for wave in waves(runs) {
        let wave_runs: Vec<&NewRun> = wave.iter().map(|place| &runs[*place]).collect();
        let admissions = admit::admit(connection, &wave_runs).await?;
        let mut places = Vec::with_capacity(wave.len());
        let mut admitted: Vec<Admitted<'_>> = Vec::with_capacity(wave.len());
        for (place, admission) in wave.into_iter().zip(admissions) {
            match admission {
                Ok(one) => {
                    places.push(place);
                    admitted.push(one);
                }
                Err(refusal) => begun[place] = Some(refusal),
            }
        }
        if admitted.is_empty() {
            continue;
        }
        for (place, thread) in places.into_iter().zip(start(connection, admitted).await?) {
            begun[place] = Some(Begun::Started(Box::new(thread)));
        }
    }
    Ok(begun.into_iter().map(|begun| begun.expect("each run is in a wave")).collect())
}
