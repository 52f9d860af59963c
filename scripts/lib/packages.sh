# shellcheck shell=bash
# Finds what the checks need, and installs it where that is possible. Sourced by scripts/test.

# Ends the script unless the Rust toolchain is whole.
need_rust() {
    local tool
    for tool in cargo cargo-clippy cargo-fmt; do
        if ! command -v "$tool" >/dev/null; then
            echo "$tool is missing: install Rust with the components clippy and rustfmt" >&2
            exit 1
        fi
    done
}

# need_command COMMAND PACKAGE: ends the script unless the command is there or can be installed.
need_command() {
    local command=$1 package=$2
    if ! command -v "$command" >/dev/null && ! install_packages "$package"; then
        echo "$command is missing: install the Debian package $package or its like" >&2
        exit 1
    fi
}

# install_packages PACKAGE...: installs Debian packages as root or by a sudo that asks nothing.
# Fails when neither is possible.
install_packages() {
    local as_root=()
    if ((EUID != 0)); then
        sudo -n true 2>/dev/null || return 1
        as_root=(sudo -n)
    fi
    command -v apt-get >/dev/null || return 1
    printf '\n== installing %s\n' "$*"
    "${as_root[@]}" apt-get update -qq &&
        "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
            apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}
