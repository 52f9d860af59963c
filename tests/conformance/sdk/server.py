"""The official server, as its guides build one: FastAPI, a store in memory, and the SDK's bridge to
the Agents library, whose model is the one of the test.

    server.py BASE_URL MODEL

Serves POST /chatkit on a free port of the loopback interface and prints the port. Each user, named
by the header x-user, has a store of their own. Ends when its standard input ends.
"""

import asyncio
import logging
import sys
from collections import defaultdict
from collections.abc import AsyncIterator

import uvicorn
from agents import (
    Agent,
    OpenAIResponsesModel,
    RunConfig,
    RunContextWrapper,
    Runner,
    StopAtTools,
    function_tool,
    set_tracing_disabled,
)
from chatkit.agents import (
    AgentContext,
    ClientToolCall,
    simple_to_agent_input,
    stream_agent_response,
)
from chatkit.server import ChatKitServer, StreamingResult
from chatkit.store import NotFoundError, Store
from chatkit.types import Attachment, Page, ThreadItem, ThreadMetadata, ThreadStreamEvent
from fastapi import FastAPI, Request, Response
from fastapi.responses import StreamingResponse
from openai import AsyncOpenAI

# More than a test has.
HISTORY = 500


class Threads:
    """What one user has, oldest first."""

    def __init__(self):
        self.threads: dict[str, ThreadMetadata] = {}
        self.items: defaultdict[str, dict[str, ThreadItem]] = defaultdict(dict)


class MemoryStore(Store[str]):
    """A store whose context is the user."""

    def __init__(self):
        self.users: defaultdict[str, Threads] = defaultdict(Threads)

    async def load_thread(self, thread_id: str, context: str) -> ThreadMetadata:
        return found(self.users[context].threads, thread_id).model_copy(deep=True)

    async def save_thread(self, thread: ThreadMetadata, context: str) -> None:
        # The latest change is the last: what is listed first is the host's choice.
        threads = self.users[context].threads
        threads.pop(thread.id, None)
        threads[thread.id] = thread.model_copy(deep=True)

    async def delete_thread(self, thread_id: str, context: str) -> None:
        self.users[context].threads.pop(thread_id, None)
        self.users[context].items.pop(thread_id, None)

    async def load_threads(
        self, limit: int, after: str | None, order: str, context: str
    ) -> Page[ThreadMetadata]:
        return page(self.users[context].threads, limit, after, order)

    async def load_thread_items(
        self, thread_id: str, after: str | None, limit: int, order: str, context: str
    ) -> Page[ThreadItem]:
        return page(self.users[context].items[thread_id], limit, after, order)

    async def add_thread_item(self, thread_id: str, item: ThreadItem, context: str) -> None:
        await self.save_item(thread_id, item, context)
        thread = self.users[context].threads[thread_id]
        await self.save_thread(thread, context)

    async def save_item(self, thread_id: str, item: ThreadItem, context: str) -> None:
        self.users[context].items[thread_id][item.id] = item.model_copy(deep=True)

    async def load_item(self, thread_id: str, item_id: str, context: str) -> ThreadItem:
        return found(self.users[context].items[thread_id], item_id).model_copy(deep=True)

    async def delete_thread_item(self, thread_id: str, item_id: str, context: str) -> None:
        self.users[context].items[thread_id].pop(item_id, None)

    async def save_attachment(self, attachment: Attachment, context: str) -> None:
        raise NotImplementedError

    async def load_attachment(self, attachment_id: str, context: str) -> Attachment:
        raise NotFoundError(attachment_id)

    async def delete_attachment(self, attachment_id: str, context: str) -> None:
        raise NotImplementedError


def found(things: dict, name: str):
    if name not in things:
        raise NotFoundError(name)
    return things[name]


def page(things: dict, limit: int, after: str | None, order: str) -> Page:
    names = list(things) if order == "asc" else list(reversed(things))
    if after is not None:
        found(things, after)
        names = names[names.index(after) + 1 :]
    data = [things[name].model_copy(deep=True) for name in names[:limit]]
    has_more = len(names) > limit
    return Page(data=data, has_more=has_more, after=names[limit - 1] if has_more else None)


@function_tool(description_override="What the user has selected.")
async def get_selection(context: RunContextWrapper[AgentContext[str]], scope: str) -> None:
    """A tool of the page: the call is handed on, and the page's answer comes with a turn of its own."""
    call = ClientToolCall(name="get_selection", arguments={"scope": scope})
    context.context.client_tool_call = call


class Server(ChatKitServer[str]):
    def __init__(self, base_url: str, model: str):
        super().__init__(MemoryStore())
        client = AsyncOpenAI(base_url=base_url, api_key="none")
        self.agent = Agent[AgentContext[str]](
            name="assistant",
            model=OpenAIResponsesModel(model, client),
            tools=[get_selection],
            tool_use_behavior=StopAtTools(stop_at_tool_names=["get_selection"]),
        )

    async def respond(
        self, thread: ThreadMetadata, input_user_message, context: str
    ) -> AsyncIterator[ThreadStreamEvent]:
        items = await self.store.load_thread_items(thread.id, None, HISTORY, "asc", context)
        agent_context = AgentContext(thread=thread, store=self.store, request_context=context)
        result = Runner.run_streamed(
            self.agent,
            await simple_to_agent_input(items.data),
            context=agent_context,
            run_config=RunConfig(tracing_disabled=True),
        )
        async for event in stream_agent_response(agent_context, result):
            yield event


def application(server: Server) -> FastAPI:
    app = FastAPI()

    @app.post("/chatkit")
    async def chatkit(request: Request):
        result = await server.process(await request.body(), request.headers["x-user"])
        if isinstance(result, StreamingResult):
            return StreamingResponse(result, media_type="text/event-stream")
        return Response(result.json, media_type="application/json")

    return app


async def serve(base_url: str, model: str) -> None:
    # There is no network, and nobody to trace for.
    set_tracing_disabled(True)
    # Failures are part of the play. To see why one came, take this line out.
    logging.disable()
    config = uvicorn.Config(
        application(Server(base_url, model)), host="127.0.0.1", port=0, log_level="critical"
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    while not server.started and not serving.done():
        await asyncio.sleep(0.01)
    print(server.servers[0].sockets[0].getsockname()[1], flush=True)
    # The test holds the other end, and has ended when it is closed, however that came.
    await asyncio.to_thread(sys.stdin.read)
    server.should_exit = True
    await serving


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], sys.argv[2]))
