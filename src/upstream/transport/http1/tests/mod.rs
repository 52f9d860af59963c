//! The parts that can be tested without a server, and TLS, of which no server outside knows. The
//! rest is in `tests/upstream`, from outside.

mod body;
mod heads;
mod kept;
mod tls;
