"""What an experiment's runs come to together: its state, what its seeds say, and how long it will take."""

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from claims.experiment import ExperimentResult, ExperimentSpec, Outcome, RunState, RunView
from lab.catalogue import Catalogue
from lab.errors import InvalidSpec
from lab.protocols.protocol import Finished

log = logging.getLogger(__name__)


def state_of_all(runs: Sequence[RunView]) -> RunState:
    """Sum up: open while any run is open; failed when any failed; cancelled when any was; else succeeded."""
    states = {run.state for run in runs}
    if RunState.RUNNING in states:
        return RunState.RUNNING
    if RunState.QUEUED in states:
        # Some seeds are done and others wait: it is under way.
        return RunState.RUNNING if RunState.SUCCEEDED in states else RunState.QUEUED
    for state in (RunState.FAILED, RunState.CANCELLED):
        if state in states:
            return state
    return RunState.SUCCEEDED


def result_of(catalogue: Catalogue, spec: ExperimentSpec, runs: Sequence[RunView]) -> ExperimentResult | None:
    """Say what the finished seeds mean; None while there is none.

    Seeds that fail are not missing at random: what the others say may be true of survivors only. So one failed run
    makes the outcome invalid.
    """
    done = [run for run in runs if run.state is RunState.SUCCEEDED]
    if not done:
        return None
    failed = [run for run in runs if run.state is RunState.FAILED]
    try:
        protocol = catalogue.find(spec.protocol, spec.protocol_version)
    except InvalidSpec as exc:
        return ExperimentResult(outcome=Outcome.INCONCLUSIVE, reason=f"its seeds cannot be read: {exc}", primary=None)
    try:
        result = protocol.analyse(spec, [Finished(run.spec.seed, run.measurements, run.record) for run in done])
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as exc:
        # A protocol of one's own may be wrong about its own measurements; its experiment is, the others are not.
        log.exception("the analysis of %s failed", spec.id)
        why = f"its analysis failed: {type(exc).__name__}: {exc}"
        return ExperimentResult(outcome=Outcome.INVALID, reason=why, primary=None)
    if not failed:
        return result
    seeds = ", ".join(str(run.spec.seed) for run in failed)
    reason = f"{len(failed)} of {len(runs)} runs failed (seed {seeds}); else: {result.reason}"
    return result.model_copy(update={"outcome": Outcome.INVALID, "reason": reason})


class Usual(NamedTuple):
    """What a seed takes, in seconds."""

    seed: float | None
    """beside building the base; None when nobody knows"""
    base: float
    """building the base or bases; 0 when they are there, or when nobody knows"""
    arms: tuple[str, ...] = ()
    """the protocol's, in the order of work, where `seed` was measured on another machine, which may be faster"""


def usual(catalogue: Catalogue, spec: ExperimentSpec, runs: Sequence[RunView]) -> Usual:
    """Tell what a seed takes: what finished ones took, else what the protocol says of its defaults."""
    took = [
        run.seconds - _number(run.record.get("base_seconds"))
        for run in runs
        if run.state is RunState.SUCCEEDED and run.seconds is not None
    ]
    if took:
        return Usual(sum(took) / len(took), 0.0)
    try:
        protocol = catalogue.find(spec.protocol, spec.protocol_version).view()
    except InvalidSpec:
        return Usual(None, 0.0)
    if spec.params:
        # With other steps or another model it is another length.
        return Usual(None, 0.0)
    seed, base = protocol.seconds_per_seed.get(spec.profile), protocol.base_seconds.get(spec.profile, 0.0)
    return Usual(seed, base, protocol.preregistration.arms)


class Left(NamedTuple):
    """What one run has before it, in seconds."""

    base: float
    """to the end of building bases, which other seeds wait for"""
    seed: float
    """the rest"""


def left_of(run: RunView, line: Mapping[str, object] | None, took: Usual, now: datetime) -> Left | None:
    """Estimate what a running run has before it; None when nobody knows what a seed takes.

    line: what it told last. Its `seconds_left` are those of one arm in one phase, and others may follow: they are no
    more than the least that is left.
    """
    if took.seed is None or run.started_at is None:
        return None
    spent = (now - run.started_at).total_seconds()
    if line is None:
        base = max(took.base - spent, 0.0)
        return Left(base, max(took.seed - max(spent - took.base, 0.0), _LEAST_S))
    in_bases, told = _number(line.get("base_seconds")), _number(line.get("seconds_left"))
    since = max((now - _at(line, now)).total_seconds(), 0.0)
    if line.get("phase") == "pretrain":
        base = max(told, took.base - in_bases)
        # No arm has begun: what went by beside the base were imports.
        return Left(max(base - since, 0.0), took.seed)
    own = spent - in_bases
    return Left(0.0, max(took.seed - own, told - since, _paced(line, took.arms, own - since), _LEAST_S))


def _paced(line: Mapping[str, object], arms: Sequence[str], spent: float) -> float:
    """Estimate what is left from the arms that are done, as if all took as long; 0 while none is.

    It only corrects a machine that is slower than the one where a seed was measured, until its first seed is done.
    """
    arm = str(line.get("arm") or "")
    done = next((i for i, name in enumerate(arms) if arm == name or arm.startswith(f"{name} ")), 0)
    return spent * (len(arms) - done - 1) / done if done else 0.0


def seconds_left(
    runs: Sequence[RunView],
    told: Mapping[str, Mapping[str, object] | None],
    took: Usual,
    now: datetime,
    *,
    side_by_side: int,
) -> float | None:
    """Estimate the seconds to the end; None when nothing is known about a run that is open.

    told: the last line of each run that works, by id. side_by_side: how many may work at a time. Seeds wait for the
    base while one of them builds it.
    """
    open_runs = [run for run in runs if not run.state.is_final]
    if not open_runs:
        return 0.0
    if took.seed is None:
        return None
    waiting = Left(0.0 if any(run.started_at is not None for run in runs) else took.base, took.seed)
    left = [
        (left_of(run, told.get(run.id), took, now) if run.state is RunState.RUNNING else None) or waiting
        for run in open_runs
    ]
    return max(one.base for one in left) + sum(one.seed for one in left) / max(1, min(len(open_runs), side_by_side))


_LEAST_S = 1.0
"""What is left of a run that takes longer than usual."""


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


def _at(line: Mapping[str, object], now: datetime) -> datetime:
    try:
        at = datetime.fromisoformat(str(line.get("at")))
    except ValueError:
        return now
    return at if at.tzinfo is not None else now
