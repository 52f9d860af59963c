# shellcheck shell=bash
# Holds a running gateway to its own description, /openapi.json. Sourced by scripts/test.

# Makes the environment with schemathesis; fails where there is no Python or no package to be had.
prepare_description() {
    DESCRIPTION_PYTHON=$(prepare_venv schemathesis-venv tests/api_description/requirements.txt)
}

# In a shell of its own, whose end is the end of what it started.
test_description() (
    build=${CARGO_TARGET_DIR:-target}
    cargo build --locked --bin chatkit-gateway --example scripted_upstream || exit 1
    build=$(cd "$build/debug" && pwd)
    folder=$(mktemp -d)
    model=
    gateway=
    finish_description() {
        # shellcheck disable=SC2086  # there is none, or one number each
        kill $gateway $model 2>/dev/null
        wait
        rm -rf "$folder"
    }
    trap finish_description EXIT

    "$build/examples/scripted_upstream" --port 0 >"$folder/model" &
    model=$!
    OPENAI_BASE_URL=$(wait_for_words "$model" "$folder/model" 'http://[^ ]*') || exit 1
    BETTER_AUTH_SECRET=$(head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n')
    export OPENAI_BASE_URL BETTER_AUTH_SECRET OPENAI_MODEL=scripted
    # Answers that go on at the same time are no failure: each user may have more than there are here.
    DATABASE_URL="sqlite://$folder/gateway.db" BIND_ADDR=127.0.0.1:0 RUST_LOG=info \
        CHATKIT_MAX_RUNS_PER_USER=50 CHATKIT_REQUESTS_PER_MINUTE=0 CHATKIT_TITLES=off NO_COLOR=1 \
        "$build/chatkit-gateway" serve >"$folder/log" 2>&1 &
    gateway=$!
    address=$(wait_for_words "$gateway" "$folder/log" '127\.0\.0\.1:[0-9]+') ||
        { cat "$folder/log"; exit 1; }
    API_BASE=http://$address
    API_TOKEN=$("$build/chatkit-gateway" token --user schemathesis) || exit 1
    API_SPARE_TOKEN=$("$build/chatkit-gateway" token --user schemathesis) || exit 1
    export API_BASE API_TOKEN API_SPARE_TOKEN

    status=0
    "$DESCRIPTION_PYTHON" -m schemathesis.cli \
        --config-file tests/api_description/schemathesis.toml \
        run "$API_BASE/openapi.json" --max-examples "${DESCRIPTION_EXAMPLES:-12}" || status=$?
    # A server that is asked nonsense says so to the client; its own log has no error.
    if grep -E ' ERROR |panicked' "$folder/log"; then
        status=1
    fi
    exit "$status"
)

# wait_for_words PID FILE PATTERN: the first words in the file that match, as soon as they are
# there; fails when the process has ended or a minute is over.
wait_for_words() {
    local end=$((SECONDS + 60)) words
    while kill -0 "$1" 2>/dev/null && ((SECONDS < end)); do
        words=$(grep -Eo -m 1 "$3" "$2") && echo "$words" && return
        sleep 0.05
    done
    echo "it did not start: $2 has no $3" >&2
    return 1
}
