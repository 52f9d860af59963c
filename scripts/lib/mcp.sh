# shellcheck shell=bash
# MCP's own packages: servers in Python and Node, and the client of its official SDK. Sourced by
# scripts/test, behind packages.sh and python.sh.

# Installs them and exports TEST_MCP_PYTHON, an interpreter that has the Python ones, and
# TEST_MCP_EVERYTHING, the script of the Node one. Fails, and says why, when they are not to be had.
prepare_mcp_packages() {
    local packages=tests/gateway/mcp_packages
    TEST_MCP_PYTHON=$(prepare_venv mcp-venv "$packages/requirements.txt") || return 1
    local node=${CARGO_TARGET_DIR:-target}/mcp-node
    if ! cmp -s "$packages/package.json" "$node/made-from.json"; then
        command -v npm >/dev/null || install_packages npm || return 1
        printf '\n== installing Node packages into %s\n' "$node"
        rm -rf "$node"
        mkdir -p "$node" && cp "$packages/package.json" "$node/" &&
            npm install --prefix "$node" --no-audit --no-fund --loglevel=error &&
            cp "$packages/package.json" "$node/made-from.json" || return 1
    fi
    TEST_MCP_EVERYTHING=$(cd "$node" && pwd)
    TEST_MCP_EVERYTHING+=/node_modules/@modelcontextprotocol/server-everything/dist/index.js
    export TEST_MCP_PYTHON TEST_MCP_EVERYTHING
}
