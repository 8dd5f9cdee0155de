"""Answers fit their ground: what narrows a claim is told, a date is no finer than known, a reference has its stance."""

from collections.abc import Iterator

import pytest

from agent.chat.answer import ask
from agent.chat.reply import Reply
from claims.clock import FrozenClock
from claims.store import Store
from tests.chat_store import hold
from tests.dossiers import NARROWER, NOW, standing

CLOCK = FrozenClock(NOW)


def said(reply: Reply) -> str:
    return "\n".join(s.text for s in reply.sentences)


@pytest.fixture
def stands(sqlite_url: str) -> Iterator[Store]:
    """A store with one claim that stands, supported from 2025-01 on, and narrowed by a paper that changed nothing."""
    with Store.open(sqlite_url, clock=CLOCK) as store:
        hold(store, standing())
        yield store


def test_asked_what_changed_a_claim_that_stands_chat_names_what_narrows_it(stands: Store) -> None:
    reply = ask(stands, "What changed it about curated examples?", CLOCK)
    assert "1 paper narrows it" in said(reply)
    assert "no newer evidence" not in said(reply)
    assert [g.paper_id for g in reply.grounds] == [NARROWER.id]


def test_since_when_cites_only_what_was_dated_by_then(stands: Store) -> None:
    reply = ask(stands, "Since when does it hold that curated examples align a model?", CLOCK)
    since = next(s for s in reply.sentences if "since" in s.text)
    assert since.text == "On the evidence held now it has had the verdict “stands” since 2025-01."
    cited = {g.paper_id for g in reply.grounds if g.evidence_id in since.evidence}
    assert len(cited) == 3
    assert NARROWER.id not in cited
    assert "it was untested, from its own date (2023-05) on" in said(reply)


def test_the_reference_list_gives_the_stance_of_each_reference(stands: Store) -> None:
    reply = ask(stands, "Do curated examples still align a model?", CLOCK)
    stances = {g.paper_id: str(g).partition("] ")[2].partition(":")[0] for g in reply.grounds}
    assert stances.pop(NARROWER.id) == "qualifies"
    assert set(stances.values()) == {"supports"}


def test_the_verdict_is_given_to_programs_with_both_meanings_of_since(stands: Store) -> None:
    (held,) = ask(stands, "Do curated examples still align a model?", CLOCK).verdicts
    assert (held.verdict, str(held.as_of), held.evidence_since) == ("stands", "2026-08-21", "2025-01")
    assert str(held.record_since) == "2026-08-21"
    (then,) = ask(stands, "Did curated examples align a model as of June 2025?", CLOCK).verdicts
    assert (then.verdict, str(then.as_of), then.record_since) == ("stands", "2025-06-30", None)
