# shellcheck shell=bash
# A PostgreSQL of our own: fresh, on a free loopback port, run by an ordinary user, gone at the
# end. Sourced by scripts/test and scripts/faults.

postgres_pid=
postgres_dir=
# The command that runs another one as the cluster's owner: none when we are an ordinary user.
postgres_as_owner=()

# Starts it, installing it first if need be, and exports TEST_POSTGRES_URL, the address of a
# superuser. Fails, and says why, when there is no PostgreSQL to be had.
start_postgres() {
    local bin password port
    bin=$(postgres_bin) || { install_packages postgresql && bin=$(postgres_bin); } || return 1
    password=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
    create_cluster "$bin" "$password" || return 1

    # Another process may take the port between the look and the start: then another one is tried.
    for _ in {1..5}; do
        port=$(free_port)
        launch_postgres "$bin" "$port"
        if await_postgres "$bin" "$port"; then
            export TEST_POSTGRES_URL="postgres://test:$password@127.0.0.1:$port/postgres"
            return 0
        fi
        end_postgres
    done
    cat "$postgres_dir/postgres.log" >&2
    return 1
}

# Stops it and takes its files away. Does nothing when it was not started.
stop_postgres() {
    end_postgres
    if [[ -n $postgres_dir ]]; then
        rm -rf "$postgres_dir"
        postgres_dir=
    fi
}

# The directory of the newest PostgreSQL's programs, where Debian or the PATH has them.
postgres_bin() {
    local newest
    newest=$(printf '%s\n' /usr/lib/postgresql/*/bin/postgres | sort -V | tail -n 1)
    [[ -x $newest ]] || newest=$(command -v postgres) || return 1
    dirname "$newest"
}

# create_cluster BIN PASSWORD: makes an empty cluster with the superuser `test`.
create_cluster() {
    local bin=$1 password=$2 owner=nobody
    postgres_dir=$(mktemp -d) || return 1
    echo "$password" >"$postgres_dir/password"
    if ((EUID == 0)); then
        # PostgreSQL refuses to run as root.
        id postgres >/dev/null 2>&1 && owner=postgres
        chown -R "$owner:" "$postgres_dir" || return 1
        postgres_as_owner=(
            setpriv "--reuid=$owner" "--regid=$(id -g "$owner")" --clear-groups --
        )
    fi
    (
        cd "$postgres_dir" || exit
        "${postgres_as_owner[@]}" "$bin/initdb" --pgdata=data --username=test --encoding=UTF8 \
            --locale=C --auth=scram-sha-256 --pwfile=password --no-sync >initdb.log 2>&1 ||
            { cat initdb.log >&2 && exit 1; }
    )
}

# A port below the range from which Linux takes those of outgoing connections.
free_port() {
    local port
    while port=$((RANDOM % 15000 + 15000)); do
        (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
    done
    echo "$port"
}

# launch_postgres BIN PORT: begins to start it.
launch_postgres() {
    local bin=$1 port=$2
    (
        cd "$postgres_dir" || exit
        # Nothing of it outlives the run, so nothing need reach the disk.
        exec "${postgres_as_owner[@]}" "$bin/postgres" -D data -p "$port" \
            -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c max_connections=200 \
            -c fsync=off -c synchronous_commit=off -c full_page_writes=off \
            >postgres.log 2>&1
    ) &
    postgres_pid=$!
}

# await_postgres BIN PORT: waits until it takes connections; fails when it has ended or has taken
# 30 s.
await_postgres() {
    local bin=$1 port=$2 deadline=$((SECONDS + 30))
    until "$bin/pg_isready" -q -h 127.0.0.1 -p "$port"; do
        kill -0 "$postgres_pid" 2>/dev/null || return 1
        ((SECONDS < deadline)) || return 1
        sleep 0.1
    done
}

# Ends the process, its connections included.
end_postgres() {
    if [[ -n $postgres_pid ]]; then
        kill -INT "$postgres_pid" 2>/dev/null || true
        wait "$postgres_pid" 2>/dev/null || true
        postgres_pid=
    fi
}
