//! The `chatkit-gateway` command.

fn main() {}
