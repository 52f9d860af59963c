"""The official ChatKit server as the benchmark's peer, in its favour: one process of uvicorn with
uvloop and httptools, a store in memory, no login, no tools, no tracing, no logs, and as many
connections to the model as it likes.

    official_server.py PORT MODEL_BASE_URL

Store, routes and bridge are those of the conformance tests. Ends on SIGTERM.
"""

import logging
import sys
from pathlib import Path

import httpx
import uvicorn
from agents import Agent, OpenAIResponsesModel, set_tracing_disabled
from chatkit.agents import AgentContext
from openai import AsyncOpenAI, DefaultAsyncHttpxClient

sys.path.insert(0, str(Path(__file__).parents[3] / "tests/conformance/sdk"))
import server as conformance  # noqa: E402

# Of the library's own 1,000 the rest would wait.
UNLIMITED = httpx.Limits(max_connections=None, max_keepalive_connections=None)


class Server(conformance.Server):
    def __init__(self, base_url: str):
        super().__init__(base_url, "scripted")
        http = DefaultAsyncHttpxClient(limits=UNLIMITED)
        client = AsyncOpenAI(base_url=base_url, api_key="none", http_client=http)
        model = OpenAIResponsesModel("scripted", client)
        self.agent = Agent[AgentContext[str]](name="assistant", model=model)


if __name__ == "__main__":
    set_tracing_disabled(True)
    logging.disable()
    uvicorn.run(
        conformance.application(Server(sys.argv[2])),
        host="127.0.0.1",
        port=int(sys.argv[1]),
        loop="uvloop",
        http="httptools",
        access_log=False,
        log_level="critical",
    )
