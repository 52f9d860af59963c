"""The official MCP SDK as a client: lists and calls the gateway's tools.

Arguments: the address, a session token or "-", and "legacy" or a version of the protocol. Prints
what it saw as JSON, or the status that it was refused with.
"""

import asyncio
import json
import sys

import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client


async def main(url: str, token: str, mode: str) -> None:
    statuses = []

    async def note(response: httpx2.Response) -> None:
        statuses.append(response.status_code)

    headers = {} if token == "-" else {"Authorization": f"Bearer {token}"}
    hooks = {"response": [note]}
    async with httpx2.AsyncClient(headers=headers, event_hooks=hooks, trust_env=False) as http:
        try:
            async with Client(streamable_http_client(url, http_client=http), mode=mode) as client:
                tools = await client.list_tools()
                added = await client.call_tool("add_task", {"title": "milk"})
                resources = await client.list_resources()
                read = await client.read_resource("chatkit://tasks")
                wrong = await client.call_tool("complete_task", {"task_id": 99})
                print(json.dumps({
                    "version": client.session.protocol_version,
                    "tools": [tool.name for tool in tools.tools],
                    "hints": [tool.annotations.read_only_hint for tool in tools.tools],
                    "added": json.loads(added.content[0].text),
                    "resources": [str(resource.uri) for resource in resources.resources],
                    "read": json.loads(read.contents[0].text),
                    "wrong": [wrong.is_error, wrong.content[0].text],
                }))
        except BaseException:
            if 401 not in statuses:
                raise
            print(json.dumps({"refused": 401}))


asyncio.run(main(*sys.argv[1:]))
