//! See `src/fuzz`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| chatkit_gateway::fuzz::check(
    env!("CARGO_BIN_NAME"),
    data
));
