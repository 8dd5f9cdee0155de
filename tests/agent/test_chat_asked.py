"""Questions as researchers put them: what is asked for is what is answered."""

from collections.abc import Iterator

import pytest

from agent.chat.answer import ask
from agent.chat.intents import Intent, intents
from agent.chat.reply import Reply
from claims.clock import FrozenClock
from claims.store import Store
from tests.chat_store import fill, hold
from tests.dossiers import FRIENDS, NARROWER, NOW, claim, dossier, standing

CLOCK = FrozenClock(NOW)
LIMA = "few-examples"


@pytest.fixture
def filled(sqlite_url: str) -> Iterator[Store]:
    """A store with the whole invented inquiry."""
    with Store.open(sqlite_url, clock=CLOCK) as store:
        fill(store)
        yield store


def said(reply: Reply) -> str:
    return "\n".join(s.text for s in reply.sentences)


@pytest.mark.parametrize(
    ("question", "wanted"),
    [
        ("What is the newest evidence on LIMA?", (Intent.NEWEST,)),
        ("What is new on LIMA?", (Intent.NEWEST,)),
        ("When was LIMA last checked?", (Intent.CHECKED,)),
        ("Is LIMA's paper withdrawn?", (Intent.GROUND,)),
        ("How many papers support LIMA?", (Intent.COUNT, Intent.SUPPORT)),
        ("Is there any evidence that LIMA fails?", (Intent.AGAINST,)),
        ("Who says that LIMA works?", (Intent.SUPPORT,)),
        ("Summarise what you hold", (Intent.LIST,)),
        ("Was LIMA falsified?", (Intent.HOLDS,)),
    ],
)
def test_what_is_asked_for_is_told_from_the_words(question: str, wanted: tuple[Intent, ...]) -> None:
    assert intents(question) == wanted


def test_the_newest_work_comes_first_with_how_far_was_looked(filled: Store) -> None:
    text = said(ask(filled, "What is the newest evidence on LIMA?", CLOCK))
    assert text.index("2605.00002") < text.index("2604.00001")
    assert "Last looked for newer work on " in text
    assert "Could not look in arxiv" in text


def test_which_papers_of_a_year_lists_the_work_of_all_sides(sqlite_url: str) -> None:
    with Store.open(sqlite_url, clock=CLOCK) as store:
        hold(store, standing())
        reply = ask(store, "Which papers from 2025 bear on curated examples?", CLOCK)
    assert {g.paper_id for g in reply.grounds} == {NARROWER.id, *(p.id for p in FRIENDS)}
    assert "The window is 2025, as asked." in said(reply)


def test_a_claim_named_by_its_subject_is_found_whatever_else_is_said(sqlite_url: str) -> None:
    named = claim("LIMA tunes a base model on few curated examples.")
    with Store.open(sqlite_url, clock=CLOCK) as store:
        hold(store, dossier(named, [], []))
        reply = ask(store, "Does LIMA still hold if I use Llama 3 with quantization on my laptop?", CLOCK)
        assert reply.claim_ids == (named.id,)
        assert "does not speak of: " in said(reply)
        assert not ask(store, "Does quantization on my laptop hurt Llama 3?", CLOCK).held


def test_the_ground_of_a_claim_is_told_with_what_disagrees(filled: Store) -> None:
    text = said(ask(filled, "Was the original paper of LIMA withdrawn?", CLOCK))
    assert "arXiv:2305.11206" in text
    assert "The stored record does not say that it was withdrawn" in text


def test_a_claim_on_which_nobody_looked_is_said_to_be_so(filled: Store) -> None:
    assert "No search for this claim is on record" in said(
        ask(filled, "When was self-improvement being bounded last checked?", CLOCK)
    )


def test_claims_are_listed_least_sure_first_and_with_what_changed_lately(filled: Store) -> None:
    listed = [s.text for s in ask(filled, "Which claims are weakest?", CLOCK).sentences]
    assert "Least sure first:" in listed
    assert "% sure" in listed[-1]
    changed = ask(filled, "Has anything changed in the last month?", CLOCK)
    assert "claims got their present verdict from 2026-07-21 to 2026-08-21" in said(changed)
    assert f"- {LIMA}: overturned, first as of 2026-08-21" in said(changed)


def test_claims_as_of_a_past_day_are_listed_as_they_were_on_record(filled: Store) -> None:
    now = said(ask(filled, "Which claims are overturned?", CLOCK))
    assert LIMA in now
    then = said(ask(filled, "Which claims were overturned as of March 2020?", CLOCK))
    assert "No claim was held on that day" in then
    assert LIMA not in then
    (recorded,) = {h.recorded_at.date() for h in filled.verdicts(LIMA)[-1:]}
    same = said(ask(filled, f"Which claims were overturned as of {recorded}?", CLOCK))
    assert LIMA in same


def test_what_would_overturn_a_claim_is_answered_for_just_that(filled: Store) -> None:
    assert "of them would make it overturned." in said(
        ask(filled, "What would overturn that models give near-identical answers?", CLOCK)
    )


def test_only_the_work_that_was_asked_for_is_cited(sqlite_url: str) -> None:
    with Store.open(sqlite_url, clock=CLOCK) as store:
        hold(store, standing())
        reply = ask(store, "Cite what narrows the claim on curated examples", CLOCK)
    assert NARROWER.id in reply.bibtex
    assert not any(p.id in reply.bibtex for p in FRIENDS)
    assert "One entry as the stored record has it" in said(reply)


def test_words_written_apart_find_the_claim_that_joins_them(filled: Store) -> None:
    assert ask(filled, "Is self improvement bounded?", CLOCK).claim_ids == ("self-improvement",)
