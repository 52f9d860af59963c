# shellcheck shell=bash
# What scripts/bench and the other files set and use.
# shellcheck disable=SC2154,SC2034
# Builds and installs what is measured and what measures. Sourced by scripts/bench.

# Builds the model, the load client and, unless it was given, the gateway; leaves the directory of
# the programs in built.
build_programs() {
    local wanted=(--example load --example scripted_upstream)
    if [[ -z $gateway ]]; then
        wanted+=(--bin chatkit-gateway)
    fi
    echo "building with profile $profile" >&2
    cargo build --locked --profile "$profile" "${wanted[@]}" >&2
    built=$(cd "$build_dir/$profile" && pwd)
    gateway=${gateway:-$built/chatkit-gateway}
}

# Installs the peers and starts the databases that the targets need. Without --targets, what cannot
# be had is left out, and said.
prepare_targets() {
    local wanted=("${targets[@]}") target
    need_command curl curl
    need_command python3 python3
    if ((${#wanted[@]} == 0)); then
        wanted=(direct nginx python gateway gateway-pg gateway-redis "${!binaries[@]}")
    fi
    targets=()
    for target in "${wanted[@]}"; do
        if prepare_target "$target" >&2; then
            targets+=("$target")
        else
            echo "left out: $target cannot be had here" >&2
        fi
    done
    if [[ -n $routes ]]; then
        prepare_oha
    fi
}

prepare_target() {
    case $1 in
    nginx) command -v nginx || install_packages nginx-light ;;
    python) prepare_official_server ;;
    gateway-pg) need_postgres ;;
    gateway-redis) need_postgres && need_redis ;;
    direct | gateway) true ;;
    *) [[ -v binaries[$1] ]] ;;
    esac
}

# A PostgreSQL that commits to the disk, unlike that of the checks.
need_postgres() {
    if [[ -z $postgres_pid ]]; then
        # Read by the function below, in a file of its own.
        # shellcheck disable=SC2034
        postgres_durability=()
        TMPDIR=$work start_postgres
    fi
}

need_redis() {
    [[ -n $redis_pid ]] || TMPDIR=$work start_redis
}

# The official SDK as the conformance tests have it, and what makes it faster, in an environment of
# its own: uvicorn takes what it finds there.
prepare_official_server() {
    local requirements=$work/requirements.txt venv=$build_dir/bench-venv
    cat tests/conformance/sdk/requirements.txt scripts/lib/bench/requirements.txt >"$requirements"
    if ! cmp -s "$requirements" "$venv/made-from.txt"; then
        has_python_venv || install_packages python3-venv || return 1
        make_venv "$venv" "$requirements" || return 1
    fi
    python=$(cd "$venv/bin" && pwd)/python
}

# oha, built below the build directory unless it is on the PATH.
prepare_oha() {
    oha=$(command -v oha) || oha=$build_dir/tools/bin/oha
    if [[ ! -x $oha ]]; then
        echo "installing oha, which takes a while; --no-routes does without" >&2
        cargo install --locked --root "$build_dir/tools" oha >&2
    fi
}

# What the figures depend on, a line each.
describe_machine() {
    echo "Processor: $(sed -n 's/^model name\s*: //p' /proc/cpuinfo | head -n 1), $(nproc) cores"
    echo "Memory: $(awk '/^MemTotal/ { printf "%.0f GiB", $2 / 1048576 }' /proc/meminfo)"
    echo "System: Linux $(uname -r), $(sed -n 's/^PRETTY_NAME="\(.*\)"/\1/p' /etc/os-release)"
    echo "File system: $(stat -f -c %T "$work")"
    echo "Load before: $(cut -d' ' -f1 /proc/loadavg), which others made"
    echo "Date: $(date -u +%F)"
    echo "Gateway: $("$gateway" --version), $(git describe --always --dirty), profile $profile"
    echo "Rust: $(rustc --version)"
    if has_target nginx; then
        echo "nginx: $(nginx -v 2>&1 | sed 's/^nginx version: //'), from Debian"
    fi
    if has_target python; then
        echo "Official server: $("$python" --version), $(
            sed -n '/^\(openai-chatkit\|openai-agents\|openai\|pydantic\|uvicorn\|uvloop\|httptools\)==/p' \
                "$work/requirements.txt" | sort | tr '\n' ' '
        )"
    fi
    if has_target gateway-pg || has_target gateway-redis; then
        echo "PostgreSQL: $("$(postgres_bin)/postgres" --version), commits to the disk"
    fi
    if has_target gateway-redis; then
        echo "Redis: $(redis-server --version | cut -d' ' -f3)"
    fi
    if [[ -n $routes ]]; then
        echo "oha: $("$oha" --version | cut -d" " -f2)"
    fi
}
