"""An agent of the official Agents SDK, as the guides of chatkit-python build one, behind the gateway.

    AGENT_SECRET=… OPENAI_API_KEY=… python agent.py [PORT]

Prints the port that it listens on. OPENAI_BASE_URL and OPENAI_MODEL name another model.
"""

import asyncio
import os
import sys

import uvicorn
from agents import Agent, OpenAIResponsesModel, RunConfig, Runner
from chatkit.agents import AgentContext, simple_to_agent_input, stream_agent_response
from chatkit.server import ChatKitServer
from openai import AsyncOpenAI

from gateway_agent import Caller, agent_app


class Assistant(ChatKitServer[Caller]):
    """What was there before: a server with a `respond`."""

    def __init__(self):
        # The gateway's wrapper brings a store with each turn.
        super().__init__(store=None)
        model = os.environ.get("OPENAI_MODEL", "gpt-5-mini")
        self.agent = Agent[AgentContext[Caller]](
            name="assistant",
            instructions="You are brief.",
            model=OpenAIResponsesModel(model, AsyncOpenAI()),
        )

    async def respond(self, thread, input_user_message, context):
        items = await self.store.load_thread_items(thread.id, None, 100, "asc", context)
        agent_context = AgentContext(thread=thread, store=self.store, request_context=context)
        result = Runner.run_streamed(
            # With the tools that gateway.toml gives it.
            self.agent.clone(tools=context.tools, tool_use_behavior=context.stop),
            await simple_to_agent_input(items.data) + context.calls,
            context=agent_context,
            run_config=RunConfig(tracing_disabled=True),
        )
        async for event in stream_agent_response(agent_context, result):
            yield event


async def main(port: int) -> None:
    app = agent_app(Assistant, os.environ["AGENT_SECRET"])
    config = uvicorn.Config(app, host="127.0.0.1", port=port, log_level="warning")
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    while not server.started and not serving.done():
        await asyncio.sleep(0.01)
    print(server.servers[0].sockets[0].getsockname()[1], flush=True)
    await serving


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 0))
