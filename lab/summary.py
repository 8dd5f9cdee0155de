"""What an experiment's runs come to together: its state, what its seeds say, and how long it will take."""

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime

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


def usual_seconds(catalogue: Catalogue, spec: ExperimentSpec, runs: Sequence[RunView]) -> float | None:
    """What a seed takes: what finished ones took, else what the protocol says; None when neither is known."""
    took = [run.seconds for run in runs if run.state is RunState.SUCCEEDED and run.seconds is not None]
    if took:
        return sum(took) / len(took)
    try:
        return catalogue.find(spec.protocol, spec.protocol_version).view().seconds_per_seed.get(spec.profile)
    except InvalidSpec:
        return None


def seconds_left(
    runs: Sequence[RunView],
    told: Mapping[str, float],
    usual: float | None,
    now: datetime,
    *,
    side_by_side: int,
) -> float | None:
    """Estimate the seconds to the end; None when nothing is known about a run that is open.

    told: what runs say of themselves, by id. side_by_side: how many may work at a time.
    """
    left = 0.0
    open_runs = [run for run in runs if not run.state.is_final]
    for run in open_runs:
        if run.id in told:
            left += told[run.id]
        elif usual is None:
            return None
        elif run.state is RunState.RUNNING and run.started_at is not None:
            left += max(usual - (now - run.started_at).total_seconds(), 1.0)
        else:
            left += usual
    return left / max(1, min(len(open_runs), side_by_side))
