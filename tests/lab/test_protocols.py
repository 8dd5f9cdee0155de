"""Every protocol trains for real with shrunken parameters; what finished seeds mean is judged without torch."""

import random
import re
import statistics
import subprocess
import sys

import pytest

from claims.experiment import ExperimentSpec, Measurement, Outcome
from lab.errors import InvalidSpec
from lab.measure import share
from lab.protocols.protocol import Finished
from lab.protocols.registry import get, protocols
from lab.protocols.rl_generalisation import specialisation

SMALLER = {
    "width": 16, "layers": 1, "heads": 2, "pretrain_steps": 6, "pretrain_batch": 8, "tune_steps": 3, "batch_size": 4,
    "n_items": 12,
}  # fmt: skip
SHRUNK = {
    "data-quantity": {"n_curated": 8, "times": 2},
    "contrastive-pairs": {"n_examples": 6, "second_steps": 2},
    "proxy-tuning": {"n_people": 6, "n_talked_of": 2, "small_width": 8, "small_layers": 1},
    "rl-generalisation": {"n_examples": 8, "n_prompts": 8, "grpo_steps": 2, "grpo_batch": 8, "group": 4},
    "verification-gap": {"n_puzzles": 6, "samples": 2, "rounds": 2},
    "homogeneity": {"n_models": 2, "n_examples": 12, "samples": 3},
    "in-context-alignment": {"n_pool": 24, "k": 2},
}
NAMES = [p.name for p in protocols()]


def seeds(protocol, *, primary, positive=0.4, null=0.0, n=14):
    """Finished seeds in which the three contrasts have these differences, with a fixed wobble between seeds."""
    finished = []
    for seed in range(n):
        values = {}
        wobble = 0.01 * ((seed % 3) - 1)
        wanted = ((protocol.primary, primary + wobble), (protocol.positive, positive), (protocol.null, null - wobble))
        for contrast, difference in wanted:
            plus = (contrast.plus, contrast.metric)
            minus = (contrast.minus, contrast.minus_metric or contrast.metric)
            if minus not in values and plus in values:
                values[minus] = values[plus] - difference
            else:
                values[plus] = values.setdefault(minus, 0.5) + difference
        rows = (Measurement(name=m, arm=a, value=v, n=100, item_sd=0.4) for (a, m), v in values.items())
        finished.append(Finished(seed, tuple(rows), {"scale_params": 1000}))
    return finished


def spec(name, **params):
    return ExperimentSpec(protocol=name, protocol_version=get(name).version, params=params)


def test_the_seven_protocols_are_there_and_importing_them_costs_no_torch():
    assert set(NAMES) == set(SHRUNK)
    code = (
        "import sys; from lab.protocols.registry import protocols; [p.view() for p in protocols()]; "
        "sys.exit(bool({'torch', 'transformers', 'trl'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_design_that_compares_something_else_has_another_version():
    # Whoever changes what is compared raises the version too: records must tell the designs apart.
    assert {p.name: (p.version, *p.primary[:4]) for p in protocols()} == {
        "data-quantity": (1, "accuracy", "curated", "noisy-10x", -0.05),
        "contrastive-pairs": (1, "valid calls", "sft+dpo", "sft-longer", 0.05),
        "proxy-tuning": (2, "facts kept", "proxy-tuned", "direct", 0.05),
        "rl-generalisation": (2, "specialisation", "sft+grpo", "sft", 0.03),
        "verification-gap": (1, "accuracy", "externally-verified", "self-verified", 0.05),
        "homogeneity": (1, "similarity", "shared", "heterogeneous", 0.05),
        "in-context-alignment": (1, "accuracy", "in-context", "tuned", -0.05),
    }


@pytest.mark.parametrize("name", NAMES)
def test_a_protocol_registers_all_that_its_contrasts_use(name):
    protocol = get(name)
    registered = protocol.view().preregistration
    for contrast in (protocol.primary, protocol.null, protocol.positive, *protocol.secondary):
        assert {contrast.plus, contrast.minus} <= set(registered.arms)
        assert abs(contrast.smallest_effect) < contrast.bound <= 1
    assert registered.contrast == f"{protocol.primary.plus} - {protocol.primary.minus}"
    assert registered.primary_metric == protocol.primary.metric
    assert registered.smallest_effect == protocol.primary.smallest_effect
    assert protocol.null.smallest_effect == 0.0
    assert registered.threats
    assert registered.equalised
    assert registered.departs_from
    assert set(protocol.view().profiles) == {"tiny", "small"}


@pytest.mark.parametrize("name", NAMES)
def test_no_hypothesis_or_prediction_states_a_number_that_a_parameter_sets(name):
    registered = get(name).view().preregistration
    said = f"{registered.hypothesis} {registered.prediction}"
    numbers = set(re.findall(r"(?<![\w.-])-?\d+(?:\.\d+)?(?!\w)", said)) - {f"{registered.smallest_effect:g}"}
    # The target of n-1 is a name: "on n exceeds what it gains on n-1".
    assert not numbers
    words = "two three four five six seven eight nine ten twice sixty hundred thousand"
    assert not set(words.split()) & set(said.lower().split())


@pytest.mark.parametrize("name", NAMES)
def test_parameters_are_a_profiles_defaults_with_what_was_asked_and_nothing_unknown(name):
    protocol = get(name)
    assert protocol.parameters("tiny", {})["model"] == "tiny"
    assert protocol.parameters("tiny", {"n_items": 99})["n_items"] == 99
    with pytest.raises(InvalidSpec, match="n_itemz"):
        protocol.parameters("tiny", {"n_itemz": 3})
    with pytest.raises(InvalidSpec, match="n_items"):
        protocol.parameters("tiny", {"n_items": "many"})
    with pytest.raises(InvalidSpec, match="no profile"):
        protocol.parameters("enormous", {})
    with pytest.raises(InvalidSpec, match="needs `model`"):
        protocol.parameters("small", {})
    assert protocol.parameters("small", {"model": "some/folder"})["learning_rate"] == 2e-4


@pytest.mark.parametrize(
    ("name", "params", "says"),
    [
        ("data-quantity", {"heads": 7}, "width 64 is no multiple of 14, twice the 7 heads"),
        ("data-quantity", {"width": 12, "heads": 4}, "width 12 is no multiple of 8"),
        ("data-quantity", {"base_seed": 10**400}, "base_seed: "),
        ("data-quantity", {"base_seed": -1}, "base_seed: "),
        ("data-quantity", {"n_items": 10**9}, "n_items: Input should be less than or equal to 100000"),
        ("data-quantity", {"n_curated": 2}, "n_curated: "),
        ("data-quantity", {"learning_rate": float("inf")}, "learning_rate: "),
        ("data-quantity", {"n_itemz": 1}, "there is no parameter 'n_itemz'"),
        ("proxy-tuning", {"small_width": 10}, "small_width 10 is no multiple of 8"),
        ("rl-generalisation", {"grpo_batch": 60}, "grpo_batch 60 is no multiple of group 8"),
    ],
)
def test_parameters_that_no_run_could_take_are_refused_before_one_begins(name, params, says):
    with pytest.raises(InvalidSpec, match=f"^{name} cannot run with these parameters: .*{says}"):
        get(name).parameters("tiny", params)


def test_an_unknown_protocol_is_refused_with_the_known_ones():
    with pytest.raises(InvalidSpec, match="data-quantity"):
        get("astrology")


@pytest.mark.parametrize("name", NAMES)
def test_a_clear_effect_supports_none_refutes_and_few_seeds_leave_it_open(name):
    protocol = get(name)
    smallest, bound = protocol.primary.smallest_effect, protocol.primary.bound
    for difference, n, outcome in (
        (bound, 20, Outcome.SUPPORTS),
        (-bound, 20, Outcome.REFUTES),
        (bound, 2, Outcome.INCONCLUSIVE),
        (smallest, 20, Outcome.INCONCLUSIVE),
    ):
        finished = seeds(protocol, primary=difference, n=n)
        result = protocol.analyse(spec(name), finished)
        assert result.outcome is outcome, result.reason
        assert result.primary is not None
        assert result.primary.low <= result.primary.effect <= result.primary.high
        assert result.primary.item_se == pytest.approx((2 * 0.4**2 / 100) ** 0.5)
        assert [p.seed for p in result.path] == list(range(n))
        assert result.scale_params == 1000
        assert protocol.analyse(spec(name), finished[::-1]) == result


@pytest.mark.parametrize("name", NAMES)
def test_a_null_arm_that_decides_or_a_positive_control_not_found_makes_it_invalid(name):
    protocol = get(name)
    bound = protocol.primary.bound
    for broken in ({"null": 0.3}, {"positive": -0.2}):
        result = protocol.analyse(spec(name), seeds(protocol, primary=bound, n=20, **broken))
        assert result.outcome is Outcome.INVALID, result.reason
        assert [c.kind for c in result.controls if c.passed is False] == ["null" if "null" in broken else "positive"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("value", "end"), [(0.99, "ceiling"), (0.01, "floor")])
def test_arms_that_both_lie_at_an_end_of_the_metric_decide_nothing(name, value, end):
    protocol = get(name)
    for metric in protocol.saturable or (protocol.primary.metric,):
        finished = seeds(protocol, primary=protocol.primary.bound, n=20)
        full = {
            (metric, protocol.primary.plus): Measurement(name=metric, arm=protocol.primary.plus, value=value, n=100),
            (metric, protocol.primary.minus): Measurement(
                name=metric, arm=protocol.primary.minus, value=value - 0.005, n=100
            ),
        }
        ended = [
            one._replace(measurements=tuple(({(m.name, m.arm): m for m in one.measurements} | full).values()))
            for one in finished
        ]
        result = protocol.analyse(spec(name), [*finished[:2], *ended[2:]])
        assert result.outcome is not Outcome.SUPPORTS
        assert result.outcome is not Outcome.REFUTES
        assert result.is_saturated
        if result.outcome is Outcome.INCONCLUSIVE:
            assert f"both arms at the {end} ({metric}" in result.reason
            assert "in 18 of 20 seeds" in result.reason
        some = protocol.analyse(spec(name), [*finished[:3], *ended[3:]])
        assert not some.is_saturated, "three of twenty had room"


def test_examples_in_context_no_longer_support_by_being_as_perfect_as_tuning():
    protocol = get("in-context-alignment")
    perfect = {"in-context": 1.0, "in-context-again": 1.0, "tuned": 1.0, "base": 0.0}
    rows = tuple(Measurement(name="accuracy", arm=a, value=v, n=240, item_sd=0.0) for a, v in perfect.items())
    result = protocol.analyse(spec(protocol.name), [Finished(seed, rows, {}) for seed in range(26)])
    assert result.primary is not None
    assert result.primary.low > protocol.primary.smallest_effect, "the interval alone would support"
    assert result.outcome is Outcome.INCONCLUSIVE
    assert result.seeds_to_decide is None


def test_seeds_that_differ_more_than_the_pilots_take_more_to_decide():
    protocol = get("data-quantity")
    alike = protocol.analyse(spec(protocol.name), seeds(protocol, primary=-0.05))
    assert alike.seeds_to_decide is not None
    assert f"takes about {alike.seeds_to_decide} seeds in all" in alike.reason
    apart = seeds(protocol, primary=0.25)[:7] + seeds(protocol, primary=-0.35)[7:]
    wild = protocol.analyse(spec(protocol.name), apart)
    assert wild.seeds_to_decide is None or wild.seeds_to_decide > alike.seeds_to_decide
    assert (wild.seeds_to_decide is None) == ("may take more seeds than are registered" in wild.reason)


def test_what_was_not_measured_is_not_counted_as_nothing():
    protocol = get("data-quantity")
    assert protocol.analyse(spec("data-quantity"), []).outcome is Outcome.INCONCLUSIVE
    missing = Measurement(name="accuracy", arm="curated", value=None, n=0, missing_because="crashed")
    result = protocol.analyse(spec("data-quantity"), [Finished(0, (missing,), {})])
    assert result.outcome is Outcome.INVALID
    assert result.primary is None


def test_extreme_seeds_that_pull_the_plain_mean_across_the_boundary_leave_it_open():
    protocol = get("contrastive-pairs")
    good = seeds(protocol, primary=0.14, n=30)

    def fallen(measured):
        return measured.model_copy(update={"value": 0.0}) if measured.arm == "sft+dpo" else measured

    bad = [s._replace(measurements=tuple(map(fallen, s.measurements))) for s in good[:7]]
    result = protocol.analyse(spec("contrastive-pairs"), [*bad, *good[7:]])
    assert result.outcome is Outcome.INCONCLUSIVE


def test_specialisation_carries_the_item_spread_of_both_sizes():
    rng = random.Random(3)
    draws = []
    for _ in range(4000):
        on_n = share("accuracy on n", "a", [rng.random() < 0.4 for _ in range(25)])
        on_fewer = share("accuracy on n-1", "a", [rng.random() < 0.8 for _ in range(25)])
        draws.append(specialisation(on_n, on_fewer))
    told = statistics.fmean(one.item_sd / one.n**0.5 for one in draws)
    # 4,000 draws give a standard deviation to about 1.1 %, three of which are allowed.
    assert told == pytest.approx(statistics.stdev(one.value for one in draws), rel=0.035)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_one_seed_trains_measures_every_arm_and_is_repeated_by_its_seed(name, tmp_path, monkeypatch):
    pytest.importorskip("torch", reason="the lab's extra is not installed")
    monkeypatch.setenv("RETEST_LAB_CACHE", str(tmp_path / "cache"))
    protocol = get(name)
    told = []
    asked = spec(name, **{**SMALLER, **SHRUNK[name]})
    first, again = (
        protocol.run(asked.run(3), tmp_path / which, lambda **k: told.append(k)) for which in ("one", "two")
    )
    assert first.measurements == again.measurements
    assert {m.arm for m in first.measurements} == set(protocol.view().preregistration.arms)
    # An untrained model may agree with itself on nothing: then there is no share of right ones among the kept.
    assert all(0 <= m.value <= 1 for m in first.measurements if m.name != "kept answers right")
    result = protocol.analyse(asked, [Finished(3, first.measurements, first.record)])
    assert result.primary is not None
    assert result.primary.item_se is not None
    assert all(c.estimate is not None and c.estimate.item_se is not None for c in result.controls)
    assert {e.name for e in result.secondary} <= {c.name for c in protocol.secondary}
    record = first.record
    assert record["scale_params"] == result.scale_params > 0
    assert record["data_digest"] == again.record["data_digest"]
    assert all(d.startswith("sha256:") for d in record["data_digest"].values())
    assert all(base["curve"] and base["probes"] and base["base"] for base in record["bases"].values())
    assert record["curves"] == again.record["curves"]
    assert {k["phase"] for k in told} >= {"pretrain", "train", "evaluate"}
    primary = {m.value for m in first.measurements if m.name.startswith(protocol.primary.metric)}
    shown = {k["metric"] for k in told if k.get("metric") is not None and k.get("arm")}
    assert shown
    assert shown <= primary, "the metric shown while it runs is the primary one"
    in_bases = [k["base_seconds"] for k in told if k.get("message") == "seed finished"]
    assert in_bases == pytest.approx([one.record["base_seconds"] for one in (first, again)], abs=0.02)
    assert in_bases[0] > 0
    assert all(base["from_cache"] for base in again.record["bases"].values())
