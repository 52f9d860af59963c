"""An MCP server over standard input and output whose tools give too much, too late or too many."""

import json
import sys
import time

MANY = 10_000
PAGE = 1_000
FLOOD_BYTES = 50 * 1000 * 1000


def tools(kind):
    names = {
        "many": [f"tool_{number}" for number in range(MANY)],
        "breaks": ["two\nlines\r\n: data"],
    }.get(kind, [kind])
    schema = {"type": "object", "properties": {"text": {"type": "string"}}}
    return [
        {"name": name, "description": "Does something with a text. " * 4, "inputSchema": schema}
        for name in names
    ]


def main():
    kind, seconds = sys.argv[1], float(sys.argv[2])
    offered = tools(kind)
    for line in sys.stdin:
        message = json.loads(line)
        method, params = message.get("method"), message.get("params") or {}
        if "id" not in message:
            continue
        if method == "initialize":
            result = {
                "protocolVersion": params["protocolVersion"],
                "capabilities": {"tools": {}},
                "serverInfo": {"name": "large", "version": "1"},
            }
        elif method == "tools/list":
            start = int(params.get("cursor") or 0)
            result = {"tools": offered[start : start + PAGE]}
            if start + PAGE < len(offered):
                result["nextCursor"] = str(start + PAGE)
        elif method == "tools/call":
            if kind == "silent":
                time.sleep(seconds)
            text = "x" * FLOOD_BYTES if kind == "flood" else "done"
            result = {"content": [{"type": "text", "text": text}]}
        else:
            error = {"code": -32601, "message": "method not found"}
            print(json.dumps({"jsonrpc": "2.0", "id": message["id"], "error": error}), flush=True)
            continue
        print(json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result}), flush=True)


main()
