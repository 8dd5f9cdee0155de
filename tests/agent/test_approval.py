"""Which experiments start without a question: the times that the lab's protocols give, against the limit as shipped."""

import re
from pathlib import Path

import pytest

from agent.settings import Settings
from claims.report.experiments import expected_minutes
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
