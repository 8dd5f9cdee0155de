"""Measures stances and verdicts against labelled claims, beside trivial baselines (`retest bench FILE.jsonl`).

The labels are taken off before anything is judged: the judge gets claims and papers, the rule gets evidence, and only
the scoring at the end sees both. A paper that no source holds is predicted neutral with confidence 0 and counted.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime
from typing import Any, NamedTuple, Protocol

from pydantic import BaseModel, ConfigDict, ValidationError

from agent.errors import BudgetSpent
from agent.judges import metrics
from agent.judges.judge import Judge
from agent.judges.metrics import Figures
from agent.sources.source import LookedUp
from claims.claim import Claim, Scope
from claims.dates import StatedDate
from claims.errors import InputError
from claims.evidence import Evidence, PaperEvidence, Quote, Stance
from claims.paper import TextField
from claims.verdict import Verdict, VerdictKind

VERDICTS = tuple(VerdictKind)


class LooksUp(Protocol):
    """Anything that gives papers by id; every source does."""

    def look_up(self, ids: list[str]) -> LookedUp:
        """Get papers by id, without version."""
        ...


Decide = Callable[[Claim, Sequence[Evidence], date], Verdict]
"""The verdict rule."""


class Asked(NamedTuple):
    """What judging may see of a labelled line."""

    claim: Claim
    arxiv_ids: tuple[str, ...]
    as_of: date | None
    """None when the line names none: then the newest paper's last day counts"""


class Labels(NamedTuple):
    """What only scoring may see of it."""

    stances: tuple[Stance | None, ...]
    """in the order of the ids; None where the line has none"""
    verdict: VerdictKind | None


class StancePrediction(BaseModel):
    """One line of the predictions file for one evidence id."""

    model_config = ConfigDict(frozen=True)

    claim_id: str
    arxiv_id: str
    stance: Stance
    confidence: float
    quote: str


class VerdictPrediction(BaseModel):
    """One line of the predictions file for one claim."""

    model_config = ConfigDict(frozen=True)

    claim_id: str
    verdict: VerdictKind
    changed_by: tuple[str, ...]
    """arXiv ids"""


class Disagreement(BaseModel):
    """A verdict that differs from its label, with the evidence that caused it."""

    model_config = ConfigDict(frozen=True)

    claim_id: str
    text: str
    labelled: VerdictKind
    predicted: VerdictKind
    reason: str
    wrong_stances: tuple[str, ...]
    """`arXiv id: labelled -> predicted`"""


class BenchReport(BaseModel):
    """Everything that one run of the benchmark found."""

    model_config = ConfigDict(frozen=True)

    judge: str
    n_asked: int
    """claims in the file"""
    n_claims: int
    """claims that were judged whole; all figures are of these"""
    partial: str | None
    """why those are not all of the file; None when they are"""
    n_pairs: int
    missing: tuple[str, ...]
    """ids that no source holds; their stance was predicted neutral with confidence 0"""
    unsure: int
    """pairs on which the judge abstained"""
    discarded_quotes: int
    stances: Figures | None
    """None when the file labels no stance"""
    contradicts: metrics.ClassFigures | None
    """reported apart: the costliest stance to get wrong"""
    stance_baselines: tuple[Figures, ...]
    verdicts: Figures | None
    """None when the file labels no verdict"""
    verdict_baselines: tuple[Figures, ...]
    verdicts_from_labels: Figures | None
    """the same rule given the labelled stances: what a perfect judge would reach"""
    disagreements: tuple[Disagreement, ...]
    stance_predictions: tuple[StancePrediction, ...]
    verdict_predictions: tuple[VerdictPrediction, ...]

    def lines(self) -> list[str]:
        """Give the predictions, one JSON document a line, each claim's stances before its verdict."""
        out: list[str] = []
        for verdict in self.verdict_predictions:
            out += [p.model_dump_json() for p in self.stance_predictions if p.claim_id == verdict.claim_id]
            out.append(verdict.model_dump_json())
        return out


def read_lines(lines: Iterable[str]) -> tuple[list[Asked], list[Labels]]:
    """Take labelled claims apart into what may be seen while judging and what may not. Raises InputError by line."""
    asked: list[Asked] = []
    labels: list[Labels] = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            raw: dict[str, Any] = json.loads(line)
            evidence = raw["evidence"]
            claim = Claim(
                id=raw["claim_id"],
                text=" ".join(raw["text"].split()),
                asserted_on=StatedDate.parse(raw["asserted_on"]),
                scope=Scope(),
            )
            ids = tuple(str(e["arxiv_id"]) for e in evidence)
            as_of = _last_day(raw["as_of"]) if raw.get("as_of") else None
            stances = tuple(Stance(e["stance"]) if e.get("stance") else None for e in evidence)
            verdict = VerdictKind(raw["verdict"]) if raw.get("verdict") else None
        except (KeyError, TypeError, AttributeError, ValueError, ValidationError, InputError) as exc:
            raise InputError(f"line {number} is not a labelled claim: {exc}") from exc
        asked.append(Asked(claim, ids, as_of))
        labels.append(Labels(stances, verdict))
    if not asked:
        raise InputError("the file holds no labelled claim")
    if len({a.claim.id for a in asked}) != len(asked):
        raise InputError("a claim id occurs twice in the file")
    return asked, labels


def run_bench(lines: Iterable[str], papers: LooksUp, judge: Judge, decide: Decide) -> BenchReport:
    """Judge every pair, decide every claim, then score. Raises InputError (malformed file) and what judges raise.

    A budget that is spent ends it before the claim that was not judged whole; with no claim before, BudgetSpent is
    raised.
    """
    asked, labels = read_lines(lines)
    wanted = sorted({i for a in asked for i in a.arxiv_ids})
    held = papers.look_up(wanted).papers
    stance_lines: list[StancePrediction] = []
    verdict_lines: list[VerdictPrediction] = []
    verdicts: list[Verdict] = []
    gold: list[Verdict] = []
    unsure = discarded = 0
    n_asked, partial = len(asked), None
    for item, label in zip(asked, labels, strict=True):
        there = [held[i] for i in dict.fromkeys(item.arxiv_ids) if i in held]
        try:
            assessed = dict(zip((p.id for p in there), judge.assess(item.claim, there), strict=True))
        except BudgetSpent as exc:
            if not verdicts:
                raise
            partial = str(exc)
            break
        unsure += sum(a.unsure for a in assessed.values())
        discarded += sum(a.discarded_quotes for a in assessed.values())
        as_of = item.as_of or max((p.published.end for p in there), default=date.max)
        evidence = [
            PaperEvidence.of(item.claim.id, p, assessed[p.id], datetime(as_of.year, as_of.month, as_of.day, tzinfo=UTC))
            for p in there
        ]
        verdict = decide(item.claim, evidence, as_of)
        verdicts.append(verdict)
        gold.append(decide(item.claim, _labelled(evidence, item.arxiv_ids, label.stances), as_of))
        paper_of = {e.id: e.paper_id for e in evidence}
        for arxiv_id in item.arxiv_ids:
            a = assessed.get(arxiv_id)
            stance_lines.append(
                StancePrediction(
                    claim_id=item.claim.id,
                    arxiv_id=arxiv_id,
                    stance=a.stance if a else Stance.NEUTRAL,
                    confidence=round(a.confidence, 4) if a else 0.0,
                    quote=a.quotes[0].text if a and a.quotes else "",
                )
            )
        changed_by = tuple(paper_of[e] for e in verdict.changed_by if e in paper_of)
        verdict_lines.append(VerdictPrediction(claim_id=item.claim.id, verdict=verdict.kind, changed_by=changed_by))
    asked, labels = asked[: len(verdicts)], labels[: len(verdicts)]
    stances = _stance_scores(asked, labels, stance_lines)
    by_verdict = _verdict_scores(asked, labels, stance_lines, verdicts, gold)
    return BenchReport(
        judge=f"{judge.ref.name} {judge.ref.version}",
        n_asked=n_asked,
        n_claims=len(asked),
        partial=partial,
        n_pairs=len(stance_lines),
        missing=tuple(sorted({p.arxiv_id for p in stance_lines} - held.keys())),
        unsure=unsure,
        discarded_quotes=discarded,
        stances=stances.judge if stances else None,
        contradicts=stances.contradicts if stances else None,
        stance_baselines=stances.baselines if stances else (),
        verdicts=by_verdict.rule if by_verdict else None,
        verdict_baselines=by_verdict.baselines if by_verdict else (),
        verdicts_from_labels=by_verdict.from_labels if by_verdict else None,
        disagreements=by_verdict.disagreements if by_verdict else (),
        stance_predictions=tuple(stance_lines),
        verdict_predictions=tuple(verdict_lines),
    )


def _last_day(text: str) -> date:
    stated = StatedDate.parse(text)
    return stated.end


_LABEL = Quote(field=TextField.TITLE, start=0, text="as labelled")
"""Stands where the judge gave no quote: the label is the ground here."""


def _labelled(
    evidence: Sequence[PaperEvidence], ids: Sequence[str], stances: Sequence[Stance | None]
) -> list[PaperEvidence]:
    known = dict(zip(ids, stances, strict=True))
    return [
        e.model_copy(
            update={
                "assessment": e.assessment.model_copy(
                    update={
                        "stance": known[e.paper_id],
                        "confidence": 0.95,
                        "unsure": False,
                        "leaning": None,
                        "asserted": True,
                        "quotes": e.assessment.quotes or (_LABEL,),
                        "discarded_quotes": 0,
                    }
                )
            }
        )
        for e in evidence
        if known.get(e.paper_id) is not None
    ]


class _StanceScores(NamedTuple):
    judge: Figures
    contradicts: metrics.ClassFigures
    baselines: tuple[Figures, ...]


class _VerdictScores(NamedTuple):
    rule: Figures
    baselines: tuple[Figures, ...]
    from_labels: Figures
    disagreements: tuple[Disagreement, ...]


def _stance_scores(
    asked: Sequence[Asked], labels: Sequence[Labels], lines: Sequence[StancePrediction]
) -> _StanceScores | None:
    truth_of = [(a, s) for a, label in zip(asked, labels, strict=True) for s in label.stances]
    kept = [(a, t, p.stance) for (a, t), p in zip(truth_of, lines, strict=True) if t is not None]
    if not kept:
        return None
    truth = [t for _, t, _ in kept]
    groups = [a.claim.id for a, _, _ in kept]
    years = [a.claim.asserted_on.start.year for a, _, _ in kept]

    def score(name: str, said: Sequence[Stance]) -> Figures:
        return metrics.figures(name, truth, said, metrics.STANCE_LABELS, silent=Stance.NEUTRAL, groups=groups)

    judged = score("judge", [s for _, _, s in kept])
    baselines = (
        score("always neutral", [Stance.NEUTRAL] * len(truth)),
        score("majority", [metrics.majority(truth)] * len(truth)),
        score("claim's year only", metrics.leave_one_out_majority(truth, groups, years)),
        score("always supports", [Stance.SUPPORTS] * len(truth)),
    )
    contradicts = next(c for c in judged.classes if c.label == Stance.CONTRADICTS)
    return _StanceScores(judged, contradicts, baselines)


def _verdict_scores(
    asked: Sequence[Asked],
    labels: Sequence[Labels],
    lines: Sequence[StancePrediction],
    verdicts: Sequence[Verdict],
    gold: Sequence[Verdict],
) -> _VerdictScores | None:
    rows = [
        (a, label, label.verdict, v, g)
        for a, label, v, g in zip(asked, labels, verdicts, gold, strict=True)
        if label.verdict is not None
    ]
    if not rows:
        return None
    truth = [t for _, _, t, _, _ in rows]
    groups = [a.claim.id for a, *_ in rows]
    said_of = {(p.claim_id, p.arxiv_id): p.stance for p in lines}
    counted = [_by_count([said_of[a.claim.id, i] for i in a.arxiv_ids]) for a, *_ in rows]
    years = [a.claim.asserted_on.start.year for a, *_ in rows]

    def score(name: str, said: Sequence[VerdictKind]) -> Figures:
        return metrics.figures(name, truth, said, VERDICTS, silent=VerdictKind.UNTESTED, groups=groups)

    disagreements = tuple(
        Disagreement(
            claim_id=a.claim.id,
            text=a.claim.text,
            labelled=t,
            predicted=v.kind,
            reason=v.reason,
            wrong_stances=tuple(
                f"{i}: {s} -> {said_of[a.claim.id, i]}"
                for i, s in zip(a.arxiv_ids, label.stances, strict=True)
                if s is not None and s != said_of[a.claim.id, i]
            ),
        )
        for a, label, t, v, _ in rows
        if v.kind != t
    )
    return _VerdictScores(
        rule=score("rule", [v.kind for *_, v, _ in rows]),
        baselines=(
            score("majority", [metrics.majority(truth)] * len(truth)),
            score("claim's year only", metrics.leave_one_out_majority(truth, groups, years)),
            score("stance count", counted),
        ),
        from_labels=score("rule on labelled stances", [g.kind for *_, g in rows]),
        disagreements=disagreements,
    )


def _by_count(stances: Sequence[Stance]) -> VerdictKind:
    """Give the verdict that a bare count of the judge's stances suggests: a baseline, not a rule."""
    n = Counter(stances)
    s, c, q = n[Stance.SUPPORTS], n[Stance.CONTRADICTS], n[Stance.QUALIFIES]
    if not s + c + q:
        return VerdictKind.UNTESTED
    if c and s and c == s:
        return VerdictKind.CONTESTED
    best = max((s, VerdictKind.STANDS), (q, VerdictKind.RELAXED), (c, VerdictKind.OVERTURNED), key=lambda kv: kv[0])
    return best[1]
