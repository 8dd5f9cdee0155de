import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from claims.experiment import Measurement, Outcome
from lab import statistics

differences = st.lists(st.floats(-1, 1), min_size=1, max_size=30)
bounds = st.sampled_from([0.15, 0.3, 1.0])


def plain_wealth(values: list[float], mean: float, bound: float) -> float:
    """The capital process as the paper writes it, in a loop: one bet after the other."""
    total = 0.0
    for bet, weight in zip(statistics.BETS, statistics.BET_WEIGHTS, strict=True):
        capital = 1.0
        for value in values:
            x = (max(-bound, min(bound, value)) / bound + 1) / 2
            capital *= 1 + bet / mean * (x - mean)
        total += weight * capital
    return total


@given(differences, bounds)
@settings(max_examples=60, deadline=None)
def test_the_interval_ends_where_the_plain_capital_process_reaches_its_limit(values, bound):
    found = statistics.interval(values, alpha=0.05, bound=bound)
    for end, sign in ((found.low, 1), (found.high, -1)):
        mean = (sign * end / bound + 1) / 2
        if 1e-6 < mean < 1 - 1e-6:
            assert plain_wealth([sign * v for v in values], mean, bound) == pytest.approx(40.0, rel=1e-6)


@given(differences, bounds, st.randoms())
@settings(max_examples=60, deadline=None)
def test_the_interval_does_not_depend_on_the_order_of_the_seeds(values, bound, rng):
    shuffled = list(values)
    rng.shuffle(shuffled)
    one = statistics.interval(values, alpha=0.05, bound=bound)
    other = statistics.interval(shuffled, alpha=0.05, bound=bound)
    assert one == pytest.approx(other, abs=1e-9)


@given(differences, bounds)
@settings(max_examples=60, deadline=None)
def test_the_interval_holds_the_mean_and_mirrors(values, bound):
    found = statistics.interval(values, alpha=0.05, bound=bound)
    assert found.low <= statistics.cut_mean(values, bound) + 1e-9 <= found.high + 2e-9
    mirrored = statistics.interval([-v for v in values], alpha=0.05, bound=bound)
    assert (mirrored.low, mirrored.high) == pytest.approx((-found.high, -found.low), abs=1e-9)


@given(
    st.lists(st.floats(-1, 1), min_size=6, max_size=24),
    st.floats(-1, 1),
    st.data(),
    st.sampled_from([(-0.05, 0.3), (0.05, 0.3), (0.1, 0.3), (0.1, 1.0), (0.0, 0.15)]),
)
@settings(max_examples=300, deadline=None)
def test_one_changed_seed_never_turns_supports_into_refutes(values, other, data, rule):
    smallest, bound = rule
    at = data.draw(st.integers(0, len(values) - 1))
    changed = [*values[:at], other, *values[at + 1 :]]
    outcomes = {statistics.decide(statistics.interval(v, alpha=0.05, bound=bound), smallest) for v in (values, changed)}
    assert outcomes != {Outcome.SUPPORTS, Outcome.REFUTES}


@given(st.integers(8, 40), st.sampled_from([0.0, 0.05, 0.1]), st.floats(0, 1))
@settings(max_examples=60, deadline=None)
def test_not_even_the_worst_seed_turns_a_bare_supports_into_refutes(n, smallest, share):
    good = [0.3] * int(n * share) + [smallest + 0.02] * (n - int(n * share))
    found = statistics.interval(good, alpha=0.05, bound=0.3)
    assume(statistics.decide(found, smallest) is Outcome.SUPPORTS)
    worst = statistics.interval([-1.0, *good[1:]], alpha=0.05, bound=0.3)
    assert statistics.decide(worst, smallest) is not Outcome.REFUTES


def test_two_thousand_null_experiments_stopped_at_will_decide_at_most_alpha():
    rng = np.random.default_rng(7)
    for name, draws in {
        "quiet": rng.normal(0.0, 0.05, (2000, 40)),
        "noisy": rng.normal(0.0, 0.2, (2000, 40)),
        "coin": rng.choice([-0.3, 0.3], (2000, 40)),
        "rarely bad": np.where(rng.random((2000, 40)) < 0.1, -0.27, 0.03),
    }.items():
        stops = statistics.stopping_times(draws, smallest_effect=0.0, alpha=0.05, bound=0.3)
        assert (stops.seeds > 0).mean() <= 0.05, name


def test_at_the_boundary_supports_and_refutes_together_stay_within_alpha():
    rng = np.random.default_rng(8)
    draws = rng.normal(0.1, 0.08, (2000, 40))
    stops = statistics.stopping_times(draws, smallest_effect=0.1, alpha=0.05, bound=0.3)
    assert (stops.seeds > 0).mean() <= 0.05


@given(st.lists(st.lists(st.floats(-1, 1), min_size=12, max_size=12), min_size=1, max_size=4), bounds)
@settings(max_examples=30, deadline=None)
def test_the_fast_stopping_time_is_the_first_decision_of_the_plain_rule(rows, bound):
    stops = statistics.stopping_times(np.array(rows), smallest_effect=0.05, alpha=0.05, bound=bound)
    for row, seeds, supports in zip(rows, stops.seeds, stops.supports, strict=True):
        plain = 0
        for n in range(1, len(row) + 1):
            outcome = statistics.decide(statistics.interval(row[:n], alpha=0.05, bound=bound), 0.05)
            if outcome is not Outcome.INCONCLUSIVE:
                plain = n
                assert supports == (outcome is Outcome.SUPPORTS)
                break
        assert seeds == plain


@pytest.mark.parametrize("truth", [0.0, 0.05, 0.1])
def test_the_interval_keeps_the_truth_at_the_moment_of_stopping(truth):
    draws = np.random.default_rng(5).normal(truth, 0.04, (1000, 40))
    stops = statistics.stopping_times(draws, smallest_effect=0.05, alpha=0.05, bound=0.3)
    above, below = statistics.sides(draws, truth, alpha=0.05, bound=0.3)
    last = np.where(stops.seeds > 0, stops.seeds, 40) - 1
    missed = (above | below)[np.arange(1000), last]
    assert missed.mean() <= 0.05
    for row in range(0, 1000, 250):
        low, high = statistics.interval(draws[row, : last[row] + 1], alpha=0.05, bound=0.3)
        assert bool(missed[row]) is not (low <= truth <= high), "the fast form is the plain one"


def test_a_clear_effect_is_decided_within_a_dozen_seeds():
    assert statistics.decide(statistics.interval([0.32] * 12, alpha=0.05, bound=0.3), 0.1) is Outcome.SUPPORTS
    assert statistics.decide(statistics.interval([0.0] * 12, alpha=0.05, bound=0.3), 0.1) is Outcome.REFUTES
    assert statistics.decide(statistics.interval([0.1] * 12, alpha=0.05, bound=0.3), 0.1) is Outcome.INCONCLUSIVE


def test_seeds_to_decide_is_what_simulated_experiments_need():
    told = statistics.seeds_to_decide(smallest_effect=0.1, alpha=0.05, bound=0.3, seed_sd=0.06, max_seeds=60)
    assert told is not None
    rng = np.random.default_rng(99)
    for truth in (0.0, 0.2):
        draws = rng.normal(truth, 0.06, (1000, told))
        stops = statistics.stopping_times(draws, smallest_effect=0.1, alpha=0.05, bound=0.3)
        assert (stops.seeds > 0).mean() > 0.75
    assert statistics.seeds_to_decide(smallest_effect=0.01, alpha=0.05, bound=1.0, seed_sd=0.3, max_seeds=20) is None


def test_the_fewest_seeds_are_the_first_that_tell_the_largest_effect_apart():
    n = statistics.fewest_seeds(against=0.0, alpha=0.05, bound=0.3)
    assert statistics.interval([0.3] * n, alpha=0.05, bound=0.3).low > 0
    assert statistics.interval([0.3] * (n - 1), alpha=0.05, bound=0.3).low <= 0


def test_what_is_no_paired_difference_is_refused():
    with pytest.raises(ValueError, match="paired differences"):
        statistics.interval([1.5], alpha=0.05)
    with pytest.raises(ValueError, match="paired differences"):
        statistics.interval([math.nan], alpha=0.05)
    with pytest.raises(ValueError, match="bound"):
        statistics.interval([0.1], alpha=0.05, bound=0.0)
    with pytest.raises(ValueError, match="at least one"):
        statistics.estimate("nothing", [], smallest_effect=0.0, alpha=0.05)


def test_no_seed_says_nothing_and_each_path_point_is_the_interval_so_far():
    assert statistics.interval([], alpha=0.05, bound=0.3) == (-0.3, 0.3)
    values = [0.2, -0.1, 0.25, 0.2]
    steps = statistics.path([3, 4, 5, 6], values, alpha=0.05, bound=0.3)
    assert [s.seed for s in steps] == [3, 4, 5, 6]
    last = statistics.interval(values, alpha=0.05, bound=0.3)
    assert (steps[-1].low, steps[-1].high) == tuple(last)


def test_items_alone_spread_an_effect_by_the_root_of_their_summed_variances():
    one = Measurement(name="m", arm="a", value=0.5, n=100, item_sd=0.5)
    other = Measurement(name="m", arm="b", value=0.5, n=400, item_sd=0.4)
    assert statistics.item_standard_error(one, other) == pytest.approx(math.sqrt(0.0025 + 0.0004))
    assert statistics.item_standard_error(one, other.model_copy(update={"item_sd": None})) is None
