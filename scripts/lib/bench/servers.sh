# shellcheck shell=bash
# What scripts/bench and the other files set and use.
# shellcheck disable=SC2154,SC2034
# The servers of the benchmark: each start_* function starts one afresh and leaves its address in
# server_url, its API in server_api, and in server_arguments what else the load client needs.
# Sourced by scripts/bench.

# Process ids of what runs for the present measurement.
running=()
server_url=
server_api=
server_arguments=()

# run NAME COMMAND...: starts a process whose output goes into $work/NAME.log; its id is in
# started_pid.
run() {
    local name=$1
    shift
    # In a directory of its own: the gateway reads .env and gateway.toml from where it is.
    (cd "$work/empty" && exec "$@" >"$work/$name.log" 2>&1) &
    started_pid=$!
    running+=("$started_pid")
}

# Ends what runs for the present measurement, the newest first.
stop_servers() {
    local index
    for ((index = ${#running[@]} - 1; index >= 0; index--)); do
        kill -TERM "${running[index]}" 2>/dev/null || true
        wait "${running[index]}" 2>/dev/null || true
    done
    running=()
}

# await NAME URL: waits until the process that was started last answers there; says what it said
# when it ends or has taken 30 s.
await() {
    local name=$1 url=$2 deadline=$((SECONDS + 30))
    until curl -fsS -o "$work/await.txt" "$url" 2>/dev/null; do
        if ! kill -0 "$started_pid" 2>/dev/null || ((SECONDS >= deadline)); then
            echo "$name does not start:" >&2
            cat "$work/$name.log" >&2
            return 1
        fi
        sleep 0.05
    done
}

# The scripted model, which every measurement has. Leaves its address in model_url.
start_model() {
    local port
    port=$(free_port)
    run model "$built/examples/scripted_upstream" --port "$port"
    model_url=http://127.0.0.1:$port
    await model "$model_url/counters"
}

# No server at all: the load client asks the model.
start_direct() {
    server_url=$model_url/v1/responses
    server_api=responses
    server_arguments=(--watch "model=$started_pid")
}

# nginx as a plain proxy that holds nothing back, one worker.
start_nginx() {
    local port
    port=$(free_port)
    mkdir -p "$work/nginx"
    cat >"$work/nginx.conf" <<CONF
daemon off;
worker_processes 1;
worker_rlimit_nofile 16384;
pid $work/nginx/pid;
error_log $work/nginx/error.log;
events { worker_connections 8192; }
http {
    access_log off;
    client_body_temp_path $work/nginx/body;
    proxy_temp_path $work/nginx/proxy;
    fastcgi_temp_path $work/nginx/fastcgi;
    uwsgi_temp_path $work/nginx/uwsgi;
    scgi_temp_path $work/nginx/scgi;
    upstream model {
        server ${model_url#http://};
        keepalive 2048;
    }
    server {
        listen 127.0.0.1:$port backlog=4096;
        location / {
            proxy_pass http://model;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_buffering off;
        }
    }
}
CONF
    run nginx nginx -e "$work/nginx/error.log" -c "$work/nginx.conf"
    server_url=http://127.0.0.1:$port/v1/responses
    server_api=responses
    server_arguments=(--watch "nginx=$started_pid")
    await nginx "http://127.0.0.1:$port/counters"
}

# The official server.
start_python() {
    local port
    port=$(free_port)
    run python "$python" "$PWD/scripts/lib/bench/official_server.py" "$port" "$model_url/v1"
    server_url=http://127.0.0.1:$port/chatkit
    server_api=chatkit
    # Ten times as slow answers are answers, too.
    server_arguments=(--watch "python=$started_pid" --header "x-user: {user}" --timeout 600s)
    await python "http://127.0.0.1:$port/openapi.json"
}

# start_gateway BINARY [NAME=VALUE...]: a gateway with these variables besides its usual ones, on
# an empty SQLite file unless they say otherwise.
start_gateway() {
    local binary=$1 port
    shift
    port=$(free_port)
    rm -f "$work"/chatkit.db*
    run gateway env -i "BIND_ADDR=127.0.0.1:$port" "DATABASE_URL=sqlite://$work/chatkit.db" \
        "OPENAI_BASE_URL=$model_url/v1" "BETTER_AUTH_SECRET=$BETTER_AUTH_SECRET" \
        CHATKIT_TITLES=off CHATKIT_MAX_RUNS_PER_USER=0 CHATKIT_REQUESTS_PER_MINUTE=0 \
        RUST_LOG=warn "$@" "$binary"
    server_url=http://127.0.0.1:$port/chatkit
    server_api=chatkit
    server_arguments=(--watch "gateway=$started_pid" --session-tokens --audit)
    await gateway "http://127.0.0.1:$port/ready"
}

# The gateway on a PostgreSQL database that is new: start_gateway_pg BINARY [NAME=VALUE...].
start_gateway_pg() {
    local binary=$1 name
    shift
    databases=$((${databases:-0} + 1))
    name=bench_$databases
    "$(postgres_bin)/psql" -q "$TEST_POSTGRES_URL" -c "CREATE DATABASE $name" >&2
    start_gateway "$binary" "DATABASE_URL=${TEST_POSTGRES_URL%/*}/$name" "$@"
    server_arguments+=(--watch "postgres=$postgres_pid")
}

# The same, and Redis for what instances share.
start_gateway_redis() {
    start_gateway_pg "$@" "REDIS_URL=$TEST_REDIS_URL"
    server_arguments+=(--watch "redis=$redis_pid")
}
