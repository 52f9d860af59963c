//! Real gateway processes, broken at chosen points; afterwards the database is looked at.

mod database_away;
mod gateway_process;
mod kill;
mod postgres;
mod proxy;
