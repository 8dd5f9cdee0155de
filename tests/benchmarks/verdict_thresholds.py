"""What each threshold of the verdict rule costs on labelled claims, beside trivial baselines.

By hand, from the repository root: `python -m tests.benchmarks.verdict_thresholds`
Every gold stance becomes evidence with the authors and date of the paper's record; the rule never sees the labelled
verdicts. `noisy` repeats it with stances as a real judge gives them: a share of the takers of a stand is missed, and
neutral papers are taken for takers of a stand until the precision falls to the stated value (mean of seeded draws).
"""

import gzip
import json
import lzma
import random
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import NamedTuple

from claims.claim import Anchor, Claim
from claims.dates import StatedDate
from claims.evidence import Assessment, JudgeName, JudgeRef, PaperEvidence, Quote, Stance
from claims.paper import Source, TextField
from claims.verdict import THRESHOLDS, Thresholds, VerdictKind, decide
from tests.benchmarks.rows import SHARED, Row

AS_OF = date(2026, 6, 30)
_JUDGE = JudgeRef(name=JudgeName.PERSON, version="gold labels")
_QUOTE = Quote(field=TextField.TITLE, start=0, text="as labelled")


class Labelled(NamedTuple):
    """A claim with its evidence as labelled and the verdict that a person gave."""

    claim: Claim
    evidence: tuple[PaperEvidence, ...]
    verdict: VerdictKind


Decider = Callable[[Labelled], VerdictKind]


def load(shared: Path = SHARED) -> list[Labelled]:
    """Read the labelled claims. Raises FileNotFoundError where the shared data is absent."""
    rows = [json.loads(line) for line in (shared / "bench" / "dev.jsonl").read_text().splitlines()]
    authors = _authors(shared, {e["arxiv_id"] for row in rows for e in row["evidence"]})
    return [_labelled(row, authors) for row in rows]


def _labelled(row: dict, authors: dict[str, tuple[str, ...]]) -> Labelled:
    claim = Claim(
        id=row["claim_id"],
        text=row["text"],
        asserted_on=StatedDate.parse(row["asserted_on"]),
        anchors=tuple(Anchor(arxiv_id=a) for a in row["anchors"]),
    )
    evidence = tuple(
        PaperEvidence(
            claim_id=claim.id,
            paper_id=e["arxiv_id"],
            paper_digest="gold",
            published=StatedDate.parse(e["published"][:10]),
            authors=authors.get(e["arxiv_id"], ()),
            source=Source.MIRROR,
            assessment=Assessment(stance=e["stance"], confidence=1.0, quotes=(_QUOTE,), judge=_JUDGE),
            judged_at=datetime(2026, 7, 1, tzinfo=UTC),
        )
        for e in row["evidence"]
    )
    return Labelled(claim, evidence, VerdictKind(row["verdict"]))


def _authors(shared: Path, ids: set[str]) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for name, opened in (("snapshot-topical.jsonl.gz", gzip.open), ("snapshot-more.jsonl.xz", lzma.open)):
        with opened(shared / "data" / "arxiv" / name, "rt", encoding="utf-8") as lines:
            for line in lines:
                if line[8 : line.index('"', 8)] in ids:
                    record = json.loads(line)
                    found[record["id"]] = tuple(a.strip() for a in record["authors"].split(",") if a.strip())
        if ids <= found.keys():
            break
    return found


def by_rule(thresholds: Thresholds) -> Decider:
    """Give the rule at some thresholds."""
    return lambda it: decide(it.claim, it.evidence, AS_OF, thresholds=thresholds).kind


def majority(it: Labelled) -> VerdictKind:
    """Say `stands`, the most frequent verdict together with `relaxed`, to everything."""
    return VerdictKind.STANDS


def date_only(it: Labelled) -> VerdictKind:
    """Look at the claim's date alone: young claims are untested, the oldest relaxed, the rest stand."""
    start = it.claim.asserted_on.start
    if start >= date(2026, 1, 1):
        return VerdictKind.UNTESTED
    return VerdictKind.RELAXED if start < date(2024, 6, 1) else VerdictKind.STANDS


def stance_count(it: Labelled) -> VerdictKind:
    """Take the most frequent non-neutral stance, ignoring dates, authors and everything else."""
    n = Counter(e.stance for e in it.evidence if e.stance is not Stance.NEUTRAL)
    if not n:
        return VerdictKind.UNTESTED
    ranked = n.most_common()
    if len(ranked) > 1 and ranked[0][1] == ranked[1][1]:
        return VerdictKind.CONTESTED
    return {
        Stance.SUPPORTS: VerdictKind.STANDS,
        Stance.QUALIFIES: VerdictKind.RELAXED,
        Stance.CONTRADICTS: VerdictKind.OVERTURNED,
    }[ranked[0][0]]


BASELINES: dict[str, Decider] = {"always stands": majority, "date only": date_only, "stance count": stance_count}
"""what decides without weighing"""


class Score(NamedTuple):
    """How well a decider agrees with the labels."""

    accuracy: float
    macro_f1: float
    false_overturned: float
    """share of all claims that are called overturned and are not: the most harmful error"""


def score(gold: Sequence[VerdictKind], told: Sequence[VerdictKind]) -> Score:
    """Compare verdicts with labels."""
    f1 = []
    for kind in VerdictKind:
        hit = sum(g is kind and t is kind for g, t in zip(gold, told, strict=True))
        all_ = sum(g is kind for g in gold) + sum(t is kind for t in told)
        f1.append(2 * hit / all_ if all_ else 1.0)
    n = len(gold)
    accuracy = sum(g is t for g, t in zip(gold, told, strict=True)) / n
    wrong = sum(t is VerdictKind.OVERTURNED and g is not t for g, t in zip(gold, told, strict=True)) / n
    return Score(accuracy, sum(f1) / len(f1), wrong)


def run(decider: Decider, claims: Sequence[Labelled]) -> Score:
    """Score a decider on labelled claims."""
    return score([c.verdict for c in claims], [decider(c) for c in claims])


def noisy(claims: Sequence[Labelled], precision: float, recall: float, seed: int) -> list[Labelled]:
    """Draw the stances that a judge of this precision and recall would give. Errors take any other stance."""
    draw = random.Random(seed)
    out = []
    for it in claims:
        kept, n_right = [], 0
        spare = []
        for e in it.evidence:
            if e.stance is Stance.NEUTRAL or draw.random() > recall:
                spare.append(e)
            else:
                kept.append(_with(e, e.stance, precision))
                n_right += 1
        n_wrong = sum(draw.random() < (1 - precision) / precision for _ in range(n_right))
        for e in draw.sample(spare, min(n_wrong, len(spare))):
            choices = [s for s in Stance if s not in (Stance.NEUTRAL, e.stance)]
            kept.append(_with(e, draw.choice(choices), precision))
        out.append(it._replace(evidence=tuple(kept)))
    return out


def _with(e: PaperEvidence, stance: Stance, confidence: float) -> PaperEvidence:
    judged = e.assessment.model_copy(update={"stance": stance, "confidence": confidence})
    return e.model_copy(update={"assessment": judged})


GRID: dict[str, tuple[float, ...]] = {
    "overturning_voices": (1, 2, 3),
    "outweigh": (1.0, 1.5, 2.0, 2.5, 3.0, 4.0),
    "contest_share": (0.0, 0.2, 0.34, 0.5, 1.0),
    "absorbing": (2.0, 3.0, 4.0, 99.0),
    "relax_share": (0.0, 0.25, 0.34, 0.4, 0.5, 0.67, 1.0),
}
"""The values that are tried, one threshold at a time."""

NOISE = ((0.7, 0.4), (0.85, 0.7))
DRAWS = 20


def lines(claims: Sequence[Labelled]) -> Iterator[str]:
    """Write the table."""
    draws = {pr: [noisy(claims, *pr, seed) for seed in range(DRAWS)] for pr in NOISE}

    def line(name: str, decider: Decider) -> str:
        cells = []
        for scores in ([run(decider, claims)], *([run(decider, d) for d in ds] for ds in draws.values())):
            mean = [sum(s[i] for s in scores) / len(scores) for i in range(3)]
            cells.append(f"{mean[0]:6.2f} {mean[1]:5.2f} {mean[2]:5.2f}")
        return f"{name:32}" + "   ".join(cells)

    yield f"{len(claims)} labelled claims, evidence up to {AS_OF}; accuracy, macro-F1, share falsely overturned"
    heads = ["gold stances", *(f"precision {p:.2f} recall {r:.2f}" for p, r in NOISE)]
    yield " " * 32 + "   ".join(f"{h:>18}"[:24] for h in heads)
    for name, decider in BASELINES.items():
        yield line(name, decider)
    yield line("RULE as shipped", by_rule(THRESHOLDS))
    for threshold, values in GRID.items():
        shipped = getattr(THRESHOLDS, threshold)
        for value in values:
            changed = replace(THRESHOLDS, **{threshold: type(shipped)(value)})
            mark = "  <- shipped" if value == shipped else ""
            yield line(f"  {threshold} = {value:g}", by_rule(changed)) + mark
    yield "disagreements on gold stances:"
    for it in claims:
        verdict = decide(it.claim, it.evidence, AS_OF)
        if verdict.kind is not it.verdict:
            yield f"  {it.claim.id}: labelled {it.verdict}, decided {verdict.kind}. {verdict.reason}"


def rows() -> list[Row]:
    """Measure the rule as shipped on the labelled stances, beside what needs no reading."""
    try:
        claims = load()
    except FileNotFoundError as exc:
        return [Row("verdict rule", None, "", note=f"{Path(exc.filename).name} is not beside the repository")]
    ours = run(by_rule(THRESHOLDS), claims)
    beside = {name: run(decider, claims) for name, decider in BASELINES.items()}
    return [
        Row(
            f"verdict rule on labelled stances: {what}",
            getattr(ours, of),
            "",
            len(claims),
            "",
            ", ".join(f"{name} {getattr(score, of):.2f}" for name, score in beside.items()),
        )
        for what, of in (("accuracy", "accuracy"), ("macro-F1", "macro_f1"), ("falsely overturned", "false_overturned"))
    ]


def main() -> int:
    """Print the table; 3 where the shared data is absent."""
    assert {f.name for f in fields(Thresholds)} >= GRID.keys()
    try:
        claims = load()
    except FileNotFoundError as exc:
        print(f"skipped: {exc.filename} is not here", file=sys.stderr)
        return 3
    for line in lines(claims):
        print(line)
    return 0


if __name__ == "__main__":
    sys.exit(main())
