"""Questions that name a day or a span of days: the claim is found, and the answer is of those days."""

from collections.abc import Iterator
from datetime import date

import pytest

from agent.chat.answer import ask
from agent.chat.days import Days, How, days, window
from agent.chat.reply import Reply
from claims.clock import FrozenClock
from claims.evidence import Stance
from claims.store import Store
from tests.chat_store import hold
from tests.dossiers import AS_OF, FRIENDS, NARROWER, NOW, claim, dossier, paper, standing, weighed

CLOCK = FrozenClock(NOW)
FOES = tuple(paper(f"2605.0000{n}", "2026-05", authors=(f"Foe {'abcd'[n]}",)) for n in (1, 2, 3))
SIX = "2026-02-21 to 2026-08-21"


@pytest.fixture
def stands(sqlite_url: str) -> Iterator[Store]:
    """A store with one claim: supported from 2025-01 on, narrowed in 2025-03."""
    with Store.open(sqlite_url, clock=CLOCK) as store:
        hold(store, standing())
        yield store


@pytest.fixture
def fell(sqlite_url: str) -> Iterator[Store]:
    """A store with one claim: supported from 2025-01 on, and overturned in 2026-05."""
    for_it = [weighed(p, Stance.SUPPORTS, confidence=0.6) for p in FRIENDS[:1]]
    against = [weighed(p, Stance.CONTRADICTS) for p in FOES]
    with Store.open(sqlite_url, clock=CLOCK) as store:
        hold(store, dossier(claim(), [*for_it, *against], [*FRIENDS[:1], *FOES]))
        yield store


def said(reply: Reply) -> str:
    return "\n".join(s.text for s in reply.sentences)


def cited(reply: Reply) -> set[str | None]:
    return {g.paper_id for g in reply.grounds}


@pytest.mark.parametrize(
    ("question", "how", "first", "last", "rest"),
    [
        ("Did LIMA hold as of March 2026?", How.BY, "2026-03-01", "2026-03-31", "Did LIMA hold?"),
        ("Did LIMA hold in 2025?", How.IN, "2025-01-01", "2025-12-31", "Did LIMA hold?"),
        ("Did LIMA hold at the end of 2025?", How.IN, "2025-01-01", "2025-12-31", "Did LIMA hold?"),
        ("Did LIMA hold at the start of 2025?", How.IN, "2025-01-01", "2025-01-01", "Did LIMA hold?"),
        ("Did LIMA hold on 2026-03-05?", How.IN, "2026-03-05", "2026-03-05", "Did LIMA hold?"),
        ("Did LIMA hold before May 2025?", How.BY, "2025-05-01", "2025-04-30", "Did LIMA hold?"),
        ("Did LIMA hold two years ago?", How.BY, "2024-08-21", "2024-08-21", "Did LIMA hold?"),
        ("What spoke against LIMA since 2025?", How.SINCE, "2025-01-01", "2025-12-31", "What spoke against LIMA?"),
        ("What spoke against it after 2024?", How.SINCE, "2025-01-01", "2024-12-31", "What spoke against it?"),
        ("Work between 2024 and 2025 on LIMA", How.IN, "2024-01-01", "2025-12-31", "Work on LIMA"),
        ("Papers from May 2025 on", How.SINCE, "2025-05-01", "2025-05-31", "Papers"),
        ("Does LIMA hold as of today?", None, "0001-01-01", "9999-12-31", "Does LIMA hold?"),
    ],
)
def test_dates_are_read_with_how_they_are_put(question: str, how: How, first: str, last: str, rest: str) -> None:
    read = days(question, AS_OF)
    assert (read.how, str(read.first), str(read.last)) == (how, first, last)
    assert read.rest == rest


@pytest.mark.parametrize(
    "question",
    [
        "Do 2000 examples suffice?",
        "Is it done in 2000 steps?",
        "Does arXiv:2001.08361 hold?",
        "since when?",
        "GPT-4-2024",
    ],
)
def test_counts_ids_and_names_are_no_dates(question: str) -> None:
    assert days(question, AS_OF) == Days(question)


def test_spans_are_read_in_weeks_months_and_years() -> None:
    for words, n in (("six months", 6), ("3 months", 3), ("two years", 24), ("year", 12), ("5 weeks", 2)):
        assert days(f"against it in the last {words}", AS_OF).months == n
    first, last, why = window(days("against it?", AS_OF), AS_OF)
    assert (str(first), str(last)) == ("2026-02-21", "2026-08-21")
    assert why.startswith("No time was named")
    assert window(days("was it ever contradicted?", AS_OF), AS_OF).first == date.min


def test_a_claim_is_held_as_of_a_past_day_with_the_evidence_dated_by_then(fell: Store) -> None:
    then = ask(fell, "Did the claim on curated examples hold as of March 2026?", CLOCK)
    verdict = next(s for s in then.sentences if s.text.startswith("Verdict"))
    assert verdict.text.startswith("Verdict as of 2026-03-31 (2026-03), on the evidence that is held now and was dated")
    assert ": stands, confidence" in verdict.text
    assert {g.paper_id for g in then.grounds if g.evidence_id in verdict.evidence} == {FRIENDS[0].id}
    assert "does not speak of" not in said(then)
    assert "Nothing was on record that day: its first verdict is of 2026-08-21." in said(then)
    now = next(s for s in then.sentences if s.text.startswith("Now, as of 2026-08-21: overturned"))
    assert {g.paper_id for g in then.grounds if g.evidence_id in now.evidence} >= {p.id for p in FOES}


def test_a_day_told_by_how_long_ago_it_was_is_a_past_day(fell: Store) -> None:
    then = ask(fell, "What was the verdict on curated examples a year ago?", CLOCK)
    assert "Verdict as of 2025-08-21, on the evidence" in said(then)
    assert "does not speak of" not in said(then)


def test_before_a_claim_was_stated_there_was_nothing_to_hold(fell: Store) -> None:
    assert "it was not yet stated" in said(ask(fell, "Did curated examples hold in 2021?", CLOCK))


def test_a_day_beyond_the_last_look_is_answered_with_what_is_held(stands: Store) -> None:
    text = said(ask(stands, "Do curated examples hold in 2026?", CLOCK))
    assert "Verdict: stands as of 2026-08-21" in text
    assert "all that is held for 2026" in text


def test_work_against_a_claim_includes_what_narrows_it_and_explains_its_window(stands: Store) -> None:
    asked = ask(stands, "What is the strongest work against curated examples in the last six months?", CLOCK)
    assert f"Nothing that is held and dated {SIX} contradicts it or narrows it." in said(asked)
    assert "Dated before 2026-02-21: 1 piece of work that narrows it" in said(asked)
    assert "The window is the 6 months up to 2026-08-21, the last day that the verdict looked at." in said(asked)
    assert cited(asked) == {NARROWER.id}
    unnamed = ask(stands, "What speaks against curated examples?", CLOCK)
    assert "No time was named, so the window is the usual one: the 6 months up to 2026-08-21" in said(unnamed)
    assert cited(ask(stands, "What narrows the claim on curated examples?", CLOCK)) == {NARROWER.id}


def test_a_year_with_work_is_a_window_and_not_a_past_day(stands: Store) -> None:
    in_2025 = ask(stands, "What spoke against curated examples in 2025?", CLOCK)
    assert cited(in_2025) == {NARROWER.id}
    assert "The window is 2025, as asked." in said(in_2025)
    assert cited(ask(stands, "What supports curated examples in January 2025?", CLOCK)) == {p.id for p in FRIENDS}


def test_what_changed_since_a_day_names_the_step_and_the_work(fell: Store) -> None:
    text = said(ask(fell, "What changed about curated examples since January 2026?", CLOCK))
    assert "Dated 2026-05, the verdict went from “stands” to “overturned”." in text
    assert all(p.id in text for p in FOES)


def test_a_date_of_the_claim_itself_asks_about_no_day(sqlite_url: str) -> None:
    mine = claim("Open models of 2024 match closed models of March 2023.", "2024-06")
    with Store.open(sqlite_url, clock=CLOCK) as store:
        hold(store, dossier(mine, [], []))
        assert "as of 2026-08-21" in said(ask(store, "Do open models match closed models of March 2023?", CLOCK))
