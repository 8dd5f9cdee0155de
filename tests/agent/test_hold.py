"""A claim's thread: what is sent to the lab, what is asked first, what is recorded, and no failure stops another."""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.sqlite import SqliteSaver

from agent.errors import BudgetSpent, LabUnreachable, SourceUnreachable
from agent.graph.parts import Parts, Step
from agent.graph.state import Job
from agent.hold import hold
from agent.main_job import Done, Wish, experiment_for, run_inquiry
from agent.settings import Settings
from agent.wiring import open_checkpoints
from claims.claim import Claim, Scale, Scope
from claims.clock import FrozenClock
from claims.dates import StatedDate
from claims.evidence import Assessment, JudgeName, JudgeRef, Quote, Stance
from claims.experiment import (
    Estimate,
    ExperimentResult,
    ExperimentView,
    Outcome,
    PreRegistration,
    Progress,
    ProtocolView,
    RunState,
    Submission,
)
from claims.inquiry import Inquiry
from claims.paper import Paper, Source, TextField
from claims.store import Store
from claims.verdict import VerdictKind
from tests.fakes import ListSource

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)

PREREGISTRATION = PreRegistration(
    hypothesis="h",
    prediction="p",
    arms=("a", "b"),
    primary_metric="score",
    contrast="a - b",
    smallest_effect=0.05,
    smallest_effect_because="r",
    alpha=0.05,
    max_seeds=40,
    equalised="steps",
    positive_control="c",
    null_arm="n",
)


class KeywordJudge:
    """Says `contradicts` where the abstract says "does not", else neutral."""

    ref = JudgeRef(name=JudgeName.LOCAL, version="keyword")
    at_once = 8

    def assess(self, claim: Claim, papers: Sequence[Paper]) -> list[Assessment]:
        return [self._one(paper) for paper in papers]

    def _one(self, paper: Paper) -> Assessment:
        at = (paper.abstract or "").find("does not")
        if at < 0:
            return Assessment(stance=Stance.NEUTRAL, confidence=0.9, judge=self.ref)
        quote = Quote.cut(paper, TextField.ABSTRACT, at, at + 8)
        return Assessment(stance=Stance.CONTRADICTS, confidence=0.9, quotes=(quote,), judge=self.ref)


class PoorJudge(KeywordJudge):
    """Has money for some papers, one at a time."""

    at_once = 1

    def __init__(self, n_papers: int) -> None:
        self.left = n_papers

    def assess(self, claim: Claim, papers: Sequence[Paper]) -> list[Assessment]:
        self.left -= 1
        if self.left < 0:
            raise BudgetSpent("the budget of $0.10 is spent")
        return super().assess(claim, papers)


class FakeLab:
    """A lab in memory: an experiment that it takes in has its outcome at once."""

    def __init__(self, outcome: Outcome = Outcome.REFUTES, failure: Exception | None = None) -> None:
        self.submitted: list[Submission] = []
        self._outcome, self._failure = outcome, failure

    def submit(self, submission: Submission) -> ExperimentView:
        if self._failure:
            raise self._failure
        self.submitted.append(submission)
        return self._view(submission, RunState.QUEUED, None)

    def wait(self, experiment_id: str, on_progress: Callable[[Progress], None] | None = None) -> ExperimentView:
        (submission,) = [s for s in self.submitted if s.spec.id == experiment_id]
        estimate = Estimate(
            name="a - b",
            effect=-0.2,
            low=-0.3,
            high=-0.1,
            alpha=0.05,
            n_seeds=submission.n_seeds,
            method="betting",
            smallest_effect=0.05,
        )
        result = ExperimentResult(outcome=self._outcome, reason="-0.20", primary=estimate, scale_params=120_000)
        return self._view(submission, RunState.SUCCEEDED, result)

    def _view(self, submission: Submission, state: RunState, result: ExperimentResult | None) -> ExperimentView:
        return ExperimentView(
            id=submission.spec.id,
            spec=submission.spec,
            state=state,
            submitted_at=NOON,
            preregistration=PREREGISTRATION,
            result=result,
        )


def protocol(seconds_per_seed: float) -> ProtocolView:
    return ProtocolView(
        name="data-quantity",
        version=1,
        title="t",
        family="f",
        profiles=("tiny",),
        preregistration=PREREGISTRATION,
        seconds_per_seed={"tiny": seconds_per_seed},
    )


def claim(id: str, family: str | None = "data-quantity", text: str = "A thousand curated examples suffice.") -> Claim:
    return Claim(
        id=id, text=text, asserted_on=StatedDate.parse("2024-05"), scope=Scope(family=family, scale=Scale.LARGE)
    )


def inquiry(*claims: Claim) -> Inquiry:
    return Inquiry(id="inq-000000000001", question="How much?", claims=claims, anchors=())


def paper(n: int, abstract: str) -> Paper:
    return Paper(
        id=f"2506.{n:05}",
        title=f"Curated examples {n}",
        abstract=abstract,
        authors=(f"Author Number{n}",),
        published=StatedDate.parse(f"2025-06-{n:02}"),
        source=Source.ARXIV,
    )


PAPERS = [
    paper(1, "We find that a thousand curated examples does not suffice."),
    paper(2, "Scaling curated examples does not saturate at a thousand."),
    paper(3, "A survey of curated examples."),
]


@pytest.fixture
def saver(tmp_path: Path) -> Iterator[BaseCheckpointSaver[str]]:
    with open_checkpoints(Settings(home=tmp_path / "checkpoints")) as opened:
        yield opened


class Held:
    """A store and the parts around it."""

    def __init__(self, store: Store, saver: BaseCheckpointSaver[str], locks: Path) -> None:
        self.store, self.saver, self.locks = store, saver, locks
        self.steps: list[Step] = []

    def run(
        self,
        asked: Inquiry,
        *,
        source: Any = None,
        lab: FakeLab | None = None,
        seconds_per_seed: float = 10,
        approve: Callable[[dict[str, Any]], bool] = lambda question: False,
        judge: KeywordJudge | None = None,
        day: date = date(2026, 6, 1),
        **wish: Any,
    ) -> Done:
        parts = Parts(
            store=self.store,
            sources={Source.ARXIV: source or ListSource(PAPERS, name=Source.ARXIV, complete=True)},
            judge=judge or KeywordJudge(),
            clock=FrozenClock(NOON),
            lab=lab,  # type: ignore[arg-type]  # it answers what the graph asks
            no_lab_because="the lab is gone",
            protocols={"data-quantity": protocol(seconds_per_seed)} if lab else None,
            watch=self.steps.append,
        )
        given = Wish(as_of=day, sources=(Source.ARXIV,), seeds=4, **wish)
        return run_inquiry(asked, given, parts, self.saver, locks=self.locks, approve=approve)


@pytest.fixture
def held(tmp_path: Path, saver: BaseCheckpointSaver[str]) -> Iterator[Held]:
    with Store.open(f"sqlite:///{tmp_path / 'store.sqlite3'}", clock=FrozenClock(NOON)) as store:
        yield Held(store, saver, tmp_path / "locks")


def test_newer_contradictions_by_independent_authors_overturn_a_claim(held: Held) -> None:
    done = held.run(inquiry(claim("curated")), use_lab=False)
    (dossier,) = done.dossier.claims
    assert dossier.current is not None
    assert dossier.current.verdict.kind is VerdictKind.OVERTURNED
    assert len([e for e in dossier.evidence if e.kind == "paper"]) == 3


def test_a_source_that_is_away_is_recorded_as_not_looked_and_the_run_says_so(held: Held) -> None:
    away = ListSource([], name=Source.ARXIV, failure=SourceUnreachable("arxiv", "no route"))
    done = held.run(inquiry(claim("curated")), source=away, use_lab=False)
    assert done.nowhere
    assert "no route" in done.could_not_look["arxiv"]
    assert all(search.n_found is None for search in done.dossier.claims[0].searches)


def test_papers_that_a_spent_budget_left_unjudged_are_counted_and_the_rest_decides(held: Held) -> None:
    done = held.run(inquiry(claim("curated")), judge=PoorJudge(2), use_lab=False)
    (outcome,) = done.outcomes
    assert outcome.unjudged == "could not judge 1 paper: the budget of $0.10 is spent"
    assert (done.unjudged, done.judged_none) == (True, False)
    assert done.dossier.claims[0].current is not None


def test_a_judge_that_judges_nothing_leaves_no_verdict_and_moves_none(held: Held) -> None:
    asked = inquiry(claim("curated"))
    done = held.run(asked, judge=PoorJudge(0), use_lab=False)
    assert done.judged_none
    assert done.dossier.claims[0].current is None
    before = held.run(asked, use_lab=False).dossier.claims[0].current
    later = ListSource([*PAPERS, paper(4, "Curated examples again.")], name=Source.ARXIV, complete=True)
    after = held.run(asked, source=later, judge=PoorJudge(0), use_lab=False, day=date(2026, 6, 9))
    assert before is not None and after.dossier.claims[0].current == before


def test_the_experiment_is_sent_once_and_its_outcome_is_evidence_with_the_scope_that_was_run(held: Held) -> None:
    lab = FakeLab()
    done = held.run(inquiry(claim("curated")), lab=lab)
    assert [s.n_seeds for s in lab.submitted] == [4]
    (evidence,) = [e for e in done.dossier.claims[0].evidence if e.kind == "experiment"]
    assert evidence.outcome is Outcome.REFUTES
    assert evidence.scope.scale is Scale.TOY


def test_a_toy_experiment_alone_does_not_overturn_a_claim_about_large_models(held: Held) -> None:
    nothing = ListSource([], name=Source.ARXIV, complete=True)
    done = held.run(inquiry(claim("curated")), source=nothing, lab=FakeLab())
    assert done.dossier.claims[0].current is not None
    assert done.dossier.claims[0].current.verdict.kind is not VerdictKind.OVERTURNED


@pytest.mark.parametrize(
    ("asked", "options", "said"),
    [
        (claim("other", family=None), {"lab": FakeLab()}, "no protocol"),
        (claim("gap", family="verification-gap"), {"lab": FakeLab()}, "does not offer verification-gap"),
        (claim("curated"), {"use_lab": False}, "--no-lab"),
        (claim("curated"), {}, "the lab is gone"),
        (claim("curated"), {"lab": FakeLab(), "experiments": 0}, "--experiments"),
        (claim("curated"), {"lab": FakeLab(), "profile": "huge"}, "no profile huge"),
        (claim("curated"), {"lab": FakeLab(failure=LabUnreachable("refused"))}, "refused"),
    ],
)
def test_the_report_says_why_there_is_no_experiment(
    held: Held, asked: Claim, options: dict[str, Any], said: str
) -> None:
    done = held.run(inquiry(asked), **options)
    (dossier,) = done.dossier.claims
    assert dossier.no_experiment_because is not None
    assert said in dossier.no_experiment_because
    assert dossier.current is not None


def test_a_long_experiment_asks_first_and_is_not_started_without_a_yes(held: Held) -> None:
    lab, asked = FakeLab(), []

    def refuse(question: dict[str, Any]) -> bool:
        asked.append(question["question"])
        return False

    done = held.run(inquiry(claim("curated")), lab=lab, seconds_per_seed=3600, approve=refuse)
    assert lab.submitted == []
    assert "takes about 240 minutes; the limit without asking is 30 minutes" in asked[0]
    assert "How many seeds decide was never measured" in asked[0]
    assert "nobody approved" in (done.dossier.claims[0].no_experiment_because or "")


def test_an_approved_or_pre_approved_long_experiment_is_started(held: Held) -> None:
    lab = FakeLab()
    held.run(inquiry(claim("curated")), lab=lab, seconds_per_seed=3600, approve=lambda question: True)
    held.run(inquiry(claim("again")), lab=lab, seconds_per_seed=3600, yes=True)
    assert len(lab.submitted) == 2


def test_one_claim_that_fails_stops_no_other_and_is_taken_up_by_the_next_run(held: Held) -> None:
    class Broken(ListSource):
        def search(self, query: Any, **window: Any) -> Any:
            if "poison" in query.text:
                raise ZeroDivisionError("a defect")
            return super().search(query, **window)

    asked = inquiry(claim("good"), claim("bad", text="Only poison suffices."))
    done = held.run(asked, source=Broken(PAPERS, name=Source.ARXIV, complete=True), use_lab=False)
    errors = {outcome.claim_id: outcome.error for outcome in done.outcomes}
    assert errors["good"] is None
    assert "ZeroDivisionError" in (errors["bad"] or "")

    again = held.run(asked, use_lab=False)
    assert again.pass_id == done.pass_id
    assert all(outcome.error is None for outcome in again.outcomes)


def test_undecided_claims_get_their_experiment_before_decided_ones(held: Held) -> None:
    lab = FakeLab(Outcome.SUPPORTS)
    first, second = claim("first"), claim("second")
    held.run(inquiry(first), lab=lab)
    held.store.put_claim(second)
    parts = Parts(
        store=held.store,
        sources={},
        judge=KeywordJudge(),
        clock=FrozenClock(NOON),
        protocols={"data-quantity": protocol(1)},
    )
    assert experiment_for([first, second], parts, 1) == ["second"]


def test_a_thread_that_died_behind_any_checkpoint_goes_on_to_the_same_verdict(
    held: Held, saver: BaseCheckpointSaver[str]
) -> None:
    assert isinstance(saver, SqliteSaver)
    held.run(inquiry(claim("curated")), use_lab=False)
    (before,) = held.store.verdicts("curated")
    (thread,) = {row[0] for row in saver.conn.execute("SELECT thread_id FROM checkpoints")}
    job: Job = {
        "pass_id": thread.partition("@")[2],
        "as_of": "2026-06-01",
        "sources": ["arxiv"],
        "use_lab": False,
        "profile": "tiny",
        "seeds": 4,
        "yes": False,
        "papers_per_claim": 120,
        "experiment_for": [],
    }
    parts = Parts(
        store=held.store,
        sources={Source.ARXIV: ListSource(PAPERS, name=Source.ARXIV, complete=True)},
        judge=KeywordJudge(),
        clock=FrozenClock(NOON),
    )
    (n_checkpoints,) = saver.conn.execute("SELECT count(*) FROM checkpoints").fetchone()
    for lost in range(1, n_checkpoints + 1):
        # What a kill leaves: the results of a step are saved, and the checkpoint behind it is not.
        saver.conn.execute(
            "DELETE FROM checkpoints WHERE checkpoint_id IN "
            "(SELECT checkpoint_id FROM checkpoints ORDER BY checkpoint_id DESC LIMIT ?)",
            (lost,),
        )
        saver.conn.commit()
        (outcome,) = hold([claim("curated")], job, parts, saver, locks=held.locks)
        assert outcome.error is None
        assert outcome.state["verdict_id"] == before.id, f"with the last {lost} checkpoints lost"
    assert [v.id for v in held.store.verdicts("curated")] == [before.id]
