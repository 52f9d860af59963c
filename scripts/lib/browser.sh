# shellcheck shell=bash
# A browser and what drives it, kept below the build directory. Sourced by scripts/test.

# Finds or installs Chromium, Node, the packages of tests/browser and those of the example app, and
# exports CHROMIUM, BROWSER_PACKAGES, BETTER_AUTH_APP and GATEWAY_BINARIES. Packages that were made from
# the same list are used again. Fails, and says why, when something is not to be had.
prepare_browser() {
    local build=${CARGO_TARGET_DIR:-target}
    local app=$build/better-auth-app/examples/better-auth-app
    find_chromium || { install_packages chromium && find_chromium; } || return 1
    command -v npm >/dev/null || install_packages npm || return 1
    have_node_packages tests/browser "$build/browser" || return 1
    copy_helper "$build/better-auth-app" || return 1
    have_node_packages examples/better-auth-app "$app" || return 1
    BROWSER_PACKAGES=$(cd "$build/browser" && pwd)
    BETTER_AUTH_APP=$(cd "$app" && pwd)
    mkdir -p "$build/debug"
    GATEWAY_BINARIES=$(cd "$build/debug" && pwd)
    export CHROMIUM BROWSER_PACKAGES BETTER_AUTH_APP GATEWAY_BINARIES
}

find_chromium() {
    CHROMIUM=$(command -v chromium || command -v chromium-browser || command -v google-chrome)
}

# have_node_packages SOURCE FOLDER: installs what SOURCE/package-lock.json lists into FOLDER, unless that
# was made from the same list. The copy of the list is the last file, so that a folder whose making was
# broken off is not used.
have_node_packages() {
    local source=$1 folder=$2
    cmp -s "$source/package-lock.json" "$folder/made-from.json" && return 0
    printf '\n== installing the packages of %s into %s\n' "$source" "$folder"
    rm -rf "$folder"
    mkdir -p "$folder"
    cp "$source/package.json" "$source/package-lock.json" "$folder" &&
        # The browser is the system's, and accounts are in memory; no package runs a script of its own.
        (cd "$folder" && PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1 \
            npm ci --ignore-scripts --no-audit --no-fund --loglevel=error) &&
        cp "$source/package-lock.json" "$folder/made-from.json"
}

# copy_helper ROOT: the fetch helper as it is now, where the copy of the example app below ROOT looks for
# it.
copy_helper() {
    rm -rf "$1/web/helper"
    mkdir -p "$1/web" && cp -r web/helper "$1/web/helper"
}

# Builds the example app as it is now, beside its packages.
build_example_app() {
    local name
    for name in index.html tsconfig.json vite.config.ts server src; do
        rm -rf "${BETTER_AUTH_APP:?}/$name"
        cp -r "examples/better-auth-app/$name" "$BETTER_AUTH_APP" || return 1
    done
    (cd "$BETTER_AUTH_APP" && npm run --silent build -- --logLevel warn)
}

# Builds what the tests use, and runs them one after the other: each has a browser of its own.
test_browser() {
    build_example_app &&
        cargo build --locked --bin chatkit-gateway --example scripted_upstream --example custom_agent &&
        node --test --test-reporter=spec --test-concurrency=1 --test-timeout=600000 tests/browser/*.test.mjs
}
