"""A night: what is new is judged, what it changes is decided and told, and nothing is lost or done twice."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from datetime import date, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from agent.refresh import explain, plan_night
from agent.refresh.plan import why_due
from agent.refresh.state import MOST_PROBLEMS, NightState, first_state
from claims.claim import Anchor, Claim
from claims.dates import StatedDate
from claims.digest import Digest, Problem
from claims.evidence import Assessment, PaperEvidence, Stance
from claims.lines import UNREADABLE
from claims.paper import Paper
from claims.report.digest import render_digest
from claims.store import Store
from claims.store.claims import CLAIMS
from claims.store.evidence import EVIDENCE, EXPERIMENTS
from claims.verdict import VerdictKind
from tests.factories import NOON, an_experiment
from tests.nights import SUBJECTS, Library, StatedJudge, claim_about, paper_about
from tests.oai_server import OaiServer, Record, refuse

FIRST = NOON.date()
SECOND = FIRST + timedelta(days=1)
THIRD = FIRST + timedelta(days=2)
FOURTH = FIRST + timedelta(days=3)
CURATED, PRUNED = claim_about("curated"), claim_about("pruned")


def filled(store: Store, folder: Path) -> Library:
    made = Library(store, folder)
    for claim in (CURATED, PRUNED):
        store.put_claim(claim)
    made.put(paper_about("curated", "Supports", 1), paper_about("curated", "Supports", 2))
    made.put(paper_about("pruned", "Neutral", 1))
    return made


@pytest.fixture
def library(sqlite_url: str, tmp_path: Path) -> Iterator[Library]:
    with Store.open(sqlite_url) as store:
        yield filled(store, tmp_path)


def alike(n: int) -> Paper:
    """Make one of many papers that say the same in the same words."""
    return paper_about("curated", "Supports", n, title="On curated data")


def kind(library: Library, claim_id: str = CURATED.id) -> VerdictKind:
    return library.store.verdicts(claim_id)[-1].verdict.kind


def test_two_nights_are_the_same_on_every_database(store: Store, tmp_path: Path) -> None:
    library = filled(store, tmp_path)
    told = library.night(FIRST)
    assert library.night(FIRST) == told
    library.at(SECOND).put(*(paper_about("curated", "Contradicts", n) for n in (10, 11, 12)))
    library.put(paper_about("curated", "Supports", 1, withdrawn=True, withdrawn_because="wrong"))
    digest = library.night(SECOND)
    assert [(c.before, c.after) for c in digest.changes] == [(VerdictKind.STANDS, VerdictKind.OVERTURNED)]
    assert [w.paper_id for w in digest.withdrawals] == [paper_about("curated", "Supports", 1).id]


def test_the_first_night_decides_every_claim(library: Library) -> None:
    digest = library.night(FIRST)
    assert {c.claim_id: c.after for c in digest.first} == {
        CURATED.id: VerdictKind.STANDS,
        PRUNED.id: VerdictKind.UNTESTED,
    }
    assert (digest.changes, digest.problems) == ((), ())
    assert digest.cost.claims == 2


def test_a_second_run_of_the_same_night_judges_nothing_and_tells_the_same(library: Library) -> None:
    told = library.night(FIRST)
    verdicts = [library.store.verdicts(c.id) for c in (CURATED, PRUNED)]
    judge = StatedJudge()
    assert library.at(FIRST, 23).night(FIRST, judge) == told
    assert judge.read == []
    assert [library.store.verdicts(c.id) for c in (CURATED, PRUNED)] == verdicts


def test_new_papers_change_a_verdict_and_the_digest_names_their_quotes(library: Library) -> None:
    library.night(FIRST)
    library.at(SECOND).put(*(paper_about("curated", "Contradicts", n) for n in range(10, 18)))
    judge = StatedJudge()
    digest = library.night(SECOND, judge)
    (change,) = digest.changes
    assert (change.before, change.after) == (VerdictKind.STANDS, VerdictKind.OVERTURNED)
    assert {g.quote for g in change.because} == {"Contradicts the"}
    assert len(judge.read) == 8 + sum(claim_id == PRUNED.id for claim_id, _ in judge.read)
    assert library.at(THIRD).night(THIRD).is_quiet


def test_contrary_work_is_told_even_where_the_verdict_held(library: Library) -> None:
    library.put(*(paper_about("curated", "Supports", n) for n in range(3, 9)))
    library.night(FIRST)
    library.at(SECOND).put(paper_about("curated", "Contradicts", 20))
    digest = library.night(SECOND)
    assert kind(library) is VerdictKind.STANDS
    assert digest.changes == ()
    (contrary,) = [c for c in digest.contrary if c.claim_id == CURATED.id]
    assert [g.paper_id for g in contrary.grounds] == [paper_about("curated", "Contradicts", 20).id]


def test_a_paper_is_not_read_again_when_only_its_comment_changed(library: Library) -> None:
    library.night(FIRST)
    changed = paper_about("curated", "Supports", 1, comment="Accepted somewhere", updated_on=FIRST)
    library.at(SECOND).put(changed)
    assert library.store.paper(changed.id).comment == "Accepted somewhere"
    judge = StatedJudge()
    library.night(SECOND, judge)
    assert judge.read == []


def test_a_revised_abstract_is_judged_again_and_the_old_stance_is_kept(library: Library) -> None:
    library.put(paper_about("curated", "Supports", 1, updated_on=FIRST))
    library.night(FIRST)
    revised = paper_about("curated", "Contradicts", 1, updated_on=SECOND)
    library.at(SECOND).put(revised)
    judge = StatedJudge()
    digest = library.night(SECOND, judge)
    assert (CURATED.id, revised.id) in judge.read
    stances = [e for e in library.store.evidence(CURATED.id, everything=True) if isinstance(e, PaperEvidence)]
    assert [e.stance for e in stances if e.paper_id == revised.id] == ["supports", "contradicts"]
    (change,) = digest.changes
    (ground,) = change.because
    assert (change.after, ground.said) == (VerdictKind.CONTESTED, "contradicts")
    assert ground.revised is not None
    assert (ground.revised.on, ground.revised.was, ground.revised.was_on) == (SECOND, "supports", FIRST)
    assert f"was: supports, in the text of {FIRST}; revised {SECOND}" in render_digest(digest)


def test_a_withdrawn_paper_stops_counting_the_same_night(library: Library) -> None:
    library.night(FIRST)
    gone = [paper_about("curated", "Supports", n, withdrawn=True, withdrawn_because="wrong") for n in (1, 2)]
    library.at(SECOND).put(*gone)
    digest = library.night(SECOND)
    (change,) = digest.changes
    assert (change.before, change.after) == (VerdictKind.STANDS, VerdictKind.UNTESTED)
    assert {(lost.paper_id, lost.why) for lost in change.lost} == {(p.id, "the paper was withdrawn") for p in gone}
    assert {(w.paper_id, w.because) for w in digest.withdrawals} == {(p.id, "wrong") for p in gone}
    assert {(r.claim, r.verdict) for w in digest.withdrawals for r in w.claims} == {(CURATED.text, "untested")}


def test_a_withdrawn_anchor_makes_its_claim_due(library: Library) -> None:
    anchor = paper_about("curated", "Neutral", 50, published=StatedDate.day(date(2022, 5, 1)))
    library.put(anchor)
    library.store.put_claim(CURATED.model_copy(update={"anchors": (Anchor(arxiv_id=anchor.id),)}))
    library.night(FIRST)
    library.at(SECOND).put(anchor.model_copy(update={"withdrawn": True, "withdrawn_because": "an error"}))
    first = plan_night(library.store, SECOND).due[0]
    assert first.claim.id == CURATED.id
    assert "1 of its papers withdrawn" in first.why
    assert [w.claim_ids for w in library.night(SECOND).withdrawals] == [(CURATED.id,)]


def test_a_paper_announced_late_is_new_whatever_its_date(library: Library) -> None:
    library.night(FIRST)
    late = paper_about("curated", "Contradicts", 30, published=StatedDate.day(date(2024, 2, 1)))
    library.at(SECOND).put(late)
    judge = StatedJudge()
    library.night(SECOND, judge)
    assert (CURATED.id, late.id) in judge.read


def test_a_paper_too_new_for_one_night_is_seen_by_a_later_one(library: Library) -> None:
    library.night(FIRST)
    early = paper_about("curated", "Contradicts", 40, published=StatedDate.day(THIRD))
    library.at(SECOND).put(early, paper_about("curated", "Supports", 41))
    judge = StatedJudge()
    library.night(SECOND, judge)
    assert (CURATED.id, early.id) not in judge.read
    library.at(THIRD).night(THIRD, judge)
    assert (CURATED.id, early.id) in judge.read


def test_claims_left_over_come_first_the_next_night_and_lose_no_paper(library: Library) -> None:
    for subject in SUBJECTS[1:5]:
        library.store.put_claim(claim_about(subject))
        library.put(paper_about(subject, "Supports", 1))
    judge = StatedJudge()
    first = library.night(FIRST, judge, max_claims=2)
    assert (first.cost.claims, first.cost.left) == (2, 4)
    again = library.night(FIRST, judge, max_claims=2)
    assert again == first
    library.at(SECOND).night(SECOND, judge, max_claims=2)
    library.at(THIRD).night(THIRD, judge, max_claims=2)
    assert all(library.store.verdicts(c.id) for c in library.store.claims())
    assert len(judge.read) == len(set(judge.read))


def test_a_new_paper_is_judged_however_many_held_ones_match_better(library: Library) -> None:
    library.put(*(alike(n) for n in range(100, 140)))
    library.put(paper_about("pruned", "Neutral", 2))
    library.night(FIRST, papers_per_claim=20)
    far = "Contradicts the view that models tuned on curated data match those tuned on more. Penguins, law and tides."
    worse = paper_about("curated", "Contradicts", 200, title="On tides", abstract=far)
    library.at(SECOND).put(worse)
    explained = explain(CURATED, library.parts(), library.index, SECOND, limit=20)
    assert worse.id not in {m.paper_id for m in explained.matches}
    assert (worse.id, "not judged") in {(m.paper_id, m.stance) for m in explained.beyond}
    judge = StatedJudge()
    digest = library.night(SECOND, judge, papers_per_claim=20)
    assert worse.id in {paper for claim, paper in judge.read if claim == CURATED.id}
    assert [g.paper_id for c in digest.contrary for g in c.grounds] == [worse.id]
    assert digest.waiting == ()


def test_new_papers_beyond_what_a_night_judges_are_told_and_wait_for_the_next_nights(library: Library) -> None:
    library.night(FIRST)
    library.at(SECOND).put(*(alike(n) for n in range(100, 125)))
    judge = StatedJudge()
    digest = library.night(SECOND, judge, papers_per_claim=10)
    assert [(w.claim_id, w.n_papers) for w in digest.waiting if w.claim_id == CURATED.id] == [(CURATED.id, 15)]
    assert library.night(SECOND, judge, papers_per_claim=10) == digest
    for format in ("md", "html"):
        assert "waits for the next nights" in render_digest(digest, format)
    third = library.at(THIRD).night(THIRD, judge, papers_per_claim=10)
    fourth = library.at(FOURTH).night(FOURTH, judge, papers_per_claim=10)
    assert [w.n_papers for d in (third, fourth) for w in d.waiting if w.claim_id == CURATED.id] == [5]
    read = [paper for claim, paper in judge.read if claim == CURATED.id]
    assert len(read) == len(set(read)) == 25


def test_a_claim_that_is_matched_in_full_loses_no_new_paper_either(library: Library) -> None:
    library.night(FIRST)
    library.at(SECOND).put(*(alike(n) for n in range(100, 125)))
    library.store.take_care(CURATED.id, forced=True)
    judge = StatedJudge()
    for day in (SECOND, THIRD, FOURTH):
        library.at(day).night(day, judge, papers_per_claim=10)
    assert len({paper for claim, paper in judge.read if claim == CURATED.id}) == 25


def test_a_claim_that_came_in_later_is_matched_against_the_whole_mirror(library: Library) -> None:
    library.put(paper_about("retrieved", "Supports", 1))
    library.night(FIRST)
    library.at(SECOND).store.put_claim(claim_about("retrieved"))
    digest = library.night(SECOND)
    assert [(c.claim_id, c.after) for c in digest.first] == [(claim_about("retrieved").id, VerdictKind.STANDS)]


def test_a_claim_whose_judge_fails_is_told_and_made_up_the_next_night(library: Library) -> None:
    digest = library.night(FIRST, StatedJudge(fails_on=[PRUNED.id]))
    assert kind(library) is VerdictKind.STANDS
    (problem,) = digest.problems
    assert problem.claim_id == PRUNED.id
    assert "budget" in problem.what
    judge = StatedJudge()
    assert library.at(SECOND).night(SECOND, judge).problems == ()
    assert (PRUNED.id, paper_about("pruned", "Neutral", 1).id) in judge.read


class Mute(StatedJudge):
    """A judge whose every answer was malformed."""

    def _one(self, claim: Claim, paper: Paper) -> Assessment:
        why = "could not judge: the model's answer was malformed twice"
        return Assessment(stance=Stance.NEUTRAL, confidence=0.0, unsure=True, explanation=why, judge=self.ref)


def test_papers_of_which_a_judge_gave_no_word_are_told_with_their_claim(library: Library) -> None:
    digest = library.night(FIRST, Mute())
    assert {p.where for p in digest.problems} == {"judge"}
    (told,) = (p.what for p in digest.problems if p.claim_id == PRUNED.id)
    assert "could not judge" in told and "malformed twice" in told
    text = render_digest(digest, "md")
    assert "next full match asks again" in text and "stay due" not in text
    assert library.night(FIRST, Mute()).problems == digest.problems


def test_a_defect_in_one_claim_stops_no_other(library: Library) -> None:
    class Broken(StatedJudge):
        def assess(self, claim: Claim, papers: Sequence[Paper]) -> list[Assessment]:
            if claim.id == CURATED.id:
                raise ZeroDivisionError("by a defect")
            return super().assess(claim, papers)

    digest = library.night(FIRST, Broken())
    assert [(p.claim_id, "a defect of retest" in p.what) for p in digest.problems] == [(CURATED.id, True)]
    assert kind(library, PRUNED.id) is VerdictKind.UNTESTED
    mended = library.night(FIRST)
    assert mended.problems == ()
    assert kind(library) is VerdictKind.STANDS


def test_a_claim_that_cannot_be_read_is_told_in_plain_words_and_stops_no_other(library: Library) -> None:
    whole = spoil(library.store, CLAIMS, PRUNED.id, '{"id": "pruned"}')
    digest = library.night(FIRST)
    assert [(p.claim_id, p.where) for p in digest.problems] == [(PRUNED.id, "claim")]
    assert "cannot be read: its `text` is missing" in digest.problems[0].what
    assert kind(library) is VerdictKind.STANDS
    assert library.night(FIRST) == digest
    lines = {line.claim_id: line for line in library.store.overview(night=FIRST)}
    assert (lines[PRUNED.id].asserted_on, lines[PRUNED.id].due) == ("?", (UNREADABLE,))
    spoil(library.store, CLAIMS, PRUNED.id, whole)
    assert library.night(FIRST).problems == ()
    assert kind(library, PRUNED.id) is VerdictKind.UNTESTED


def test_a_stance_that_cannot_be_read_is_told_with_its_claim_and_stops_no_other(library: Library) -> None:
    library.night(FIRST)
    first = library.store.evidence(CURATED.id)[0]
    library.at(SECOND).put(paper_about("curated", "Contradicts", 10), paper_about("pruned", "Supports", 10))
    whole = spoil(library.store, EVIDENCE, first.id, "half a li")
    digest = library.night(SECOND)
    (problem,) = digest.problems
    assert (problem.claim_id, "it is no whole JSON" in problem.what) == (CURATED.id, True)
    assert kind(library, PRUNED.id) is VerdictKind.STANDS
    spoil(library.store, EVIDENCE, first.id, whole)
    assert library.night(SECOND).problems == ()


def test_an_experiment_that_cannot_be_read_is_told_with_its_claim_and_stops_no_other(library: Library) -> None:
    held = an_experiment(PRUNED.id)
    library.store.put_experiment(held)
    whole = spoil(library.store, EXPERIMENTS, held.id, "half a li")
    digest = library.night(FIRST)
    assert {p.claim_id for p in digest.problems} == {PRUNED.id}
    assert all(held.id in p.what and "it is no whole JSON" in p.what for p in digest.problems)
    assert kind(library) is VerdictKind.STANDS
    assert library.night(FIRST) == digest
    spoil(library.store, EXPERIMENTS, held.id, whole)
    assert library.night(FIRST).problems == ()
    assert kind(library, PRUNED.id) is VerdictKind.UNTESTED


def spoil(store: Store, table: sa.Table, id: str, document: str) -> str:
    """Put something else where a row's JSON is held, as a faulty disk would, and give what was there."""
    with store.engine.begin() as connection:
        held: str = connection.execute(sa.select(table.c.document).where(table.c.id == id)).scalar_one()
        connection.execute(table.update().where(table.c.id == id).values(document=document))
    return held


def test_paused_claims_are_left_alone_and_pinned_ones_come_first(library: Library) -> None:
    library.store.take_care(CURATED.id, paused=True)
    library.store.take_care(PRUNED.id, pinned=True)
    plan = plan_night(library.store, FIRST)
    assert ([d.claim.id for d in plan.due], plan.paused) == ([PRUNED.id], [CURATED.id])
    library.night(FIRST)
    assert library.store.verdicts(CURATED.id) == []
    library.store.take_care(CURATED.id, paused=False)
    assert [d.claim.id for d in plan_night(library.store, SECOND, due_days=30).due] == [PRUNED.id, CURATED.id]


def test_a_forced_claim_is_matched_in_full_once(library: Library) -> None:
    library.night(FIRST)
    library.store.take_care(CURATED.id, forced=True)
    (forced,) = plan_night(library.store, FIRST).due
    assert (forced.claim.id, forced.full, forced.why) == (CURATED.id, True, ("forced",))
    library.night(FIRST)
    assert plan_night(library.store, FIRST).due == []


def test_a_claim_is_due_in_full_by_age(library: Library) -> None:
    library.night(FIRST)
    soon = plan_night(library.store, FIRST + timedelta(days=29))
    later = plan_night(library.store, FIRST + timedelta(days=30))
    assert {d.full for d in soon.due} == {False}
    assert {d.why for d in later.due} == {("last matched in full 30 days ago",)}


def test_people_are_told_the_same_reasons_as_the_night(library: Library) -> None:
    def same(night: date) -> dict[str, tuple[str, ...]]:
        told = why_due(library.store, night)
        assert told == {d.claim.id: d.why for d in plan_night(library.store, night).due}
        return told

    assert set(same(FIRST).values()) == {("never refreshed",)}
    library.night(FIRST)
    assert same(FIRST) == {}
    assert set(same(SECOND)) == {CURATED.id, PRUNED.id}
    library.store.take_care(PRUNED.id, paused=True)
    library.at(SECOND).put(paper_about("curated", "Supports", 1, withdrawn=True, withdrawn_because="wrong"))
    assert same(SECOND) == {CURATED.id: ("1 of its papers withdrawn",)}


def test_an_older_night_overrules_no_newer_verdict(library: Library) -> None:
    library.at(SECOND).night(SECOND)
    held = library.store.verdicts(CURATED.id)
    library.night(FIRST)
    assert library.store.verdicts(CURATED.id) == held


def test_an_empty_mirror_is_said_and_not_taken_for_nothing_new(store: Store, tmp_path: Path) -> None:
    store.put_claim(CURATED)
    library = Library(store, tmp_path)
    digest = library.night(FIRST)
    assert [p.where for p in digest.problems] == ["the mirror"]
    library.put(paper_about("curated", "Supports", 1))
    made_up = library.night(FIRST)
    assert made_up.problems == ()
    assert kind(library) is VerdictKind.STANDS


def test_a_night_that_could_look_nowhere_records_no_verdict(store: Store, tmp_path: Path) -> None:
    store.put_claim(CURATED)
    digest = Library(store, tmp_path).night(FIRST)
    assert (digest.first, store.verdicts(CURATED.id)) == ((), [])
    assert [line.kind for line in store.overview()] == [None]


def records(stance: str, *ns: int) -> list[Record]:
    made = [paper_about("curated", stance, n) for n in ns]
    return [
        Record(p.id, SECOND, title=p.title, abstract=p.abstract or "", created=SECOND, authors=((f"A{p.id}", "B"),))
        for p in made
    ]


def test_a_night_harvests_once_whatever_the_number_of_claims(library: Library) -> None:
    library.night(FIRST)
    with OaiServer(records("Contradicts", *range(10, 18)), today=THIRD) as server:
        digest = library.at(SECOND).night(SECOND, oai_url=server.url)
        asked = len(server.requests)
        library.night(SECOND, oai_url=server.url)
        assert (asked, len(server.requests)) == (1, 1)
    assert (digest.cost.requests, digest.cost.new_papers) == (1, 8)
    assert [c.after for c in digest.changes] == [VerdictKind.OVERTURNED]


def test_a_throttled_arxiv_is_told_and_the_night_goes_on_with_what_is_held(library: Library) -> None:
    library.night(FIRST)
    library.at(SECOND).put(paper_about("curated", "Qualifies", 60))
    with OaiServer(records("Contradicts", *range(10, 18)), today=THIRD) as server:
        server.play(refuse(503), refuse(503))
        digest = library.night(SECOND, oai_url=server.url, harvest_tries=2)
        assert [(p.where, "throttling" in p.what) for p in digest.problems] == [("arXiv", True)]
        assert digest.cost.pairs_judged >= 1
        made_up = library.at(THIRD).night(THIRD, oai_url=server.url)
    assert made_up.problems == ()
    assert [c.after for c in made_up.changes] == [VerdictKind.OVERTURNED]


def test_a_digest_is_held_for_every_night(library: Library) -> None:
    told = [library.at(day).night(day) for day in (FIRST, SECOND)]
    held = [Digest.model_validate_json(night.digest or "") for night in library.store.nights()]
    assert held == told[::-1]


def test_an_earlier_night_that_is_run_again_stays_as_it_was_told(library: Library) -> None:
    first = library.night(FIRST)
    library.at(SECOND).put(*(paper_about("curated", "Contradicts", n) for n in range(10, 14)))
    second = library.night(SECOND)
    library.store.put_claim(claim_about("retrieved"))
    library.put(*(paper_about("curated", "Contradicts", n) for n in range(20, 24)))
    judge = StatedJudge()
    assert library.at(THIRD).night(FIRST, judge) == first
    assert judge.read == []
    held = library.store.nights()
    assert [Digest.model_validate_json(night.digest or "") for night in held] == [second, first]
    third = library.night(THIRD)
    assert third.since == SECOND
    assert [c.claim_id for c in third.first] == [claim_about("retrieved").id]


def test_an_earlier_night_that_is_made_up_later_is_not_the_last_one_and_tells_nothing_twice(library: Library) -> None:
    library.store.begin_night(SECOND, first_state(library.store, SECOND).model_dump_json())  # and was killed
    library.at(THIRD).put(*(paper_about("curated", "Supports", n) for n in range(10, 14)))
    told = library.night(THIRD)
    assert told.first
    for day in (FIRST, SECOND):
        made_up = library.night(day)
        assert (made_up.is_quiet, made_up.cost.pairs_judged) == (True, 0)
        assert made_up.since is None
    assert [night.night for night in library.store.nights()] == [THIRD, SECOND, FIRST]
    assert library.at(FOURTH).night(FOURTH).since == THIRD


def test_a_disk_that_fills_up_ends_the_night_with_a_digest_that_says_so(library: Library) -> None:
    store = library.store

    class OnAFullDisk(StatedJudge):
        def assess(self, claim: Claim, papers: Sequence[Paper]) -> list[Assessment]:
            @sa.event.listens_for(store.engine, "begin")
            def full(connection: sa.Connection) -> None:
                pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
                connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")

            long = {"explanation": "x" * 300_000}
            return [given.model_copy(update=long) for given in super().assess(claim, papers)]

    digest = library.night(FIRST, OnAFullDisk())
    assert any(p.where == "the store" and "full" in p.what for p in digest.problems)


def test_missed_nights_are_told_and_made_up(library: Library) -> None:
    library.night(FIRST)
    library.at(SECOND).put(*(paper_about("curated", "Contradicts", n) for n in range(10, 18)))
    later = FIRST + timedelta(days=4)
    digest = library.at(later).night(later)
    assert digest.since == FIRST
    assert "3 nights were missed" in render_digest(digest)
    assert [c.after for c in digest.changes] == [VerdictKind.OVERTURNED]


def test_a_night_waits_out_a_database_that_another_process_keeps_locked(sqlite_url: str, tmp_path: Path) -> None:
    with Store.open(sqlite_url, busy_timeout_s=0.1) as store, Store.open(sqlite_url) as other:
        library = filled(store, tmp_path)
        waited: list[float] = []
        with ExitStack() as lock:
            lock.enter_context(other.door.writing("claims"))

            def sleep(seconds: float) -> None:
                waited.append(seconds)
                lock.close()

            digest = library.night(FIRST, sleep=sleep)
        assert waited
        assert digest.problems == ()
        assert kind(library) is VerdictKind.STANDS


def test_a_night_in_which_everything_fails_lists_so_many_problems_and_says_that_there_are_more(
    library: Library,
) -> None:
    library.night(FIRST)
    library.store.begin_night(SECOND, first_state(library.store, SECOND).model_dump_json())
    many = [Problem(where="claim", what="no", claim_id=f"other-{n:06d}") for n in range(MOST_PROBLEMS)]
    library.store.change_night(
        SECOND,
        lambda state: NightState.model_validate_json(state).model_copy(update={"problems": many}).model_dump_json(),
    )
    library.at(SECOND).put(paper_about("curated", "Supports", 3))
    failed = library.night(SECOND, StatedJudge(fails_on=[CURATED.id]))
    assert len(failed.problems) == MOST_PROBLEMS + 1
    assert "`retest due`" in failed.problems[-1].what
    library.store.change_night(
        SECOND,
        lambda state: NightState.model_validate_json(state).model_copy(update={"problems": []}).model_dump_json(),
    )
    assert library.night(SECOND).problems == ()
