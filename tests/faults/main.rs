//! Real gateway processes, broken at chosen and at random points; afterwards the database and what
//! the clients saw are held against what the gateway promises.
//!
//! | file | breaks |
//! |---|---|
//! | `crash` | kill -9 in the middle of many answers |
//! | `remote_agent`, `sdk` | the same, of the gateway or of a remote agent, in Node and in Python |
//! | `background` | the same, while the answers go on at their provider |
//! | `kill` | kill -9 right behind an event that says that something is stored |
//! | `resume` | readers' connections, at any position |
//! | `same_key` | one message, posted many times at once |
//! | `storm` | requests that are aborted, many at a time |
//! | `shutdown` | SIGTERM |
//! | `stop_elsewhere` | nothing: Stop at the other instance, on a busy machine |
//! | `rolling` | two instances, one behind the other, under load |
//! | `zombie` | a process that stands still for longer than its leases |
//! | `database_away` | the connection to the database |
//! | `database_stops` | the database itself |
//! | `instances` | Redis, and one of two instances that share it |
//!
//! `rig` holds the processes, the clients with their records, and [`rig::invariants`], the promises
//! as functions. A plain run takes the short form of each; `scripts/faults` the long one.

#![expect(clippy::unwrap_used, reason = "a failure is what a test is for")]

mod background;
mod crash;
mod database_away;
mod database_stops;
mod instances;
mod kill;
mod remote_agent;
mod resume;
mod rig;
mod rolling;
mod same_key;
mod sdk;
mod shutdown;
mod stop_elsewhere;
mod storm;
mod zombie;
