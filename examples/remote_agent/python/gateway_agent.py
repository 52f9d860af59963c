"""Puts an existing chatkit-python server behind the gateway: its `respond` is asked, the rest of it
is not needed any more.

    app = agent_app(MyServer(), secret)          # an ASGI application: uvicorn module:app

Its context is a `Caller`: who asks, and the gateway's tools for an `Agent` of the Agents SDK.

The server gets a store that holds the turn's thread for the time of the turn. What it writes there
with `save_thread` reaches the gateway with the events; everything else is the gateway's.
"""

import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from agents import FunctionTool, StopAtTools
from chatkit.actions import Action
from chatkit.server import ChatKitServer
from chatkit.store import NotFoundError, Store
from chatkit.types import (
    Attachment,
    Page,
    ThreadItem,
    ThreadMetadata,
    ThreadStreamEvent,
    ThreadUpdatedEvent,
    Thread,
)
from pydantic import TypeAdapter
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

# A request that was signed longer ago, in seconds, is refused: somebody may have kept it.
MAX_AGE = 300

_items = TypeAdapter(list[ThreadItem])
_item = TypeAdapter(ThreadItem)


@dataclass
class Caller:
    """Who asks, and what the gateway has for them."""

    user_id: str
    # Of the claims of their login those that `claims` in gateway.toml names.
    claims: dict[str, Any]
    turn: dict[str, Any]
    # The calls of the gateway's tools that the model wants made.
    wanted: list[dict[str, str]] = field(default_factory=list)

    @property
    def tools(self) -> list[FunctionTool]:
        """The gateway's tools, for an `Agent`. The run of the SDK stops at them (see `stop`): the
        gateway makes the calls, and asks again with what they gave."""

        def tool(spec: dict[str, Any]) -> FunctionTool:
            async def want(context: Any, arguments: str) -> str:
                call = {"call_id": context.tool_call_id, "name": spec["name"]}
                self.wanted.append({**call, "arguments": arguments})
                return "The gateway makes this call."

            return FunctionTool(
                name=spec["name"],
                description=spec["description"],
                params_json_schema=spec["parameters"],
                on_invoke_tool=want,
                strict_json_schema=False,
            )

        return [tool(spec) for spec in self.turn["tools"]]

    @property
    def stop(self) -> StopAtTools:
        """The `tool_use_behavior` of an `Agent` with these tools."""
        return StopAtTools(stop_at_tool_names=[tool["name"] for tool in self.turn["tools"]])

    @property
    def calls(self) -> list[dict[str, str]]:
        """What has come of such calls since the user spoke last, to be put behind the input of the
        model."""
        said = [item["id"] for item in self.turn["items"]]
        spoke = [item["id"] for item in self.turn["items"] if item["type"] == "user_message"]
        begin = said.index(spoke[-1]) if spoke else -1
        items = []
        for call in self.turn["tool_calls"]:
            if call["item_id"] in said[begin + 1 :]:
                named = {"call_id": call["call_id"], "type": "function_call"}
                items.append({**named, "name": call["name"], "arguments": call["arguments"]})
                named["type"] = "function_call_output"
                items.append({**named, "output": call["output"]})
        return items


class TurnStore(Store[Any]):
    """What the gateway sent of a thread."""

    def __init__(self, thread: ThreadMetadata, items: list[ThreadItem]):
        self.thread = thread
        self.items = {item.id: item for item in items}

    async def load_thread(self, thread_id: str, context: Any) -> ThreadMetadata:
        return self.thread.model_copy(deep=True)

    async def save_thread(self, thread: ThreadMetadata, context: Any) -> None:
        self.thread = thread.model_copy(deep=True)

    async def load_thread_items(
        self, thread_id: str, after: str | None, limit: int, order: str, context: Any
    ) -> Page[ThreadItem]:
        items = list(self.items.values())
        if order == "desc":
            items.reverse()
        ids = [item.id for item in items]
        begin = ids.index(after) + 1 if after is not None else 0
        page = items[begin : begin + limit]
        has_more = begin + limit < len(items)
        return Page(data=page, has_more=has_more, after=page[-1].id if has_more else None)

    async def add_thread_item(self, thread_id: str, item: ThreadItem, context: Any) -> None:
        self.items[item.id] = item

    async def save_item(self, thread_id: str, item: ThreadItem, context: Any) -> None:
        self.items[item.id] = item

    async def load_item(self, thread_id: str, item_id: str, context: Any) -> ThreadItem:
        if item_id not in self.items:
            raise NotFoundError(item_id)
        return self.items[item_id]

    async def delete_thread_item(self, thread_id: str, item_id: str, context: Any) -> None:
        self.items.pop(item_id, None)

    async def load_threads(
        self, limit: int, after: str | None, order: str, context: Any
    ) -> Page[ThreadMetadata]:
        return Page(data=[self.thread], has_more=False, after=None)

    async def delete_thread(self, thread_id: str, context: Any) -> None:
        raise NotImplementedError("threads are the gateway's")

    async def save_attachment(self, attachment: Attachment, context: Any) -> None:
        raise NotImplementedError("attachments are the gateway's")

    async def load_attachment(self, attachment_id: str, context: Any) -> Attachment:
        raise NotFoundError(attachment_id)

    async def delete_attachment(self, attachment_id: str, context: Any) -> None:
        raise NotImplementedError("attachments are the gateway's")


def is_signed(request: Request, body: bytes, secret: bytes) -> bool:
    """Whether the gateway sent this, and lately."""
    timestamp = request.headers.get("chatkit-gateway-timestamp", "")
    given = request.headers.get("chatkit-gateway-signature", "")
    digest = hmac.new(secret, f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()
    is_late = not timestamp.isdigit() or abs(time.time() - int(timestamp)) > MAX_AGE
    return not is_late and hmac.compare_digest(given, f"v1={digest}")


def as_here(made: Any) -> Any:
    """With its time as the SDK has it: local, and without a zone."""
    made.created_at = made.created_at.astimezone().replace(tzinfo=None)
    return made


async def events_of(
    server: ChatKitServer[Any], turn: dict[str, Any]
) -> AsyncIterator[ThreadStreamEvent | dict[str, Any]]:
    """What the server answers to a turn. Its context is the `Caller`."""
    thread = as_here(ThreadMetadata.model_validate(turn["thread"]))
    store = TurnStore(thread, [as_here(item) for item in _items.validate_python(turn["items"])])
    server.store = store
    context = Caller(turn["user_id"], turn["claims"], turn)
    if turn["type"] == "action":
        action = Action(type=turn["action"]["type"], payload=turn["action"]["payload"])
        sender = turn["action"]["sender"]
        sender = None if sender is None else as_here(_item.validate_python(sender))
        events = server.action(thread, action, sender, context)
    else:
        message = turn["input"] and as_here(_item.validate_python(turn["input"]))
        # As in the official server: what is no message of the user is in the items alone.
        is_message = message is not None and message.type == "user_message"
        events = server.respond(thread, message if is_message else None, context)
    before = thread.model_copy(deep=True)
    async for event in events:
        yield event
    if store.thread != before or thread != before:
        changed = store.thread if store.thread != before else thread
        yield ThreadUpdatedEvent(thread=Thread(**changed.model_dump(), items=Page()))
    if context.wanted:
        yield {"type": "tool_calls", "calls": context.wanted}


def agent_app(make_server, secret: str) -> Starlette:
    """An ASGI application that the gateway's `[agent] url` names. `make_server` makes a server for
    each turn, since the store is the turn's."""

    async def answer(request: Request) -> Response:
        body = await request.body()
        if not is_signed(request, body, secret.encode()):
            return Response(status_code=401)
        turn = json.loads(body)

        async def frames() -> AsyncIterator[str]:
            async for event in events_of(make_server(), turn):
                if isinstance(event, dict):
                    yield f"data: {json.dumps(event)}\n\n"
                else:
                    yield f"data: {event.model_dump_json(exclude_none=True)}\n\n"
            yield "data: [DONE]\n\n"

        return StreamingResponse(frames(), media_type="text/event-stream")

    return Starlette(routes=[Route("/", answer, methods=["POST"])])
