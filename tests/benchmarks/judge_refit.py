"""What `retest judge fit` buys: a person's labels, simulated on labelled claims that the judge had not seen.

    python -m tests.benchmarks.judge_refit

In each draw 40 claims are taken out of the shipped labels: the person weighs pairs of 27 of them, and the other 13 are
what is scored. Needs nothing but what ships: the labels as numbers.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from agent.judges import fit, metrics
from agent.judges.fit import Floats, Pairs
from agent.judges.model import STANCES, shipped_model
from tests.benchmarks.rows import Row

BUDGETS = (20, 40, 80, 160)
"""Labels that the person gives."""
N_OWN = 40
N_SCORED = 13
DRAWS = 20


class Outcome(NamedTuple):
    """One simulated person with one budget."""

    labels: int
    least_sure: bool
    f1_before: float
    f1_after: float
    loss_before: float
    loss_after: float
    used: bool
    """whether `judge fit` would use the refit, by the person's own claims left out one fold at a time"""


def simulate(pairs: Pairs, names: tuple[str, ...], draw: int) -> list[Outcome]:
    """Let one person label, at random and least sure first, with each budget."""
    rng = np.random.default_rng(draw)
    mine = rng.permutation(np.unique(pairs.group))[:N_OWN]
    world = ~np.isin(pairs.group, mine)
    test = np.isin(pairs.group, mine[:N_SCORED]) & pairs.scored
    pool = np.flatnonzero(np.isin(pairs.group, mine[N_SCORED:]) & pairs.scored)
    base = fit.fit_stance(_rows(pairs, world), names)
    before = _shares(base.scores(pairs.x[test]))
    neutral = _shares(base.scores(pairs.x[pool]))[:, 0]
    orders = {False: rng.permutation(pool), True: pool[np.argsort(np.abs(neutral - 0.5), kind="stable")]}
    out = []
    for least_sure, order in orders.items():
        for n in BUDGETS:
            chosen = order[:n]
            rows = np.concatenate([np.flatnonzero(world), chosen])
            own = np.arange(len(rows)) >= int(world.sum())
            weight = np.where(own, fit.PERSON_WEIGHT, pairs.weight[rows])
            given = Pairs(pairs.x[rows], pairs.y[rows], weight, pairs.group[rows], pairs.scored[rows])
            after = _shares(fit.fit_stance(given, names).scores(pairs.x[test]))
            said = fit.left_out(given, names)[own]
            unsaid = fit.left_out(given, names, learn_from=~own)[own]
            rise = _losses(said, given.y[own]) - _losses(unsaid, given.y[own])
            used = bool(rise.mean() <= fit.CLEAR * rise.std(ddof=1) / np.sqrt(n))
            y = pairs.y[test]
            out.append(Outcome(n, least_sure, _f1(before, y), _f1(after, y), _loss(before, y), _loss(after, y), used))
    return out


def table(outcomes: Sequence[Outcome]) -> list[str]:
    """Write the means, and how often the refit would have been used and was really better."""
    head = f"{'labels':>6}  {'which first':<12} {'macro-F1':>16} {'loss':>16}   used  of those better  of others"
    lines = [head]
    for least_sure in (False, True):
        for n in BUDGETS:
            some = [o for o in outcomes if (o.labels, o.least_sure) == (n, least_sure)]
            f1 = f"{np.mean([o.f1_before for o in some]):.3f} -> {np.mean([o.f1_after for o in some]):.3f}"
            loss = f"{np.mean([o.loss_before for o in some]):.3f} -> {np.mean([o.loss_after for o in some]):.3f}"
            used = [o for o in some if o.used]
            better = sum(o.loss_after <= o.loss_before for o in used)
            missed = sum(o.loss_after <= o.loss_before for o in some if not o.used)
            which = "least sure" if least_sure else "at random"
            share = f"{f'{better}/{len(used)}':<15}  {missed}/{len(some) - len(used)}"
            lines.append(f"{n:6}  {which:<12} {f1:>16} {loss:>16}   {f'{len(used)}/{len(some)}':<5} {share}")
    return lines


def rows(draws: int = 2) -> list[Row]:
    """Measure what a person's labels buy, least sure first; fewer draws than the table by itself."""
    pairs, names = fit.shipped_pairs(), shipped_model().stance.names
    outcomes = [o for draw in range(draws) for o in simulate(pairs, names, draw) if o.least_sure]
    out = []
    for n in BUDGETS:
        some = [o for o in outcomes if o.labels == n]
        before = float(np.mean([o.f1_before for o in some]))
        note = f"{before:.2f} before, {sum(o.used for o in some)} of {draws} refits used"
        out.append(
            Row(
                f"macro-F1 after {n} labels of a person",
                float(np.mean([o.f1_after for o in some])),
                "",
                draws,
                "",
                note,
            )
        )
    return out


def _rows(pairs: Pairs, rows: npt.NDArray[np.bool_]) -> Pairs:
    return Pairs(*(part[rows] for part in pairs))


def _shares(scores: Floats) -> Floats:
    e = np.exp(scores - scores.max(axis=1, keepdims=True))
    shares: Floats = e / e.sum(axis=1, keepdims=True)
    return shares


def _f1(shares: Floats, y: fit.Ints) -> float:
    return metrics.macro_f1(y.tolist(), shares.argmax(axis=1).tolist(), range(len(STANCES)))


def _loss(shares: Floats, y: fit.Ints) -> float:
    return float(_losses(shares, y).mean())


def _losses(shares: Floats, y: fit.Ints) -> Floats:
    out: Floats = -np.log(np.maximum(shares[np.arange(len(y)), y], fit.SMALLEST_SHARE))
    return out


def main() -> int:
    """Print the table."""
    pairs, names = fit.shipped_pairs(), shipped_model().stance.names
    outcomes = [o for draw in range(DRAWS) for o in simulate(pairs, names, draw)]
    print(f"{N_SCORED} claims scored that nobody labelled, mean of {DRAWS} draws, judge {shipped_model().version}")
    print("\n".join(table(outcomes)))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
