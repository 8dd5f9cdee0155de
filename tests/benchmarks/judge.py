"""The local judge on labelled claims: figures beside trivial baselines, rewording, speed, and what labels buy.

    python -m tests.benchmarks.judge [--learning] [--errors]

Reads `../shared/bench` and the snapshots in `../shared/data/arxiv`; says so and stops where they are absent.
"""

import json
import sys
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from agent.bench import run_bench
from agent.judges import fit, metrics
from agent.judges.fit import Pairs
from agent.judges.local import LocalJudge, local_judge
from agent.judges.metrics import Figures
from agent.judges.model import STANCES
from agent.sources.source import LookedUp
from claims.claim import Claim
from claims.dates import StatedDate
from claims.evidence import Assessment, Stance
from claims.paper import Paper
from claims.verdict import decide
from tests.benchmarks.peers import shared_papers
from tests.benchmarks.rows import SHARED, SNAPSHOTS, Row

DEV = SHARED / "bench" / "dev.jsonl"
VARIANTS = SHARED / "bench" / "dev_variants.jsonl"
SWAPPED = {Stance.SUPPORTS: Stance.CONTRADICTS, Stance.CONTRADICTS: Stance.SUPPORTS}


class Shelf:
    """Papers by id."""

    def __init__(self, papers: dict[str, Paper]) -> None:
        self.papers = papers

    def look_up(self, ids: list[str]) -> LookedUp:
        """Give what is held."""
        return LookedUp({i: self.papers[i] for i in ids if i in self.papers})


def row(f: Figures) -> str:
    """Print one line of the stance table."""
    by = {c.label: c for c in f.classes}
    shares = "  ".join(f"{by[s].f1:.2f}" for s in metrics.STANCE_LABELS if s in by)
    precision = "  -  " if f.called_precision is None else f"{f.called_precision:.3f}"
    low, high = f.macro_f1_interval or (float("nan"), float("nan"))
    return f"{f.name:34} {f.n:5} {f.macro_f1:.3f} [{low:.2f}, {high:.2f}] {f.called:5} {precision}  {shares}"


HEAD = f"{'':34} {'n':>5} macro-F1 [95 %]      calls prec.  F1 of neutral, supports, qualifies, contradicts"


def leaning(said: Assessment) -> Stance:
    """Give the stance that the judge would name if it could not abstain."""
    return said.leaning if said.unsure and said.leaning is not None else said.stance


def rewording(lines: Sequence[str], judge: LocalJudge, shelf: Shelf) -> str:
    """Tell how often a negated claim swaps supports and contradicts, and how often a paraphrase keeps the stance."""
    variants = {v["claim_id"]: v for v in map(json.loads, VARIANTS.read_text(encoding="utf-8").splitlines())}
    counts: Counter[str] = Counter()
    for raw in map(json.loads, lines):
        papers = list(shelf.look_up([e["arxiv_id"] for e in raw["evidence"]]).papers.values())
        asked = [
            Claim(id=raw["claim_id"], text=text, asserted_on=StatedDate.parse(raw["asserted_on"]))
            for text in (raw["text"], *(variants[raw["claim_id"]][k] for k in ("negation", "paraphrase")))
        ]
        for said, negated, again in zip(*(judge.assess(c, papers) for c in asked), strict=True):
            counts["pairs"] += 1
            counts["calls kept by a paraphrase"] += said.stance == again.stance
            counts["leanings kept by a paraphrase"] += leaning(said) == leaning(again)
            directed = leaning(said) in SWAPPED
            counts["directed leanings"] += directed
            counts["directed leanings swapped by a negation"] += directed and leaning(negated) == SWAPPED[leaning(said)]
            called = said.stance in SWAPPED
            counts["directed calls"] += called
            counts["directed calls swapped by a negation"] += called and negated.stance == SWAPPED[said.stance]
    return "\n".join(f"  {name}: {n}" for name, n in counts.items())


def learning(pairs: Pairs, budgets: Iterable[int] = (100, 200, 400, 800), repeats: int = 3) -> list[str]:
    """Simulate active learning: labels asked at random beside those that the judge is least sure of."""
    out = [
        f"{'labels':>7} {'at random':>10} {'least sure first':>17}   macro-F1 of the likeliest stance, left-out claims"
    ]
    names = tuple(str(i) for i in range(pairs.x.shape[1]))
    scores: dict[tuple[int, bool], list[float]] = {}
    for repeat in range(repeats):
        rng = np.random.default_rng(repeat)
        groups = rng.permutation(np.unique(pairs.group))
        held = np.isin(pairs.group, groups[: len(groups) // 3])
        pool = np.flatnonzero(~held)
        test = np.flatnonzero(held & pairs.scored)
        seed = np.concatenate([rng.permutation(pool[pairs.y[pool] == s])[:8] for s in range(len(STANCES))])
        for active in (False, True):
            known = list(seed)
            for budget in sorted(budgets):
                while len(known) < budget:
                    left = np.setdiff1d(pool, known)
                    model = fit.fit_stance(_of(pairs, known), names)
                    stand = 1 - _softmax(model.scores(pairs.x[left]))[:, 0]
                    order = np.argsort(np.abs(stand - 0.5), kind="stable") if active else rng.permutation(len(left))
                    known += left[order[: min(100, budget - len(known))]].tolist()
                model = fit.fit_stance(_of(pairs, known), names)
                said = model.scores(pairs.x[test]).argmax(axis=1)
                f1 = metrics.macro_f1(pairs.y[test].tolist(), said.tolist(), range(len(STANCES)))
                scores.setdefault((budget, active), []).append(f1)
    for budget in sorted(budgets):
        out.append(
            f"{budget:7} {np.mean(scores[budget, False]):10.3f} {np.mean(scores[budget, True]):17.3f}   "
            f"(mean of {repeats} draws)"
        )
    return out


def _of(pairs: Pairs, rows: Sequence[int]) -> Pairs:
    return Pairs(*(part[list(rows)] for part in pairs))


def _softmax(scores: fit.Floats) -> fit.Floats:
    e = np.exp(scores - scores.max(axis=1, keepdims=True))
    shares: fit.Floats = e / e.sum(axis=1, keepdims=True)
    return shares


def read() -> tuple[list[str], Shelf] | None:
    """Read the development claims and the papers of their evidence; None where they are absent."""
    if not DEV.exists() or not all(path.is_file() for path in SNAPSHOTS):
        return None
    lines = DEV.read_text(encoding="utf-8").splitlines()
    ids = {e["arxiv_id"] for raw in map(json.loads, lines) for e in raw["evidence"]}
    return lines, Shelf({p.id: p for p in shared_papers() if p.id in ids})


class Speed(NamedTuple):
    """Pairs a second over papers that the judge had not read."""

    wall: float
    cpu: float


def speed(text: str, papers: Sequence[Paper]) -> Speed:
    """Time one claim over papers, the model already loaded."""
    fresh = local_judge()
    asked = Claim(id="speed", text=text, asserted_on=StatedDate.parse("2023"))
    fresh.assess(asked, papers[:2])
    wall, cpu = time.perf_counter(), time.process_time()
    fresh.assess(asked, papers)
    return Speed(len(papers) / (time.perf_counter() - wall), len(papers) / (time.process_time() - cpu))


def rows() -> list[Row]:
    """Measure the judge on the development claims, the verdicts that follow, and its speed."""
    there = read()
    if there is None:
        return [Row("local judge", None, "", note="no labelled claims or snapshots beside the repository")]
    lines, shelf = there
    report = run_bench(lines, shelf, local_judge(), decide)
    assert report.stances is not None and report.verdicts is not None
    said = report.stances
    neutral = max(b.macro_f1 for b in report.stance_baselines)
    pace = speed(json.loads(lines[0])["text"], list(shelf.papers.values()))
    out = [
        Row("local judge: macro-F1", said.macro_f1, "", said.n, ">= 0.60", f"best trivial baseline {neutral:.2f}"),
        Row("local judge: precision of its calls", said.called_precision, "", said.called, ">= 0.70", "n: calls made"),
    ]
    for c in said.classes:
        if c.label == Stance.CONTRADICTS:
            precision = c.correct / c.called if c.called else None
            out.append(Row("local judge: precision of contradicts", precision, "", c.called, ">= 0.70", f"{c.n} are"))
    beside = max(b.accuracy for b in report.verdict_baselines)
    out += [
        Row("local judge: speed", pace.wall, "pairs/s", len(shelf.papers), ">= 300", f"{pace.cpu:.0f} by processor"),
        Row(
            "verdicts, local judge: accuracy",
            report.verdicts.accuracy,
            "",
            report.verdicts.n,
            "",
            f"best baseline {beside:.2f}",
        ),
        Row("verdicts, local judge: macro-F1", report.verdicts.macro_f1, "", report.verdicts.n),
    ]
    return out


def main(argv: Sequence[str]) -> int:
    """Print the tables."""
    there = read()
    if there is None:
        print("the labelled claims are not here (../shared): nothing was measured")
        return 3
    lines, shelf = there
    judge = local_judge()
    report = run_bench(lines, shelf, judge, decide)
    assert report.stances is not None and report.verdicts is not None
    print(f"development split, {report.judge}: {report.n_pairs} pairs, {report.unsure} unsure\n{HEAD}")
    for f in (report.stances, *report.stance_baselines):
        print(row(f))
    for c in report.stances.classes:
        print(f"  {c.label}: n {c.n}, called {c.called}, right {c.correct}")
    print("verdicts: accuracy, macro-F1")
    for f in (report.verdicts, *report.verdict_baselines, report.verdicts_from_labels):
        if f is not None:
            print(f"  {f.name:28} {f.accuracy:.2f}  {f.macro_f1:.2f}  (n {f.n})")
    pairs = fit.shipped_pairs()
    shares = fit.left_out(pairs, judge.model.stance.names)
    refitted = fit.refit([])
    print(f"training split, claims left out of the fit\n{HEAD}")
    print(row(refitted.figures))
    print(row(fit.scored("likeliest stance", pairs, shares.argmax(axis=1))))
    print("rewording, development split\n" + rewording(lines, judge, shelf))
    pace = speed(json.loads(lines[0])["text"], list(shelf.papers.values()))
    print(f"speed: {pace.wall:.0f} pairs/s by the wall, {pace.cpu:.0f} by processor time, papers unread")
    if "--errors" in argv:
        for d in report.disagreements:
            print(f"{d.claim_id}: {d.labelled} -> {d.predicted} ({d.reason}) {'; '.join(d.wrong_stances)}")
    if "--learning" in argv:
        print("\n".join(learning(pairs)))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
