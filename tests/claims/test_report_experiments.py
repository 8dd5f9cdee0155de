"""What stands beside an experiment's primary effect in every format."""

import pytest

from claims.experiment import Estimate, ExperimentSpec, ExperimentView, ProtocolView
from claims.report import markdown
from claims.report.experiments import DEFAULTS_SPEAK, departures, expected_length, models_of, planned, says, secondary
from claims.report.html import experiment_page, experiment_section
from claims.report.numbers import duration
from tests.dossiers import estimate, experiment, full

LOSES = estimate(-0.27, 0.06, n=26).model_copy(
    update={"name": "accuracy: curated - curated-10x", "smallest_effect": -0.05}
)
TOLD = "accuracy: curated - curated-10x: −0.270 [−0.330, −0.210] (95 %, n = 26 seeds), below −0.05"


def with_secondary(*effects: Estimate, **more: object) -> ExperimentView:
    seen = experiment(**more)
    assert seen.result is not None
    return seen.model_copy(update={"result": seen.result.model_copy(update={"secondary": effects})})


def changed(**params: object) -> ExperimentView:
    spec = ExperimentSpec.model_validate({"protocol": "data-quantity", "protocol_version": 1, "params": params})
    return experiment(spec=spec, defaults={"tune_steps": 120, "times": 10, "model": ""})


@pytest.mark.parametrize(
    ("effect", "half", "smallest", "said"),
    [
        (0.2, 0.1, 0.05, "above +0.05"),
        (0.0, 0.04, 0.05, "below +0.05"),
        (0.1, 0.2, 0.05, "undecided against +0.05"),
        (-0.02, 0.02, -0.05, "above −0.05"),
        (0.3, 0.1, 0.0, "above 0"),
    ],
)
def test_an_interval_says_on_which_side_of_the_smallest_effect_it_lies(
    effect: float, half: float, smallest: float, said: str
) -> None:
    assert says(estimate(effect, half).model_copy(update={"smallest_effect": smallest})) == said


def test_a_secondary_effect_that_tells_against_a_supported_claim_is_in_every_format() -> None:
    seen = with_secondary(LOSES)
    assert seen.result is not None
    assert secondary(seen.result) == [TOLD]
    assert TOLD in experiment_page(seen)
    assert TOLD in experiment_section(seen, {})
    first, *others = full().claims
    report = full().model_copy(update={"claims": (first.model_copy(update={"experiments": (seen,)}), *others)})
    text = markdown.render(report).replace("\\", "")
    assert TOLD in text
    assert "none enters the outcome" in text


def test_only_parameters_that_differ_are_named_with_what_was_registered() -> None:
    assert departures(changed(tune_steps=1, times=10, model="a/b")) == (
        "differs from the registered defaults: tune_steps=1 (120)"
    )
    assert departures(changed(times=10)) == ""
    assert departures(experiment()) == ""


@pytest.mark.parametrize(
    ("params", "told"),
    [
        ({"model": "a/b", "revision": "0123456789abcdef" * 2 + "01234567"}, "trains a/b (revision 0123456789ab)"),
        ({"model": "/home/me/m/", "revision": "sha256:" + "ab" * 32}, "trains m (content abababababab)"),
        ({"model": "a/b", "small_model": "a/c"}, "trains a/b (not pinned) and a/c (not pinned)"),
        ({"model": "tiny", "times": 2}, ""),
    ],
)
def test_a_model_that_a_profile_leaves_to_be_named_is_told_and_is_no_departure(
    params: dict[str, object], told: str
) -> None:
    seen = changed(**params)
    assert models_of(seen) == told
    assert "model" not in departures(seen)
    assert (told in experiment_page(seen)) or not told
    assert "/home" not in experiment_page(seen)


def test_a_model_in_the_place_of_a_registered_one_is_a_departure_without_its_folder() -> None:
    seen = changed(model="/home/me/m").model_copy(update={"defaults": {"model": "tiny"}})
    assert departures(seen) == "differs from the registered defaults: model=m (tiny)"


def test_what_differs_stands_on_the_page_and_in_the_report() -> None:
    seen = changed(times=2)
    assert "differs from the registered defaults: times=2 (10)" in experiment_page(seen)
    assert DEFAULTS_SPEAK in experiment_page(seen)
    assert DEFAULTS_SPEAK not in experiment_page(experiment())


def offered(**more: object) -> ProtocolView:
    fields = {"name": "data-quantity", "version": 1, "title": "t", "family": "f", "profiles": ("tiny", "small")}
    seen = {**fields, "preregistration": experiment().preregistration, "seconds_per_seed": {"tiny": 14.0}, **more}
    return ProtocolView.model_validate(seen)


@pytest.mark.parametrize(
    ("profile", "needed", "said"),
    [
        ("tiny", 8, "takes about 8 seeds; 8 will probably do"),
        ("tiny", 23, "takes about 23 seeds; 8 will probably leave such an effect undecided"),
        ("tiny", None, "takes more than the 60 seeds registered; 8 will probably leave such an effect undecided"),
        ("small", 23, "how many seeds decide was never measured for data-quantity at small"),
    ],
)
def test_what_an_experiment_will_probably_come_to_is_said_before_it_starts(
    profile: str, needed: int | None, said: str
) -> None:
    registered = experiment().preregistration.model_copy(update={"max_seeds": 60, "smallest_effect": -0.05})
    protocol = offered(preregistration=registered, seeds_to_decide={"tiny": needed})
    assert planned(protocol, profile, 8).endswith(said)
    if profile == "tiny":
        assert planned(protocol, profile, 8).startswith("telling an effect 0.05 above or below the smallest")


def test_what_deciding_takes_stands_with_the_spread_that_it_rests_on_or_why_nothing_decides() -> None:
    protocol = offered(seeds_to_decide={"tiny": 23}, seed_sd={"tiny": 0.0412}, pilot_seeds=6)
    assert planned(protocol, "tiny", 8).endswith(
        "takes about 23 seeds (sd 0.041 over 6 pilot seeds); 8 will probably leave such an effect undecided"
    )
    full = offered(no_room={"tiny": "both arms lay at the ceiling"})
    assert planned(full, "tiny", 60) == "no number of seeds decides: in pilots both arms lay at the ceiling"


def test_the_length_of_an_experiment_holds_the_base_and_is_never_none_at_all() -> None:
    assert expected_length(offered(), "tiny", 8) == "about 112 seconds"
    assert expected_length(offered(base_seconds={"tiny": 70.0}), "tiny", 8) == "about 3 minutes"
    assert expected_length(offered(), "small", 8) == "an unknown time"
    assert [duration(s) for s in (0.2, 1, 20, 119.4, 121, 7200)] == [
        "0 seconds", "1 second", "20 seconds", "119 seconds", "2 minutes", "120 minutes",
    ]  # fmt: skip
