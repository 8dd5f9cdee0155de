"""Questions to the API where a language model answers: checked, streamed, within the server's budget of the day."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from claims.store import Store
from tests.chat_server import Script, chat_server
from tests.webs import browsing, filled, settings_for

pytest.importorskip("langchain_openai")
pytestmark = pytest.mark.slow
ASK = "/api/v1/ask"
QUESTION = {"question": "What is the strongest work against LIMA in the last six months?"}
WORDS = "we find that the effect holds in most settings"


@contextmanager
def asking(tmp_path: Path, url: str, script: Script, **more: Any) -> Iterator[tuple[TestClient, list[Any]]]:
    """Open the application with a model that says a script, and give the requests that it gets."""
    filled(url)
    with chat_server(script) as server:
        fields = {"llm": "openai:scripted", "llm_url": server.url, "llm_usd_in": 0.0, "llm_usd_out": 0.0, **more}
        with browsing(settings_for(tmp_path / "web", url, **fields)) as client:
            yield client, server.requests


def evidence_id(url: str) -> str:
    with Store.open(url) as store:
        return next(e.id for e in store.evidence("few-examples") if e.kind == "paper" and e.paper_id == "2605.00002")


def test_what_a_model_invents_is_not_let_through_and_what_it_quotes_is(tmp_path: Path, sqlite_url: str) -> None:
    filled(sqlite_url)
    id = evidence_id(sqlite_url)
    script = f"The newest work reports: “{WORDS}”. [{id}] It was proved by ev-000000000000. [ev-000000000000]"
    with asking(tmp_path, sqlite_url, lambda body: script) as (client, requests):
        reply = client.post(ASK, json=QUESTION).json()
        said = " ".join(sentence["text"] for sentence in reply["sentences"])
        assert WORDS in said
        assert "proved" not in said
        assert reply["how"] == "openai:scripted"
        assert sum(reply["dropped"].values()) == 1
        streamed = client.post(ASK, json=QUESTION, headers={"Accept": "text/event-stream"}).text
        assert f'"text":"The newest work reports: “{WORDS}”."' in streamed
        assert "proved" not in streamed
        assert len(requests) == 1, "the same question is answered from the cache"
        plain = client.post(ASK, json=QUESTION | {"no_llm": True}).json()
        assert plain["how"] == "store"


def test_a_budget_that_is_spent_leaves_the_stores_answer(tmp_path: Path, sqlite_url: str) -> None:
    dear = {"llm_usd_in": 100_000.0, "llm_usd_out": 0.0, "budget_usd": 5.0}
    with asking(tmp_path, sqlite_url, lambda body: "Nothing. [ev-1]", **dear) as (client, requests):
        first = client.post(ASK, json=QUESTION).json()
        second = client.post(ASK, json={"question": "Does LIMA still hold? Tell me more."}).json()
    assert first["usd"] == 10.0
    assert len(requests) == 1
    assert second["held"]
    assert "budget" in json.dumps(second["sentences"])


@pytest.mark.parametrize(
    "more",
    [
        {"llm_url": "http://169.254.169.254/v1"},
        {"llm": "nonsense"},
        {"llm_url": None, "llm_usd_in": None, "llm_usd_out": None},
    ],
)
def test_a_model_that_is_configured_wrongly_is_the_servers_fault(
    more: dict[str, Any], tmp_path: Path, sqlite_url: str
) -> None:
    with asking(tmp_path, sqlite_url, lambda body: "", **more) as (client, requests):
        answer = client.post(ASK, json=QUESTION)
        assert answer.status_code == 502
        assert answer.json()["type"] == "urn:retest:problem:llm-refused"
        assert client.post(ASK, json=QUESTION | {"no_llm": True}).status_code == 200
    assert requests == []
