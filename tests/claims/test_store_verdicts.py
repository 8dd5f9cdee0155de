"""Verdicts and dossiers: appended, superseded, read as of any moment."""

import subprocess
import sys
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from claims.clock import FrozenClock
from claims.errors import NotHeld, SchemaMismatch
from claims.grounding import GroundingStatus
from claims.overview import overview
from claims.store import Store
from claims.verdict import Verdict, VerdictKind
from tests.factories import (
    NOON,
    a_claim,
    a_grounding,
    a_paper,
    a_search,
    a_verdict,
    an_anchor,
    an_experiment,
    an_inquiry,
    experiment_evidence,
    paper_evidence,
)

CLAIM = a_claim().id
INQUIRY = "inq-000000000001"


def verdict_on(day: int, kind: VerdictKind, evidence: str, **fields: object) -> Verdict:
    return a_verdict(kind, as_of=date(2026, 8, day), evidence_digest=evidence, **fields)


def record(store: Store, day: int, verdict: Verdict) -> str:
    store.clock = FrozenClock(datetime(2026, 8, day, 3, tzinfo=NOON.tzinfo))
    return store.record_verdict(verdict).id


def test_each_verdict_supersedes_the_one_before_and_none_is_lost(store: Store) -> None:
    store.put_claim(a_claim())
    first = record(store, 1, verdict_on(1, VerdictKind.UNTESTED, "a"))
    second = record(store, 2, verdict_on(2, VerdictKind.STANDS, "b"))
    third = record(store, 3, verdict_on(3, VerdictKind.UNTESTED, "a"))
    history = store.verdicts(CLAIM)
    assert [(h.id, h.supersedes) for h in history] == [(first, None), (second, first), (third, second)]
    assert history[1].verdict == verdict_on(2, VerdictKind.STANDS, "b")
    assert history[1].recorded_at == datetime(2026, 8, 2, 3, tzinfo=NOON.tzinfo)


def test_the_same_verdict_from_the_same_evidence_is_written_once(store: Store) -> None:
    store.put_claim(a_claim())
    first = record(store, 1, verdict_on(1, VerdictKind.STANDS, "a"))
    assert record(store, 2, verdict_on(2, VerdictKind.STANDS, "a", confidence=0.8)) == first
    assert record(store, 3, verdict_on(3, VerdictKind.STANDS, "a", rule_version="2")) != first
    assert len(store.verdicts(CLAIM)) == 2


def test_a_verdict_that_stays_holds_as_of_the_last_day_that_confirmed_it(store: Store) -> None:
    store.put_claim(a_claim())
    first = record(store, 1, verdict_on(1, VerdictKind.STANDS, "a"))
    record(store, 2, verdict_on(2, VerdictKind.STANDS, "a", read_first=("ev-000000000001",), rests_on_unsure=True))
    record(store, 3, verdict_on(3, VerdictKind.STANDS, "a", read_first=("ev-000000000001",), rests_on_unsure=True))
    (held,) = store.verdicts(CLAIM)
    assert (held.id, held.recorded_at.day) == (first, 1)
    assert (held.verdict.as_of, held.verdict.read_first) == (date(2026, 8, 3), ("ev-000000000001",))
    assert held.confirmed_at == datetime(2026, 8, 3, 3, tzinfo=NOON.tzinfo)
    assert store.dossier(CLAIM).current == held
    (then,) = store.verdicts(CLAIM, as_of=date(2026, 8, 1))
    assert (then.verdict, then.confirmed_at) == (verdict_on(1, VerdictKind.STANDS, "a"), None)
    assert store.verdicts(CLAIM, as_of=date(2026, 8, 2))[0].verdict.as_of == date(2026, 8, 2)
    assert store.overview()[0].since == date(2026, 8, 1)


def test_a_verdict_decided_again_for_the_same_or_an_earlier_day_writes_nothing(store: Store) -> None:
    store.put_claim(a_claim())
    record(store, 5, verdict_on(5, VerdictKind.STANDS, "a"))
    record(store, 6, verdict_on(6, VerdictKind.STANDS, "a"))
    held = store.verdicts(CLAIM)
    record(store, 7, verdict_on(6, VerdictKind.STANDS, "a"))
    record(store, 8, verdict_on(2, VerdictKind.STANDS, "a"))
    assert store.verdicts(CLAIM) == held


def test_a_superseded_verdict_keeps_the_day_that_it_held_to(store: Store) -> None:
    store.put_claim(a_claim())
    for day, evidence in ((1, "a"), (4, "a"), (5, "b"), (9, "b")):
        record(store, day, verdict_on(day, VerdictKind.STANDS if evidence == "a" else VerdictKind.RELAXED, evidence))
    assert [held.verdict.as_of.day for held in store.verdicts(CLAIM)] == [4, 9]


def test_a_past_state_can_be_read_to_the_second(store: Store) -> None:
    store.put_claim(a_claim())
    record(store, 1, verdict_on(1, VerdictKind.UNTESTED, "a"))
    record(store, 2, verdict_on(2, VerdictKind.OVERTURNED, "b"))
    second = datetime(2026, 8, 2, 3, tzinfo=NOON.tzinfo)
    assert len(store.verdicts(CLAIM, as_of=second)) == 2
    assert len(store.verdicts(CLAIM, as_of=second - timedelta(microseconds=1))) == 1
    assert len(store.verdicts(CLAIM, as_of=date(2026, 8, 2))) == 2
    assert len(store.verdicts(CLAIM, as_of=date(2026, 8, 1))) == 1
    assert store.verdicts(CLAIM, as_of=date(2026, 7, 31)) == []


def test_a_verdict_on_a_claim_that_is_not_held_is_refused(store: Store) -> None:
    with pytest.raises(NotHeld):
        store.record_verdict(a_verdict())
    with pytest.raises(NotHeld):
        store.dossier(CLAIM)


def test_the_overview_says_since_when_and_what_it_rests_on(store: Store) -> None:
    store.clock = FrozenClock(NOON - timedelta(days=60))
    store.put_claim(a_claim())
    store.put_papers([a_paper(), a_paper("2401.00002")])
    store.add_evidence([paper_evidence(), paper_evidence(a_paper("2401.00002")), experiment_evidence()])
    store.add_searches([a_search()])
    store.clock = FrozenClock(NOON - timedelta(days=59))
    store.put_claim(a_claim("never-decided-000002", asserted_on="~2024"))
    for day, kind, evidence in ((1, "contested", "a"), (2, "stands", "b"), (4, "stands", "c"), (9, "contested", "d")):
        record(store, day, verdict_on(day, VerdictKind(kind), evidence))
    now, undecided = store.overview()
    assert (now.claim_id, now.kind, now.since) == (CLAIM, VerdictKind.CONTESTED, date(2026, 8, 9))
    assert (now.n_evidence, now.last_checked, now.confidence) == (3, NOON - timedelta(days=60), 0.8)
    assert (undecided.kind, undecided.since, undecided.n_evidence) == (None, None, 0)
    assert undecided.asserted_on == "~2024"
    then = store.overview(as_of=date(2026, 8, 5))[0]
    assert (then.kind, then.since) == (VerdictKind.STANDS, date(2026, 8, 2))
    assert store.overview(as_of=date(2026, 6, 1)) == []


def test_a_dossier_holds_everything_about_one_claim_and_nothing_of_another(store: Store) -> None:
    store.put_inquiry(an_inquiry())
    store.put_claim(a_claim("another-000002"))
    store.put_papers([a_paper(), a_paper("2401.00002"), a_paper("2305.11206"), a_paper("2309.00009")])
    mine = [paper_evidence(), experiment_evidence()]
    store.add_evidence([*mine, paper_evidence(a_paper("2401.00002"), claim_id="another-000002")])
    grounding = a_grounding(claim_id=CLAIM, paper_id="2305.11206")
    loose = a_grounding(anchor=an_anchor("2309.00009"), paper_id="2309.00009", status=GroundingStatus.WITHDRAWN)
    store.put_groundings(INQUIRY, [grounding, loose])
    store.add_searches([a_search()])
    store.put_experiment(an_experiment(CLAIM))
    store.note_no_experiment(CLAIM, "--no-lab")
    held = store.record_verdict(a_verdict())
    dossier = store.dossier(CLAIM)
    assert dossier.claim == a_claim(inquiry_id=INQUIRY)
    assert list(dossier.evidence) == mine
    assert set(dossier.papers) == {"2401.00001", "2305.11206"}
    assert dossier.current == held
    assert (dossier.groundings, dossier.searches) == ((grounding,), (a_search(),))
    assert dossier.experiments == (an_experiment(CLAIM),)
    assert dossier.no_experiment_because is None
    whole = store.inquiry_dossier(INQUIRY)
    assert whole.claims == (dossier,)
    assert whole.groundings == (loose,)
    assert set(whole.papers) == {"2309.00009"}
    assert whole.as_of == whole.generated_at == NOON
    before = store.dossier(CLAIM, as_of=NOON - timedelta(days=1))
    assert (before.evidence, before.history, before.searches, before.experiments) == ((), (), (), ())


def test_an_inquiry_of_many_claims_takes_no_more_queries_than_one_of_few(store: Store) -> None:
    def queries(n: int) -> int:
        id = f"inq-{n:012d}"
        claims = [a_claim(f"claim-of-{n}-{i:06d}", inquiry_id=id) for i in range(n)]
        store.put_inquiry(an_inquiry(*claims, id=id))
        paper = a_paper()
        store.add_evidence(paper_evidence(paper, claim_id=c.id) for c in claims)
        seen: list[str] = []
        sa.event.listen(store.engine, "before_cursor_execute", lambda *args: seen.append(args[2]))
        assert len(store.inquiry_dossier(id).claims) == n
        return len(seen)

    store.put_papers([a_paper()])
    assert queries(2) == queries(40) < 20


def test_the_quick_list_says_exactly_what_the_store_says(database_url: str) -> None:
    with Store.open(database_url) as store:
        store.put_inquiry(an_inquiry(*(a_claim(f"{word}-000001", inquiry_id=INQUIRY) for word in ("zeta", "alpha"))))
        store.put_papers([a_paper()])
        store.add_evidence([paper_evidence(claim_id="zeta-000001")])
        store.add_searches([a_search("zeta-000001")])
        record(store, 21, a_verdict(claim_id="zeta-000001"))
        for as_of in (None, NOON, date(2026, 8, 21), date(2026, 8, 20), date(2100, 1, 1)):
            assert overview(database_url, as_of=as_of) == store.overview(as_of=as_of)
        assert [line.claim_id for line in overview(database_url)] == ["zeta-000001", "alpha-000001"]


def test_the_quick_list_of_a_database_that_is_not_there_makes_it(empty_sqlite_url: str) -> None:
    assert overview(empty_sqlite_url) == []
    with Store.open(empty_sqlite_url, migrate=False) as store:
        assert store.overview() == []


def test_the_quick_list_of_a_newer_schema_is_refused(sqlite_url: str) -> None:
    with Store.open(sqlite_url) as store, store.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE retest_schema SET version_num = '9999'")
    with pytest.raises(SchemaMismatch):
        overview(sqlite_url)


def test_the_quick_list_needs_no_sql_toolkit(sqlite_url: str) -> None:
    script = (
        "import sys; from claims.overview import overview; overview(sys.argv[1]);"
        "print([name for name in ('sqlalchemy', 'sqlmodel', 'pydantic') if name in sys.modules])"
    )
    root = Path(__file__).parents[2]
    said = subprocess.run([sys.executable, "-c", script, sqlite_url], cwd=root, capture_output=True, text=True)
    assert said.stdout.strip() == "[]", said.stderr
