"""Error rates, coverage and stopping times of the lab's confidence sequence, beside a t interval under peeking.

    python -m tests.benchmarks.statistics_null [--experiments 2000] [--seeds 40]

Every simulated experiment is looked at after each seed and stopped at its first decision. The t interval is the usual
one for a fixed number of seeds, looked at just as often. Where the truth is the smallest effect of interest, a decision
is a miss of the truth, so the coverage is told where the truth is another: at the seed at which the experiment stopped
(its last, where nothing was decided), and at all looks together.
"""

import argparse
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

from lab import statistics

ALPHA = 0.05
FIRST_LOOK = 3
"""Seeds before which the t interval is not looked at: nobody would with two."""

Floats = NDArray[np.float64]


class World(NamedTuple):
    """A way in which seeds may differ, around a true mean."""

    name: str
    sd: float

    def draw(self, rng: np.random.Generator, mean: float, shape: tuple[int, int]) -> Floats:
        """Draw paired differences. (experiments, seeds)"""
        if self.name == "two-valued":
            return mean + rng.choice([-self.sd, self.sd], shape)
        if self.name == "rarely bad":
            bad = rng.random(shape) < 0.1
            return mean + np.where(bad, -3.0 * self.sd, self.sd / 3)
        return rng.normal(mean, self.sd, shape)


WORLDS = (World("normal", 0.03), World("normal", 0.08), World("normal", 0.15), World("two-valued", 0.1),
          World("rarely bad", 0.09))  # fmt: skip


def t_decisions(differences: Floats, smallest: float) -> NDArray[np.bool_]:
    """Tell which experiments a peeked-at t interval ever decides. (experiments, seeds) -> (experiments,)"""
    n = np.arange(1, differences.shape[1] + 1)
    mean = differences.cumsum(axis=1) / n
    squares = (differences**2).cumsum(axis=1) / n
    with np.errstate(divide="ignore", invalid="ignore"):
        sd = np.sqrt(np.maximum(squares - mean**2, 1e-12) * n / (n - 1))
        half = student.ppf(1 - ALPHA / 2, n - 1) * sd / np.sqrt(n)
    decided: NDArray[np.bool_] = (np.abs(mean - smallest) > half)[:, FIRST_LOOK - 1 :].any(axis=1)
    return decided


class Coverage(NamedTuple):
    """Shares of experiments whose interval keeps the true mean."""

    stopping: float
    """at the decision, or at the last seed where there was none"""
    always: float
    """after every single seed, had none been stopped"""


def coverage(differences: Floats, stops: statistics.Stops, mean: float, bound: float) -> Coverage:
    """Tell how often the interval keeps the truth. differences: (experiments, seeds)"""
    above, below = statistics.sides(differences, mean, alpha=ALPHA, bound=bound)
    missed = above | below
    last = np.where(stops.seeds > 0, stops.seeds, differences.shape[1]) - 1
    return Coverage(
        1 - float(missed[np.arange(len(last)), last].mean()),
        1 - float(missed.any(axis=1).mean()),
    )


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--experiments", type=int, default=2000)
    parser.add_argument("--seeds", type=int, default=40)
    options = parser.parse_args()
    shape = (options.experiments, options.seeds)
    rng = np.random.default_rng(11)

    print(f"False decisions among {shape[0]} null experiments of up to {shape[1]} seeds (alpha {ALPHA})\n")
    print("| seeds differ as | sd | smallest | bound | betting: decided | t, peeking: decided |")
    print("|---|---|---|---|---|---|")
    for world in WORLDS:
        for smallest, bound in ((0.0, 0.3), (0.05, 0.15), (0.1, 0.3), (-0.05, 0.3), (0.0, 1.0)):
            draws = world.draw(rng, smallest, shape)
            # The cut moves the mean of a skewed world: the truth is that of the cut differences.
            truth = float(np.clip(world.draw(rng, smallest, (4000, 250)), -bound, bound).mean())
            stops = statistics.stopping_times(draws, smallest_effect=truth, alpha=ALPHA, bound=bound)
            ours, peeking = float((stops.seeds > 0).mean()), float(t_decisions(draws, smallest).mean())
            row = (world.name, world.sd, smallest, bound, f"{ours:.3f}", f"{peeking:.3f}")
            print(f"| {' | '.join(map(str, row))} |")

    print("\nStopping times: smallest effect 0.05, bound 0.15; and 0.1, 0.3\n")
    print("| effect | sd | smallest | bound | supports | refutes | undecided | seeds p50 | p80 | told beforehand "
          "| coverage at stopping | at all looks |")  # fmt: skip
    print(f"{'|---' * 12}|")
    for smallest, bound in ((0.05, 0.15), (0.1, 0.3)):
        for effect in (-smallest, 0.0, smallest, 2 * smallest, 3 * smallest, 5 * smallest):
            for sd in (0.03, 0.08):
                draws = np.clip(rng.normal(effect, sd, shape), -1, 1)
                stops = statistics.stopping_times(draws, smallest_effect=smallest, alpha=ALPHA, bound=bound)
                needed = np.where(stops.seeds > 0, stops.seeds, shape[1] + 1)
                p50, p80 = (f"{q:.0f}" if q <= shape[1] else f">{shape[1]}" for q in np.quantile(needed, (0.5, 0.8)))
                told = statistics.seeds_to_decide(
                    smallest_effect=smallest, alpha=ALPHA, bound=bound, seed_sd=sd, max_seeds=60
                )
                truth = float(np.clip(rng.normal(effect, sd, 1_000_000), -bound, bound).mean())
                kept = coverage(draws, stops, truth, bound)
                supports, decided = stops.supports.mean(), (stops.seeds > 0).mean()
                print(
                    f"| {effect:+.2f} | {sd} | {smallest} | {bound} | {supports:.3f} | {decided - supports:.3f} | "
                    f"{1 - decided:.3f} | {p50} | {p80} | {told or '>60'} | "
                    f"{kept.stopping:.3f} | {kept.always:.3f} |"
                )


if __name__ == "__main__":
    main()
