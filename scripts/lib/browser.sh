# shellcheck shell=bash
# A browser and what drives it, kept below the build directory. Sourced by scripts/test.

# Finds or installs Chromium, Node and the packages of tests/browser, and exports CHROMIUM,
# BROWSER_PACKAGES and GATEWAY_BINARIES. Packages that were made from the same list are used again.
# Fails, and says why, when something is not to be had.
prepare_browser() {
    local build=${CARGO_TARGET_DIR:-target} list=tests/browser/package-lock.json
    find_chromium || { install_packages chromium && find_chromium; } || return 1
    if ! cmp -s "$list" "$build/browser/made-from.json"; then
        command -v npm >/dev/null || install_packages npm || return 1
        make_browser_packages "$build/browser" || return 1
    fi
    BROWSER_PACKAGES=$(cd "$build/browser" && pwd)
    mkdir -p "$build/debug"
    GATEWAY_BINARIES=$(cd "$build/debug" && pwd)
    export CHROMIUM BROWSER_PACKAGES GATEWAY_BINARIES
}

find_chromium() {
    CHROMIUM=$(command -v chromium || command -v chromium-browser || command -v google-chrome)
}

# make_browser_packages FOLDER: makes it anew. The list of what it was made from is the last file, so
# that one that was broken off is not used.
make_browser_packages() {
    local folder=$1
    printf '\n== installing the packages of tests/browser into %s\n' "$folder"
    rm -rf "$folder"
    mkdir -p "$folder"
    cp tests/browser/package.json tests/browser/package-lock.json "$folder" &&
        # The browser is the system's; no package runs a script of its own.
        (cd "$folder" && PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1 \
            npm ci --ignore-scripts --no-audit --no-fund --loglevel=error) &&
        cp tests/browser/package-lock.json "$folder/made-from.json"
}

# Builds what the tests run, and runs them one after the other: each has a browser of its own.
test_browser() {
    cargo build --locked --bin chatkit-gateway --example scripted_upstream --example custom_agent &&
        node --test --test-reporter=spec --test-concurrency=1 --test-timeout=600000 tests/browser/*.test.mjs
}
