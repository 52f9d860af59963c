# shellcheck shell=bash
# The tests of the fetch helper. Sourced by scripts/test.

# Builds what they run, and runs them one after the other: each has a gateway of its own.
# HELPER_MESSAGES=200 sends more messages through the cuts.
test_helper() {
    local build=${CARGO_TARGET_DIR:-target}
    cargo build --locked --bin chatkit-gateway --example scripted_upstream || return 1
    build=$(cd "$build/debug" && pwd)
    TEST_GATEWAY=$build/chatkit-gateway TEST_MODEL=$build/examples/scripted_upstream \
        node --test --test-reporter=spec --test-concurrency=1 --test-timeout=300000 tests/helper/*.test.mjs
}
