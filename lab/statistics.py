"""Any-time-valid statistics for a paired difference between two arms, one difference a seed.

The unit is the seed. A difference of two shares lies in [-1, 1]; a protocol may register a narrower `bound`
beforehand, and then a difference beyond it counts as the bound (a winsorised mean: fewer seeds decide, and one
wild seed cannot carry the result). The interval stays valid however often one looks, so nights may add seeds until the
outcome is decided or the budget ends.

Source: Waudby-Smith and Ramdas 2024, arXiv:2010.09686: the hedged capital process (Theorem 3) with its two sides at
alpha/2 each, and each side's wealth spread over a fixed grid of bets (their diversified Kelly betting). No running
intersection is taken, on purpose: without it the interval does not depend on the order of the seeds, and one changed
seed can never turn `supports` into `refutes`. Were both sides decided by two samples that share n-1 seeds, some bet
would have gained on each side of one number over the shared seeds; each side's wealth is concave in its bet and
starts at 1, so the shared mean would lie on both sides of that number. The property tests search for a counterexample.
"""

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from claims.experiment import Estimate, Measurement, Outcome, SeedEffect

Floats = NDArray[np.float64]

BETS: Floats = np.array([0.1, 0.4, 0.7, 0.95])
"""Shares of the largest bet that keeps wealth non-negative; small ones serve noisy seeds, large ones quiet seeds."""

BET_WEIGHTS: Floats = np.array([0.05, 0.2, 0.3, 0.45])
"""Where the starting wealth goes; set by the table that `tests/benchmarks/statistics_null.py` prints."""

METHOD = "hedged betting confidence sequence (Waudby-Smith and Ramdas 2024, Theorem 3)"

_BISECTIONS = 40
"""Halvings of an interval of width 1: 1e-12, far below any digit shown."""


class Interval(NamedTuple):
    """Where the mean difference lies, with probability 1 - alpha at every moment of looking."""

    low: float
    high: float


def interval(differences: Sequence[float], *, alpha: float, bound: float = 1.0) -> Interval:
    """Give the confidence interval of the mean paired difference after these seeds.

    differences: one a seed, in [-1, 1], in any order. bound: in (0, 1]; differences are cut there first, and the mean
    is that of the cut differences. No seed gives (-bound, bound). Raises ValueError for what is not such a difference.
    """
    unit = _to_unit(differences, bound)
    low = _lower(unit, alpha / 2)
    high = 1.0 - _lower(1.0 - unit, alpha / 2)
    return Interval(bound * (2 * low - 1), bound * (2 * high - 1))


def cut_mean(differences: Sequence[float], bound: float = 1.0) -> float:
    """Give the mean of the differences after cutting them at `bound`."""
    return float(np.clip(np.asarray(differences, dtype=float), -bound, bound).mean())


def decide(found: Interval, smallest_effect: float) -> Outcome:
    """Give `supports` when the interval lies beyond the smallest effect, `refutes` when it excludes it."""
    if found.low > smallest_effect:
        return Outcome.SUPPORTS
    if found.high < smallest_effect:
        return Outcome.REFUTES
    return Outcome.INCONCLUSIVE


def estimate(
    name: str,
    differences: Sequence[float],
    *,
    smallest_effect: float,
    alpha: float,
    bound: float = 1.0,
    item_se: float | None = None,
) -> Estimate:
    """Give the effect with its interval and both spreads. Raises ValueError when no seed is given."""
    if not differences:
        raise ValueError(f"no seed gives {name!r}: an effect needs at least one")
    found = interval(differences, alpha=alpha, bound=bound)
    return Estimate(
        name=name,
        effect=cut_mean(differences, bound),
        low=found.low,
        high=found.high,
        alpha=alpha,
        n_seeds=len(differences),
        method=METHOD if bound >= 1 else f"{METHOD}; a seed beyond ±{bound:g} counts as ±{bound:g}",
        smallest_effect=smallest_effect,
        seed_sd=float(np.std(differences, ddof=1)) if len(differences) > 1 else None,
        item_se=item_se,
    )


def path(seeds: Sequence[int], differences: Sequence[float], *, alpha: float, bound: float = 1.0) -> list[SeedEffect]:
    """Give each seed's difference with the interval as it stood after that seed, in the order given."""
    steps = []
    for i, (seed, difference) in enumerate(zip(seeds, differences, strict=True), start=1):
        found = interval(differences[:i], alpha=alpha, bound=bound)
        steps.append(SeedEffect(seed=seed, effect=difference, low=found.low, high=found.high))
    return steps


def item_standard_error(one: Measurement, other: Measurement) -> float | None:
    """Give the standard error of one seed's difference that comes from its items alone.

    The two arms answer the same items, so treating them as unpaired errs to the large side. None when an arm has no
    item spread.
    """
    if one.item_sd is None or other.item_sd is None or not one.n or not other.n:
        return None
    return math.sqrt(one.item_sd**2 / one.n + other.item_sd**2 / other.n)


@lru_cache(maxsize=512)
def seeds_to_decide(
    *, smallest_effect: float, alpha: float, bound: float, seed_sd: float, max_seeds: int, power: float = 0.8
) -> int | None:
    """Say beforehand how many seeds decide, when the truth lies one smallest effect away from the boundary.

    The truth is taken as 0 and as twice the smallest effect (its mirror image across the boundary), the seeds as
    normal with `seed_sd`; the answer is the number by which a share `power` of 400 simulated experiments has decided
    on the slower of the two sides. None when `max_seeds` do not suffice. Deterministic.
    """
    needed = 0
    for truth in (0.0, 2 * smallest_effect):
        rng = np.random.default_rng(20240117)
        draws = np.clip(rng.normal(truth, seed_sd, size=(400, max_seeds)), -1, 1)
        stops = stopping_times(draws, smallest_effect=smallest_effect, alpha=alpha, bound=bound)
        decided = np.sort(np.where(stops.seeds > 0, stops.seeds, max_seeds + 1))
        nth = int(decided[math.ceil(power * len(decided)) - 1])
        if nth > max_seeds:
            return None
        needed = max(needed, nth)
    return needed


def fewest_seeds(*, against: float, alpha: float, bound: float) -> int:
    """Give the number of seeds at which the largest possible effect would be told apart from `against`."""
    n = 1
    while interval([bound] * n, alpha=alpha, bound=bound).low <= against:
        n += 1
    return n


class Stops(NamedTuple):
    """When simulated experiments, each looked at after every seed, were decided."""

    seeds: NDArray[np.int64]
    """(experiments,) number of seeds at the first decision; 0 for never"""
    supports: NDArray[np.bool_]
    """(experiments,) whether that decision was `supports`"""


class Sides(NamedTuple):
    """Where the intervals of simulated experiments lie to one number. Both false: the interval keeps it."""

    above: NDArray[np.bool_]
    """(experiments, seeds) after that seed it lies above"""
    below: NDArray[np.bool_]


def sides(differences: Floats, number: float, *, alpha: float, bound: float = 1.0) -> Sides:
    """Compare every interval with a number. differences: (experiments, seeds). The fast form of `interval`."""
    unit = (np.clip(differences, -bound, bound) / bound + 1) / 2
    mean = (number / bound + 1) / 2
    return Sides(
        np.log(_wealth_path(unit, mean)) >= math.log(2 / alpha),
        np.log(_wealth_path(1 - unit, 1 - mean)) >= math.log(2 / alpha),
    )


def stopping_times(differences: Floats, *, smallest_effect: float, alpha: float, bound: float = 1.0) -> Stops:
    """Stop each experiment at its first decision. differences: (experiments, seeds). The fast form of `decide`."""
    above, below = sides(differences, smallest_effect, alpha=alpha, bound=bound)
    either = above | below
    first = np.where(either.any(axis=1), either.argmax(axis=1) + 1, 0)
    rows = np.arange(len(first))
    return Stops(first.astype(np.int64), above[rows, np.maximum(first - 1, 0)] & (first > 0))


def _wealth_path(unit: Floats, mean: float) -> Floats:
    """Give the wealth of betting on a mean above `mean` after every seed: (experiments, seeds) -> the same."""
    with np.errstate(divide="ignore"):
        logs = np.log1p(BETS[:, None, None] * (unit[None] / mean - 1)).cumsum(axis=2)
    wealth: Floats = np.tensordot(BET_WEIGHTS, np.exp(logs), axes=1) + 1e-300
    return wealth


def _to_unit(differences: Sequence[float], bound: float) -> Floats:
    values = np.asarray(differences, dtype=float)
    if not 0 < bound <= 1:
        raise ValueError(f"a bound lies in (0, 1], got {bound!r}")
    if values.ndim != 1 or not np.all(np.abs(values) <= 1 + 1e-9):
        raise ValueError(f"paired differences lie in [-1, 1], got {differences!r}")
    unit: Floats = (np.clip(values, -bound, bound) / bound + 1) / 2
    return unit


def _wealth(unit: Floats, mean: float) -> float:
    """Wealth of betting that the true mean lies above `mean`, after all seeds; falls as `mean` grows."""
    with np.errstate(divide="ignore"):
        logs = np.log1p(BETS[:, None] * (unit[None] / mean - 1)).sum(axis=1)
    return float(BET_WEIGHTS @ np.exp(np.minimum(logs, 700.0)))


def _lower(unit: Floats, alpha: float) -> float:
    """Give the largest mean in [0, 1] that the wealth rejects from below: every smaller one is rejected too."""
    if not len(unit) or _wealth(unit, 1e-12) < 1 / alpha:
        return 0.0
    low, high = 0.0, 1.0
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        if _wealth(unit, middle) >= 1 / alpha:
            low = middle
        else:
            high = middle
    return low
