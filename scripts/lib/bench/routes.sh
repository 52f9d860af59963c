# shellcheck shell=bash
# What scripts/bench and the other files set and use.
# shellcheck disable=SC2154,SC2034
# The routes that answer JSON, and short answers as a whole, under oha. Sourced by scripts/bench.

# A session's token may be presented again for 30 s after its first refresh; what comes later ends
# the session, as it should, and would be counted as failures.
refresh_seconds=25

# The message that all send; the model answers it in six deltas at once.
chatkit_message='{"type":"threads.create","params":{"input":{"content":[{"type":"input_text","text":"hello"}],"attachments":[],"inference_options":{}}}}'
chatkit_list='{"type":"threads.list","params":{"limit":20,"order":"desc"}}'

# Measures the routes of the gateway and, where it has the like, of the official server.
measure_routes() {
    if has_target gateway; then
        start_model
        start_target gateway
        gateway_routes "${server_url%/chatkit}"
        stop_servers
    fi
    if has_target python; then
        start_model
        start_target python
        python_routes "$server_url"
        stop_servers
    fi
}

# gateway_routes BASE
gateway_routes() {
    local base=$1 token login session
    token=$(cd "$work/empty" && "$gateway" token --user bench --ttl 2h)
    fill "$base/chatkit" --token "$token"
    route gateway "GET /api/chatkit/threads" "$seconds" "$token" "$base/api/chatkit/threads"
    route gateway "POST /chatkit threads.list" "$seconds" "$token" "$base/chatkit" "$chatkit_list"
    login=$(python3 scripts/lib/bench/login.py bench)
    session=$(curl -fsS -X POST -H "Authorization: Bearer $login" "$base/api/chatkit/session" |
        cut -d'"' -f4)
    route gateway "POST /api/chatkit/refresh" \
        $((seconds < refresh_seconds ? seconds : refresh_seconds)) "$session" \
        "$base/api/chatkit/refresh" ''
    route gateway "POST /api/chatkit/messages" "$seconds" "$token" \
        "$base/api/chatkit/messages" '{"content":"hello"}'
    route gateway "POST /chatkit threads.create" "$seconds" "$token" "$base/chatkit" \
        "$chatkit_message"
}

# python_routes URL: its only one. It asks for no token.
python_routes() {
    local url=$1
    fill "$url" --header "x-user: bench"
    route python "POST /chatkit threads.list" "$seconds" none "$url" "$chatkit_list"
    route python "POST /chatkit threads.create" "$seconds" none "$url" "$chatkit_message"
}

# fill URL ARGUMENT...: twenty threads of one user, as the load client makes them.
fill() {
    local url=$1
    shift
    "$built/examples/load" --url "$url" --api chatkit --streams 20 --deltas 20 "$@" >/dev/null
}

# route TARGET NAME SECONDS TOKEN URL [BODY]: GET, or POST of a body that may be empty, by 100
# clients.
route() {
    local target=$1 name=$2 lasts=$3 token=$4 url=$5 request=()
    if (($# > 5)); then
        request=(-m POST)
    fi
    if [[ -n ${6:-} ]]; then
        request+=(-H 'Content-Type: application/json' -d "$6")
    fi
    echo "$name, $target" >&2
    "$oha" --no-tui --output-format json -z "${lasts}s" -c 100 -H "Authorization: Bearer $token" \
        -H 'x-user: bench' "${request[@]}" "$url" >"$work/oha.json"
    python3 - "$target" "$name" "$work/oha.json" >>"$out/routes.jsonl" <<'PYTHON'
import json, sys

target, route, path = sys.argv[1:]
report = json.load(open(path))
# The rest are histograms.
kept = ("summary", "latencyPercentiles", "statusCodeDistribution", "errorDistribution")
report = {name: report[name] for name in kept}
print(json.dumps({"target": target, "route": route, "report": report}))
PYTHON
}
