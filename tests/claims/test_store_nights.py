"""Care, nights and leases in the store, and the step from the first schema to the second."""

from datetime import date, timedelta

import pytest

from claims.clock import FrozenClock
from claims.errors import NotHeld
from claims.evidence import JudgeName, JudgeRef, Stance
from claims.lines import REVISION
from claims.store import Store
from claims.store.engine import Door, connect
from claims.store.nights import Care, dense_to
from claims.store.schema import bring_to_head
from tests.factories import NOON, PERSON, a_claim, a_paper, a_verdict, an_assessment, paper_evidence

CLAIM = a_claim().id
LLM = JudgeRef(name=JudgeName.LLM, version="p1")


def test_rows_of_the_first_schema_are_there_after_the_second(empty_database_url: str) -> None:
    door = Door(connect(empty_database_url))
    bring_to_head(door, migrate=True, revision="0001")
    old = Store(door, FrozenClock(NOON))
    old.put_claim(a_claim())
    old.put_papers([a_paper()])
    old.add_evidence([paper_evidence()])
    old.record_verdict(a_verdict())
    old.close()
    with Store.open(empty_database_url, clock=FrozenClock(NOON)) as store:
        assert store.schema_status().current == REVISION
        assert store.dossier(CLAIM).evidence == (paper_evidence(),)
        assert store.care() == {}
        assert store.take_care(CLAIM, pinned=True) == Care(CLAIM, pinned=True)


def test_what_a_person_asked_for_stays_when_the_claim_is_refreshed(store: Store) -> None:
    store.put_claim(a_claim())
    store.take_care(CLAIM, pinned=True, forced=True)
    store.claim_refreshed(CLAIM, NOON.date(), checked_to=NOON, seen_to=NOON, full=True)
    care = store.care([CLAIM])[CLAIM]
    assert (care.pinned, care.forced, care.full_on, care.seen_to) == (True, False, NOON.date(), NOON)
    with pytest.raises(NotHeld):
        store.take_care("nobody-000000", paused=True)


def test_one_holder_gets_a_lease_until_it_runs_out_or_the_holder_is_gone(store: Store) -> None:
    def take(holder: str, at_most: int = 10, gone: str = "") -> list[str]:
        return store.take_leases(
            ["a", "b", "c"], holder, seconds=60, at_most=at_most, is_gone=lambda name: name == gone
        )

    assert take("one", at_most=2) == ["a", "b"]
    assert take("two") == ["c"]
    assert take("one") == ["a", "b"]
    assert take("two", gone="one") == ["a", "b", "c"]
    store.give_back(["a"], "one")
    assert take("one") == []
    store.give_back(["a", "b", "c"], "two")
    assert take("one") == ["a", "b", "c"]
    if store.dialect == "sqlite":  # PostgreSQL counts by its own clock
        store.clock = FrozenClock(NOON + timedelta(seconds=61))
        assert take("two") == ["a", "b", "c"]


def test_a_sign_of_life_keeps_what_one_has_and_takes_nothing(store: Store) -> None:
    def take(holder: str) -> list[str]:
        return store.take_leases(["a", "b"], holder, seconds=-1, at_most=1, is_gone=lambda name: False)

    assert (take("one"), take("two")) == (["a"], ["a"])
    store.keep_leases("one", 60)
    assert take("one") == ["a"]
    store.keep_leases("one", 60)
    assert take("two") == ["b"]
    store.give_back_all("one")
    assert take("two") == ["a"]


def test_a_night_begins_once_and_is_over_with_its_digest(store: Store) -> None:
    night = store.begin_night(NOON.date(), "{}")
    assert store.begin_night(NOON.date(), '{"other": 1}') == night
    assert store.nights() == []
    store.change_night(NOON.date(), lambda state: state + " ", digest="{}")
    held = store.night(NOON.date())
    assert held is not None
    assert (held.state, held.digest, held.finished_at) == ("{} ", "{}", NOON)
    assert store.nights() == [held]


def test_what_came_after_the_marks_is_news(store: Store) -> None:
    store.put_claim(a_claim())
    store.put_papers([a_paper(), a_paper("2401.00002")])
    store.add_evidence([paper_evidence()])
    marks = store.marks()
    assert store.appended_since(marks).stances == {}
    later = paper_evidence(a_paper("2401.00002"))
    unsure = an_assessment(a_paper(), Stance.NEUTRAL, unsure=True, leaning=Stance.SUPPORTS, judge=PERSON)
    store.add_evidence([later, paper_evidence(assessment=unsure)])
    for n, judge in ((3, LLM), (4, LLM), (5, PERSON)):
        store.put_papers([a_paper(f"2401.0000{n}")])
        none = an_assessment(stance=Stance.NEUTRAL, unsure=True, confidence=0.0, judge=judge)
        store.add_evidence([paper_evidence(a_paper(f"2401.0000{n}"), assessment=none)])
    held = store.record_verdict(a_verdict())
    store.put_papers([a_paper(withdrawn=True, withdrawn_because="an error")])
    since = store.appended_since(marks)
    assert (since.stances, since.verdicts) == ({CLAIM: [later.id]}, {CLAIM: [held.id]})
    assert since.withdrawn == {a_paper().id: True}
    assert (since.n_judged, since.n_unsure, since.n_not_judged) == (2, 1, 2), "what a person took back is neither"


def days(first: date, n: int, each: int = 1) -> dict[date, int]:
    return {first + timedelta(days=k): each for k in range(n)}


@pytest.mark.parametrize(
    ("counts", "complete_to"),
    [
        ({}, None),
        ({date(2026, 6, 29): 1}, date(2026, 6, 29)),
        (days(date(2026, 1, 1), 180, 20), date(2026, 6, 29)),
        (days(date(2026, 1, 1), 180, 20) | {date(2026, 11, 20): 1}, date(2026, 6, 29)),
        (days(date(2026, 1, 1), 180, 20) | days(date(2026, 9, 1), 60), date(2026, 6, 29)),
        (days(date(2026, 6, 20), 10, 2) | {date(2026, 11, 20): 1}, date(2026, 6, 29)),
        ({date(2026, 1, 1): 1, date(2026, 3, 1): 1, date(2026, 11, 20): 1}, date(2026, 1, 1)),
    ],
)
def test_papers_added_by_hand_do_not_move_the_day_to_which_the_mirror_is_complete(
    counts: dict[date, int], complete_to: date | None
) -> None:
    assert dense_to(counts) == complete_to
