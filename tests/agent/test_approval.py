"""Which experiments start without a question: the times that the lab's protocols give, against the limit as shipped."""

import re
from pathlib import Path

import pytest

from agent.settings import Settings
from claims.report.experiments import expected_minutes
from lab.protocols.design import PILOT_SEEDS
from lab.protocols.registry import get, protocols

ROOT = Path(__file__).parents[2]
NAMES = [p.name for p in protocols()]
AS_SHIPPED = {name: field.default for name, field in Settings.model_fields.items()}


def measured() -> dict[str, float]:
    """Processor seconds of one seed at `tiny`, the last column of the log's table of all protocols."""
    table = (ROOT / "lab" / "LOG.md").read_text(encoding="utf-8").partition("All seven protocols at `tiny`")[2]
    rows = re.findall(r"^\| ([a-z-]+) \| \d+ \|.*\| ([\d.]+) \|$", table, re.MULTILINE)
    return {name: float(seconds) for name, seconds in rows}


def test_the_time_of_a_seed_is_the_one_that_the_log_measured() -> None:
    assert {p.name: p.view().seconds_per_seed["tiny"] for p in protocols()} == measured()


def pilots() -> dict[str, tuple[str, str, str]]:
    """Spread of the primary effect, seeds that decide, and seconds of the base, from the log's table of pilots."""
    table = (ROOT / "lab" / "LOG.md").read_text(encoding="utf-8").partition("What the pilots say beforehand")[2]
    rows = re.findall(r"^\| ([a-z-]+) \| [^|]+ \| ([\d.]+) \| ([^|]+) \| (\d+) \|$", table, re.MULTILINE)
    return {name: (sd, seeds, base) for name, sd, seeds, base in rows}


@pytest.mark.parametrize("name", NAMES)
def test_spread_and_seeds_to_decide_are_those_of_the_logged_pilots(name: str) -> None:
    view = get(name).view()
    sd, seeds, base = pilots()[name]
    assert view.base_seconds["tiny"] == float(base)
    if name == "in-context-alignment":
        assert seeds == "none, at the ceiling"
        assert view.seeds_to_decide == {}
        assert "ceiling" in view.no_room["tiny"]
        return
    assert view.pilot_seeds == PILOT_SEEDS
    assert view.seed_sd["tiny"] == float(sd)
    told = view.seeds_to_decide["tiny"]
    assert seeds == (str(told) if told else f"more than {view.preregistration.max_seeds}")


def test_the_seeds_that_an_experiment_starts_with_decide_none_of_the_shipped_ones_as_settings_say() -> None:
    needed = [n for p in protocols() for n in p.view().seeds_to_decide.values()]
    assert all(n is None or n > AS_SHIPPED["seeds"] for n in needed)
    assert "at the smallest effect of interest it decides none" in (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", NAMES)
def test_a_tiny_experiment_starts_without_a_question_however_many_seeds_it_may_take(name: str) -> None:
    protocol = get(name).view()
    minutes = expected_minutes(protocol, "tiny", max(AS_SHIPPED["seeds"], protocol.preregistration.max_seeds))
    assert minutes is not None
    assert 0 < minutes <= AS_SHIPPED["approve_minutes"]


@pytest.mark.parametrize("name", NAMES)
def test_an_experiment_whose_time_nobody_measured_is_asked_about(name: str) -> None:
    assert "small" in get(name).view().profiles
    assert expected_minutes(get(name).view(), "small", AS_SHIPPED["seeds"]) is None
