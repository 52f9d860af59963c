# shellcheck shell=bash
# Python environments of their own for the official ChatKit SDK and for MCP's packages, kept below the
# build directory. Sourced by scripts/test.

# Makes the environment, installing Python first if need be, and exports TEST_SDK_PYTHON, its
# interpreter. One that was made from the same requirements is used again. Fails, and says why,
# when there is no Python or no SDK to be had.
prepare_sdk_python() {
    TEST_SDK_PYTHON=$(prepare_venv sdk-venv tests/conformance/sdk/requirements.txt) &&
        export TEST_SDK_PYTHON
}

# prepare_venv NAME REQUIREMENTS: makes an environment, and prints its interpreter.
prepare_venv() {
    local requirements=$2
    local venv=${CARGO_TARGET_DIR:-target}/$1
    if ! cmp -s "$requirements" "$venv/made-from.txt" || ! "$venv/bin/python" -c '' 2>/dev/null; then
        has_python_venv || { install_packages python3 python3-venv && has_python_venv; } >&2 ||
            return 1
        make_venv "$venv" "$requirements" >&2 || return 1
    fi
    # Without resolving links: the link's place tells Python which environment it is.
    echo "$(cd "$venv/bin" && pwd)/python"
}

# Debian's python3 has venv but not what that needs to make an environment with pip.
has_python_venv() {
    python3 -c 'import ensurepip, venv' 2>/dev/null
}

# make_venv VENV REQUIREMENTS: makes it anew. The list of what it was made from is the last file,
# so that one that was broken off is not used.
make_venv() {
    local venv=$1 requirements=$2
    printf '\n== installing Python packages into %s\n' "$venv"
    rm -rf "$venv"
    # The requirements are whole: what they do not name must not come in unpinned.
    python3 -m venv "$venv" &&
        "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps \
            --requirement "$requirements" &&
        "$venv/bin/python" -m pip check &&
        cp "$requirements" "$venv/made-from.txt"
}
