# shellcheck shell=bash
# A Redis of our own: on a free loopback port, an ordinary process, gone at the end. Sourced by
# scripts/test and scripts/faults, behind postgres.sh, whose free_port it uses.

redis_pid=
redis_dir=

# Starts it, installing it first if need be, and exports TEST_REDIS_URL. Fails, and says why, when
# there is no Redis to be had.
start_redis() {
    local port
    command -v redis-server >/dev/null || install_packages redis-server || return 1
    redis_dir=$(mktemp -d) || return 1
    # Another process may take the port between the look and the start: then another one is tried.
    for _ in {1..5}; do
        port=$(free_port)
        launch_redis "$port"
        if await_redis "$port"; then
            export TEST_REDIS_URL="redis://127.0.0.1:$port"
            return 0
        fi
        end_redis
    done
    cat "$redis_dir/redis.log" >&2
    return 1
}

# Stops it and takes its files away. Does nothing when it was not started.
stop_redis() {
    end_redis
    if [[ -n $redis_dir ]]; then
        rm -rf "$redis_dir"
        redis_dir=
    fi
}

# launch_redis PORT: begins to start it.
launch_redis() {
    local port=$1
    (
        cd "$redis_dir" || exit
        # Nothing of it outlives the run, so nothing need reach the disk.
        exec redis-server --bind 127.0.0.1 --port "$port" --save '' --appendonly no \
            >redis.log 2>&1
    ) &
    redis_pid=$!
}

# await_redis PORT: waits until it takes connections; fails when it has ended or has taken 30 s.
await_redis() {
    local port=$1 deadline=$((SECONDS + 30))
    until redis-cli -h 127.0.0.1 -p "$port" ping >/dev/null 2>&1; do
        kill -0 "$redis_pid" 2>/dev/null || return 1
        ((SECONDS < deadline)) || return 1
        sleep 0.1
    done
    # It may be another one's that answers.
    kill -0 "$redis_pid" 2>/dev/null
}

# Ends the process, its connections included.
end_redis() {
    if [[ -n $redis_pid ]]; then
        kill -TERM "$redis_pid" 2>/dev/null || true
        wait "$redis_pid" 2>/dev/null || true
        redis_pid=
    fi
}
