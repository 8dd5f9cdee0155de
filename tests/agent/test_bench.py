"""The benchmark measures; it never lets a label reach what judges."""

import json
from collections.abc import Sequence
from datetime import date

import pytest

from agent.bench import read_lines, run_bench
from agent.errors import BudgetSpent
from agent.judges.local import local_judge
from agent.sources.source import LookedUp
from claims.claim import Claim
from claims.errors import InputError
from claims.evidence import Assessment, Quote, Stance
from claims.paper import Paper, TextField
from claims.verdict import VerdictKind, decide
from tests.factories import LOCAL, a_paper


class Shelf:
    """Papers in a dictionary."""

    def __init__(self, *papers: Paper) -> None:
        self.held = {p.id: p for p in papers}

    def look_up(self, ids: list[str]) -> LookedUp:
        return LookedUp({i: self.held[i] for i in ids if i in self.held})


class ScriptedJudge:
    """Says what it was told to, and remembers all that it was shown."""

    ref = LOCAL

    def __init__(self, said: dict[str, Stance]) -> None:
        self.said = said
        self.shown: list[str] = []

    def assess(self, claim: Claim, papers: Sequence[Paper]) -> list[Assessment]:
        self.shown += [claim.model_dump_json(), *(p.model_dump_json() for p in papers)]
        out = []
        for p in papers:
            stance = self.said[p.id]
            quotes = () if stance is Stance.NEUTRAL else (Quote.cut(p, TextField.TITLE, 0, 9),)
            out.append(Assessment(stance=stance, confidence=0.9, quotes=quotes, judge=self.ref))
        return out


A, B, C = (
    a_paper(f"2501.0000{i}", authors=(f"Author {i}",), published="2025-01-02", title=f"On models, part {i}")
    for i in (1, 2, 3)
)


def line(claim_id: str = "c1", verdict: str = "stands", **stances: str) -> str:
    """A labelled claim over the papers above."""
    given = stances or {"A": "supports", "B": "supports", "C": "neutral"}
    ids = {"A": A.id, "B": B.id, "C": C.id, "GONE": "2501.99999"}
    evidence = [
        {"arxiv_id": ids[k], "published": "1999-01", "stance": v, "quote": "SECRET-QUOTE", "note": "SECRET-NOTE"}
        for k, v in given.items()
    ]
    return json.dumps(
        {
            "claim_id": claim_id,
            "text": "Small sets match large ones.",
            "asserted_on": "2023-05",
            "as_of": "2026-06",
            "topic": "SECRET-TOPIC",
            "evidence": evidence,
            "verdict": verdict,
            "rationale": "SECRET-RATIONALE",
        }
    )


def test_a_perfect_judge_scores_one() -> None:
    judge = ScriptedJudge({A.id: Stance.SUPPORTS, B.id: Stance.SUPPORTS, C.id: Stance.NEUTRAL})
    report = run_bench([line()], Shelf(A, B, C), judge, decide)
    assert report.stances is not None and report.stances.macro_f1 == 1.0
    assert report.stances.called_precision == 1.0
    assert report.verdicts is not None and report.verdicts.accuracy == 1.0
    assert report.disagreements == ()


def test_labels_never_reach_the_judge() -> None:
    judge = ScriptedJudge({A.id: Stance.NEUTRAL, B.id: Stance.NEUTRAL, C.id: Stance.NEUTRAL})
    run_bench(
        [line(verdict="overturned", A="contradicts", B="contradicts", C="neutral")], Shelf(A, B, C), judge, decide
    )
    shown = " ".join(judge.shown)
    assert not any(word in shown for word in ("SECRET", "contradicts", "overturned", "1999"))


def test_other_labels_give_the_same_predictions() -> None:
    def predicted(**stances: str) -> list[str]:
        judge = ScriptedJudge({A.id: Stance.SUPPORTS, B.id: Stance.NEUTRAL, C.id: Stance.QUALIFIES})
        return run_bench([line(**stances)], Shelf(A, B, C), judge, decide).lines()

    assert predicted(A="supports", B="neutral", C="neutral") == predicted(A="contradicts", B="qualifies", C="supports")


def test_predictions_are_written_as_the_architecture_says() -> None:
    judge = ScriptedJudge({A.id: Stance.SUPPORTS, B.id: Stance.NEUTRAL, C.id: Stance.NEUTRAL})
    written = [json.loads(x) for x in run_bench([line()], Shelf(A, B, C), judge, decide).lines()]
    assert written[0] == {
        "claim_id": "c1",
        "arxiv_id": A.id,
        "stance": "supports",
        "confidence": 0.9,
        "quote": "On models",
    }
    assert [set(w) for w in written[:3]] == [{"claim_id", "arxiv_id", "stance", "confidence", "quote"}] * 3
    assert set(written[3]) == {"claim_id", "verdict", "changed_by"}


def test_a_paper_that_no_source_holds_is_named_and_never_trusted() -> None:
    judge = ScriptedJudge({A.id: Stance.SUPPORTS})
    report = run_bench([line(A="supports", GONE="supports")], Shelf(A), judge, decide)
    assert report.missing == ("2501.99999",)
    gone = report.stance_predictions[1]
    assert (gone.stance, gone.confidence, gone.quote) == (Stance.NEUTRAL, 0.0, "")


def test_a_wrong_verdict_is_listed_with_the_stances_that_caused_it() -> None:
    judge = ScriptedJudge({A.id: Stance.NEUTRAL, B.id: Stance.NEUTRAL, C.id: Stance.NEUTRAL})
    report = run_bench([line()], Shelf(A, B, C), judge, decide)
    (wrong,) = report.disagreements
    assert (wrong.labelled, wrong.predicted) == (VerdictKind.STANDS, VerdictKind.UNTESTED)
    assert wrong.wrong_stances == (f"{A.id}: supports -> neutral", f"{B.id}: supports -> neutral")


def test_trivial_baselines_stand_beside_the_judge() -> None:
    judge = ScriptedJudge({A.id: Stance.SUPPORTS, B.id: Stance.SUPPORTS, C.id: Stance.NEUTRAL})
    lines = [line("c1"), line("c2", verdict="overturned", A="contradicts", B="contradicts", C="neutral")]
    report = run_bench(lines, Shelf(A, B, C), judge, decide)
    by_name = {f.name: f for f in report.stance_baselines}
    assert set(by_name) == {"always neutral", "majority", "claim's year only", "always supports"}
    assert by_name["always neutral"].called == 0 and by_name["always neutral"].called_precision is None
    assert by_name["always supports"].called_precision == pytest.approx(2 / 6)
    assert {f.name for f in report.verdict_baselines} == {"majority", "claim's year only", "stance count"}
    assert report.contradicts is not None and report.contradicts.n == 2 and report.contradicts.called == 0


def test_unlabelled_claims_are_predicted_and_not_scored() -> None:
    bare = json.loads(line())
    for e in bare["evidence"]:
        del e["stance"]
    del bare["verdict"]
    judge = ScriptedJudge({A.id: Stance.SUPPORTS, B.id: Stance.SUPPORTS, C.id: Stance.NEUTRAL})
    report = run_bench([json.dumps(bare)], Shelf(A, B, C), judge, decide)
    assert report.stances is None and report.verdicts is None
    assert len(report.lines()) == 4


class PoorJudge(ScriptedJudge):
    """Runs out of money after some claims."""

    def __init__(self, said: dict[str, Stance], n_claims: int) -> None:
        super().__init__(said)
        self.left = n_claims

    def assess(self, claim: Claim, papers: Sequence[Paper]) -> list[Assessment]:
        self.left -= 1
        if self.left < 0:
            raise BudgetSpent("the budget of $0.10 is spent")
        return super().assess(claim, papers)


def test_a_spent_budget_leaves_the_figures_of_the_claims_before_it() -> None:
    said = {A.id: Stance.SUPPORTS, B.id: Stance.SUPPORTS, C.id: Stance.NEUTRAL}
    lines = [line("c1"), line("c2", A="contradicts", GONE="supports"), line("c3")]
    report = run_bench(lines, Shelf(A, B, C), PoorJudge(said, 1), decide)
    assert (report.n_claims, report.n_asked, report.n_pairs) == (1, 3, 3)
    assert report.partial == "the budget of $0.10 is spent"
    assert report.missing == ()
    assert report.stances is not None and report.stances.macro_f1 == 1.0
    assert {p.claim_id for p in report.verdict_predictions} == {"c1"}
    with pytest.raises(BudgetSpent):
        run_bench(lines, Shelf(A, B, C), PoorJudge(said, 0), decide)


@pytest.mark.parametrize("lines", [[], ["", "  "]])
def test_a_file_without_claims_is_refused(lines: list[str]) -> None:
    with pytest.raises(InputError, match="no labelled claim"):
        read_lines(lines)


@pytest.mark.parametrize("text", ["{", "[]", '{"claim_id": "c"}', line().replace("supports", "applauds")])
def test_a_line_that_is_no_labelled_claim_is_named_by_its_number(text: str) -> None:
    with pytest.raises(InputError, match="line 2 "):
        read_lines([line("c0"), text])


def test_as_of_is_the_last_day_that_the_file_means() -> None:
    asked, _ = read_lines([line()])
    assert asked[0].as_of == date(2026, 6, 30)


def test_the_shipped_judge_runs_the_benchmark() -> None:
    report = run_bench([line()], Shelf(A, B, C), local_judge(), decide)
    assert report.n_pairs == 3 and report.judge.startswith("local ")
