"""Answers in a model's words: a model that invents gets nothing through. The model is a server that says a script."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from agent.chat.asked import understood
from agent.chat.model import PROMPT, SYSTEM, ask_model, fold, sentences_of
from agent.chat.reply import Reply, Sentence
from agent.llm import ChatModel, Price
from claims.clock import FrozenClock
from claims.ids import text_digest
from claims.store import Store
from tests.chat_server import Script, chat_server
from tests.chat_store import fill
from tests.dossiers import NOW

pytest.importorskip("langchain")
pytestmark = pytest.mark.slow
CLOCK = FrozenClock(NOW)
FREE = Price(0.0, 0.0)
QUESTION = "What is the strongest work against LIMA in the last six months?"


@pytest.fixture
def filled(sqlite_url: str) -> Iterator[Store]:
    """A store with the whole invented inquiry."""
    with Store.open(sqlite_url, clock=CLOCK) as store:
        fill(store)
        yield store


def against(store: Store, paper_id: str = "2605.00002") -> str:
    return next(e.id for e in store.evidence("few-examples") if e.kind == "paper" and e.paper_id == paper_id)


def answered(
    store: Store,
    folder: Path,
    script: Script,
    *,
    question: str = QUESTION,
    budget_usd: float = 1.0,
    price: Price = FREE,
    told: Callable[[Sentence], None] = lambda sentence: None,
    requests: list[dict[str, Any]] | None = None,
) -> Reply:
    with chat_server(script) as server:
        model = ChatModel(
            "openai:scripted",
            folder=folder,
            clock=CLOCK,
            budget_usd=budget_usd,
            price=price,
            base_url=server.url,
            timeout_s=20,
        )
        reply = ask_model(store, understood(store, question, CLOCK), CLOCK, model, on_sentence=told)
        if requests is not None:
            requests += server.requests
    return reply


def findings(reply: Reply) -> list[str]:
    return [s.text for s in reply.sentences if s.evidence and not s.text.startswith("Verdict")]


def test_a_sentence_with_held_evidence_comes_through_with_its_reference(filled: Store, tmp_path: Path) -> None:
    id = against(filled)
    words = "we find that the effect holds in most settings"
    reply = answered(filled, tmp_path, lambda body: f"The newest work reports: “{words}”. [{id}]")
    assert findings(reply) == [f"The newest work reports: “{words}”."]
    assert reply.how == "openai:scripted"
    assert id in {g.evidence_id for g in reply.grounds}
    assert not reply.dropped


def test_a_models_thoughts_are_no_answer(filled: Store, tmp_path: Path) -> None:
    id = against(filled)
    said = f"<think>Perhaps the newest work says nothing of it. [{id}]</think>The newest work reports a limit. [{id}]"
    reply = answered(filled, tmp_path, lambda body: said)
    assert findings(reply) == ["The newest work reports a limit."]
    assert not reply.dropped


LIES = {
    "an id that does not exist": "A later paper refutes it entirely. [ev-deadbeef0000]",
    "a held id beside an invented one": "Two papers contradict it. [{id}, ev-aaaaaaaaaaaa]",
    "no evidence": "It is well known that LIMA was refuted.",
    "an arXiv id": "See arXiv:2501.12345, which contradicts it. [{id}]",
    "a malformed arXiv id": "See arXiv:2501.123456, which contradicts it. [{id}]",
    "a bare arXiv id of no held paper": "The work 2412.00001 contradicts it. [{id}]",
    "a paper that is held and not cited": "The work 2604.00001 contradicts it. [{id}]",
    "a link": "Read https://evil.example/x about what contradicts it. [{id}]",
    "a quote that is not there": "It says “LIMA fails on every benchmark we tried”. [{id}]",
    "a quote in other marks": 'It says "LIMA fails on every benchmark we tried". [{id}]',
    "a number that is not there": "It drops by 37.5 points and contradicts it. [{id}]",
    "the opposite stance": "This paper supports the claim. [{id}]",
    "another verdict": "So the claim stands, which this paper contradicts. [{id}]",
    "an unsure stance as sure": "A newer paper supports it. [{unsure}]",
    "an experiment that is not held": "Our exp-ffffffffffff contradicts it. [{id}]",
    "a claim that is not held": "The claim some-other-claim-12ab34 is contradicted too. [{id}]",
}


@pytest.mark.parametrize("lie", list(LIES))
def test_what_a_model_invents_is_dropped_counted_and_said(filled: Store, tmp_path: Path, lie: str) -> None:
    id = against(filled)
    told: list[Sentence] = []
    script = LIES[lie].format(id=id, unsure=against(filled, "2602.00005"))
    reply = answered(filled, tmp_path, lambda body: script, told=told.append)
    invented = (
        "ev-deadbeef0000 ev-aaaaaaaaaaaa 2501.12345 evil.example benchmark 37.5 exp-fff 12ab34 2412.00001".split()
    )
    assert sum(reply.dropped.values()) == 1
    assert "not let through" in reply.sentences[-2].text
    assert reply.how == "store"
    for shown in (reply.text(), " ".join(map(str, told))):
        assert not [word for word in invented if word in shown]
        assert "supports the claim" not in shown
        assert "well known" not in shown


def test_when_nothing_of_a_model_comes_through_the_store_answers_and_says_so(filled: Store, tmp_path: Path) -> None:
    reply = answered(filled, tmp_path, lambda body: "LIMA is dead. Trust me.")
    assert reply.sentences[-1].text == "This answer is from the store alone."
    assert against(filled) in {g.evidence_id for g in reply.grounds}
    assert sum(reply.dropped.values()) == 2


def test_a_model_that_fails_leaves_the_stores_answer_and_the_reason(filled: Store, tmp_path: Path) -> None:
    reply = answered(filled, tmp_path, lambda body: 400)
    assert any("The model stopped" in s.text for s in reply.sentences)
    assert against(filled) in {g.evidence_id for g in reply.grounds}
    broke = answered(filled, tmp_path, lambda body: "x", budget_usd=0.0, price=Price(1.0, 1.0))
    assert any("budget" in s.text for s in broke.sentences)


def test_what_could_not_be_looked_at_is_said_whatever_the_model_says(filled: Store, tmp_path: Path) -> None:
    id = against(filled)
    reply = answered(filled, tmp_path, lambda body: f"One paper contradicts it. [{id}]")
    assert findings(reply) == ["One paper contradicts it."]
    assert any("Could not look in arxiv" in s.text for s in reply.sentences)


def test_the_verdict_is_said_by_the_store_before_the_model_says_anything(filled: Store, tmp_path: Path) -> None:
    id = against(filled)
    told: list[Sentence] = []
    question = "Does LIMA still hold?"
    answered(filled, tmp_path, lambda body: f"One paper contradicts it. [{id}]", question=question, told=told.append)
    assert [t.text.split(":")[0] for t in told[:2]] == ["The claim", "Verdict"]
    assert told[2].text == "One paper contradicts it."


def test_a_model_sees_only_excerpts_as_data_and_is_not_asked_what_is_not_held(filled: Store, tmp_path: Path) -> None:
    requests: list[dict[str, Any]] = []
    id = against(filled)
    answered(filled, tmp_path, lambda body: f"It contradicts it. [{id}]", requests=requests)
    system, user = (m["content"] for m in requests[0]["messages"])
    assert system == SYSTEM
    data = json.loads(user)
    assert set(data) == {"question", "conversation", "excerpts"}
    assert id in {e["id"] for claim in data["excerpts"] for e in claim["evidence"]}
    before = len(requests)
    reply = answered(filled, tmp_path, lambda body: "Paris.", question="Capital of France?", requests=requests)
    assert not reply.held
    assert len(requests) == before


def test_the_same_question_is_paid_for_once(filled: Store, tmp_path: Path) -> None:
    requests: list[dict[str, Any]] = []
    id = against(filled)
    for _ in range(2):
        reply = answered(
            filled, tmp_path, lambda body: f"It contradicts it. [{id}]", price=Price(1.0, 1.0), requests=requests
        )
    assert len(requests) == 1
    assert findings(reply) == ["It contradicts it."]
    assert reply.usd == 0.0


def test_ids_behind_a_full_stop_belong_to_the_sentence_before() -> None:
    text = "First it is so. [ev-1] Then it is not so [ev-2]. A third.\n- A fourth (ev-4)"
    pieces = [text[i : i + 3] for i in range(0, len(text), 3)]
    assert list(sentences_of(pieces)) == [
        "First it is so. [ev-1]",
        "Then it is not so [ev-2].",
        "A third.",
        "- A fourth (ev-4)",
    ]


def test_a_past_days_record_stands_with_its_claim_before_the_models_words(filled: Store, tmp_path: Path) -> None:
    id = against(filled)
    question = "Did LIMA and near-identical answers of models hold as of 2026-08-01?"
    reply = answered(filled, tmp_path, lambda body: f"Later work contradicts it. [{id}]", question=question)
    lines = [str(s) for s in reply.sentences]
    said = next(n for n, line in enumerate(lines) if line.startswith("model:"))
    assert [n for n, line in enumerate(lines) if line.startswith("Nothing was on record that day")][-1] < said
    assert sum(line.startswith("Now, as of") for line in lines[:said]) == 2


def test_the_prompts_name_changes_with_its_words() -> None:
    assert text_digest(SYSTEM).removeprefix("sha256:").startswith(PROMPT.removeprefix("chat-2-"))
    assert fold("It’s  “So” – now") == fold('it\'s "so" - NOW')
