"""What people must read of an experiment beside its primary effect: the other effects, and what it was told to do."""

from claims.experiment import Estimate, ExperimentResult, ExperimentView
from claims.report import numbers

BESIDE = "each interval stands alone, and none enters the outcome"
"""How to read secondary effects."""


def secondary(result: ExperimentResult) -> list[str]:
    """Give each secondary effect as a line: what was compared, the effect with interval and n, and what it says."""
    return [f"{e.name}: {numbers.estimate(e)}, {says(e)}" for e in result.secondary]


def says(e: Estimate) -> str:
    """Say where an interval lies, seen from the smallest effect of interest."""
    at = numbers.signed(e.smallest_effect, 2) if e.smallest_effect else "0"
    if e.low > e.smallest_effect:
        return f"above {at}"
    if e.high < e.smallest_effect:
        return f"below {at}"
    return f"undecided against {at}"


def departures(x: ExperimentView) -> str:
    """Say which parameters differ from the registered defaults, these in brackets; empty when none does."""
    told = [
        f"{name}={value}" + (f" ({x.defaults[name]})" if x.defaults.get(name, "") != "" else "")
        for name, value in sorted(x.spec.params.items())
        if name not in x.defaults or x.defaults[name] != value
    ]
    return f"differs from the registered defaults: {', '.join(told)}" if told else ""


DEFAULTS_SPEAK = "Names of arms and the sentences of the design speak of the defaults."
"""Stands beside what differs."""
