"""The MCP server as the SDK's own client meets it, over stdio in a process of its own and over streamable HTTP."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest

from claims.checkout import release
from claims.clock import SystemClock
from claims.store import Store
from tests.chat_store import fill
from tests.webs import CLOCK, filled, settings_for

pytest.importorskip("mcp")
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client

from agent.mcp import build_server

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
MAIN = "from agent.cli.main import main; main()"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home whose store holds the invented inquiry."""
    folder = tmp_path_factory.mktemp("home")
    with Store.open(f"sqlite:///{folder / 'retest.sqlite3'}", clock=SystemClock()) as store:
        fill(store)
    return folder


def environment(home: Path) -> dict[str, str]:
    return {
        "RETEST_HOME": str(home),
        "RETEST_ARXIV_URL": "http://127.0.0.1:9/api/query",
        "RETEST_ARXIV_GAP_S": "0",
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
    }


def over_stdio(home: Path, do: Callable[[Client], Awaitable[Any]], *flags: str) -> Any:
    """Start the server as a client would, do something with it, and give what came of it."""

    async def session() -> Any:
        server = StdioServerParameters(
            command=sys.executable, args=["-c", MAIN, "mcp", *flags], env=environment(home), cwd=str(home)
        )
        async with Client(stdio_client(server)) as client:
            return await do(client)

    return anyio.run(session)


def value(result: Any) -> Any:
    assert not result.is_error, result.content
    content = result.structured_content
    return content["result"] if set(content) == {"result"} else content


def test_every_tool_answers_over_stdio(home: Path) -> None:
    async def do(client: Client) -> dict[str, Any]:
        tools = await client.list_tools()
        call = client.call_tool
        return {
            "tools": {tool.name: tool for tool in tools.tools},
            "list": value(await call("list_claims", {})),
            "show": value(await call("show_claim", {"claim": "few-ex"})),
            "ask": value(await call("ask", {"question": "Does LIMA still hold, and what changed it?"})),
            "coffee": value(await call("ask", {"question": "Is coffee healthy?"})),
            "search": value(await call("search_evidence", {"query": "LIMA curated examples"})),
            "ground": value(await call("ground_ids", {"ids": ["2305.11206", "not-an-id"], "source": "library"})),
            "report": value(await call("report", {"claim": "few-examples", "format": "bib"})),
            "unknown": await call("show_claim", {"claim": "no-such-claim"}),
            "format": await call("report", {"claim": "few-examples", "format": "pdf"}),
            "source": await call("retest_claim", {"claim": "few-examples", "source": "moon"}),
        }

    got = over_stdio(home, do)
    assert set(got["tools"]) == {
        "list_claims",
        "show_claim",
        "ask",
        "search_evidence",
        "ground_ids",
        "report",
        "retest_claim",
        "run_experiment",
    }
    assert got["tools"]["ask"].annotations.read_only_hint
    assert not got["tools"]["run_experiment"].annotations.read_only_hint
    assert [c["claim_id"] for c in got["list"]["claims"]] == ["few-examples", "models-alike", "self-improvement"]
    assert got["show"]["claim"]["id"] == "few-examples"
    cited = {g["evidence_id"] for g in got["ask"]["grounds"]}
    assert cited
    assert cited <= {g["evidence_id"] for g in got["search"]}
    assert not got["coffee"]["held"]
    assert [g["status"] for g in got["ground"]] == ["ok", "malformed"]
    assert "eprint = {2305.11206}" in got["report"]
    for name, word in (("unknown", "no-such-claim"), ("format", "pdf"), ("source", "moon")):
        assert got[name].is_error
        assert word in got[name].content[0].text


WRONG: list[tuple[str, dict[str, Any], str]] = [
    ("list_claims", {"verdict": "bogus"}, "stands, relaxed, overturned, contested, untested, undecided"),
    ("list_claims", {"offset": -3}, "greater than or equal to 0"),
    ("list_claims", {"limit": 0}, "greater than or equal to 1"),
    ("list_claims", {"limit": 10**20}, "less than or equal to 500"),
    ("show_claim", {"claim": ""}, "at least 1 character"),
    ("ask", {"question": ""}, "at least 1 character"),
    ("search_evidence", {"query": ""}, "at least 1 character"),
    ("search_evidence", {"query": "LIMA", "limit": -1}, "greater than or equal to 1"),
    ("ground_ids", {"ids": []}, "at least 1 item"),
    ("ground_ids", {"ids": ["2305.11206"], "source": "moon"}, "auto, arxiv, mirror, library"),
    ("report", {"claim": ""}, "at least 1 character"),
    ("run_experiment", {"claim": "few-examples", "seeds": 1}, "greater than or equal to 2"),
]


def test_an_argument_that_means_nothing_is_an_error_that_says_what_is_allowed_and_never_an_empty_result(
    tmp_path: Path,
) -> None:
    url = f"sqlite:///{tmp_path / 'retest.sqlite3'}"
    filled(url)

    async def do() -> list[Any]:
        with Store.open(url, clock=CLOCK) as store:
            async with Client(build_server(store, settings_for(tmp_path, url), CLOCK)) as client:
                assert client.server_info.version == release()
                return [await client.call_tool(name, arguments) for name, arguments, _ in WRONG]

    for (name, arguments, words), result in zip(WRONG, anyio.run(do), strict=True):
        assert result.is_error, (name, arguments)
        assert words in result.content[0].text


def test_a_claim_is_retested_with_progress_and_what_could_not_be_asked_is_said(home: Path) -> None:
    steps: list[str] = []

    async def told(progress: float, total: float | None, message: str | None) -> None:
        steps.append(message or "")

    async def do(client: Client) -> Any:
        arguments = {"claim": "self-improvement", "source": "library"}
        return value(await client.call_tool("retest_claim", arguments, progress_callback=told))

    said = over_stdio(home, do)
    assert "self-improvement" in said
    assert "newly judged" in said
    assert any("decide" in step for step in steps)
    with Store.open(f"sqlite:///{home / 'retest.sqlite3'}") as store:
        assert store.dossier("self-improvement").current is not None


def test_read_only_offers_nothing_that_acts(home: Path) -> None:
    async def do(client: Client) -> set[str]:
        return {tool.name for tool in (await client.list_tools()).tools}

    assert not {"retest_claim", "run_experiment"} & over_stdio(home, do, "--read-only")


@pytest.fixture
def http_url(home: Path) -> Iterator[str]:
    """A server over streamable HTTP on a free port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-c", MAIN, "mcp", "--http", "--port", str(port)], env=environment(home), cwd=home
    )
    try:
        for _ in range(600):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            assert process.poll() is None, "the server ended"
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}/mcp"
    finally:
        process.terminate()
        process.wait(30)


def test_the_same_tools_answer_over_streamable_http(http_url: str) -> None:
    async def session() -> Any:
        async with Client(http_url) as client:
            return value(await client.call_tool("ask", {"question": "Does LIMA still hold?"}))

    assert anyio.run(session)["claim_ids"] == ["few-examples"]
