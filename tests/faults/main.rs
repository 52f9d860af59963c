//! Real gateway processes, broken at chosen points; afterwards the database is looked at.

mod gateway_process;
mod kill;
mod postgres;
