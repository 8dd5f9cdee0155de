"""The lab's book: which experiments were asked for, and what their runs came to. Plain files, no engine's types.

    experiments/<experiment id>.json     the spec, its pre-registration as it was at first, seeds and limits asked for
    experiments/<id>.completed           the id that the spec got last, when settings of the lab named its model
    runs/<run id>/                       see lab/runs.py

Two experiments of one design share their runs. A run that failed is a result: sending its experiment again does not
run it again, unless that is asked for (`retry_failed`) or it broke a limit that is now another one.
"""

import errno
import logging
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from claims.clock import Clock
from claims.experiment import (
    MAX_SEEDS,
    ExperimentResult,
    ExperimentSpec,
    ExperimentView,
    Limits,
    PreRegistration,
    RunSpec,
    RunState,
    RunView,
    Scalar,
    Submission,
)
from lab.catalogue import Catalogue
from lab.errors import CorruptRunFolder, InvalidSpec, NoSuchExperiment
from lab.progress import last_line
from lab.runs import (
    MAX_ATTEMPTS,
    Attempt,
    Cancel,
    End,
    Ending,
    Exit,
    Order,
    RunFolder,
    held,
    read_model,
    write_atomic,
    write_model,
)
from lab.summary import Usual, result_of, seconds_left, state_of_all, usual

log = logging.getLogger(__name__)

_STATE = {
    Ending.SUCCEEDED: RunState.SUCCEEDED,
    Ending.CANCELLED: RunState.CANCELLED,
}
"""What an ending means to whoever asked; every other one is a failure."""


class Entry(BaseModel):
    """An experiment in the book."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    spec: ExperimentSpec
    preregistration: PreRegistration
    """as it was when the experiment was first sent; never edited"""
    defaults: dict[str, Scalar] = Field(default_factory=dict)
    """parameters of its profile, as they were then"""
    n_seeds: int = Field(ge=1, le=MAX_SEEDS)
    limits: Limits
    """of the seeds that were asked for last"""
    named_limits: dict[str, int | float] = Field(default_factory=dict)
    """those that somebody named; they hold for seeds that are added later too"""
    submitted_at: datetime


class Submitted(NamedTuple):
    """What came of a submission."""

    entry: Entry
    is_new: bool
    """whether anything was asked for that was not before"""
    waiting: tuple[Order, ...]
    """runs that have no end yet; they must be in the queue"""


class Ledger:
    """Experiments and runs in the lab's folder."""

    def __init__(self, home: Path, catalogue: Catalogue, clock: Clock) -> None:
        self._home = home
        self._catalogue = catalogue
        self._clock = clock
        self._results: dict[str, tuple[tuple[object, ...], ExperimentResult]] = {}
        for folder in (self.experiments, self.runs):
            folder.mkdir(parents=True, exist_ok=True)

    @property
    def experiments(self) -> Path:
        """Folder of the experiments."""
        return self._home / "experiments"

    @property
    def runs(self) -> Path:
        """Folder of the runs."""
        return self._home / "runs"

    def run(self, run_id: str) -> RunFolder:
        """One run's folder."""
        return RunFolder(self.runs, run_id)

    def submit(
        self,
        submission: Submission,
        *,
        retry_failed: bool = False,
        runs: ExperimentSpec | None = None,
        usual: Limits | None = None,
    ) -> Submitted:
        """Bring an experiment to its number of seeds. Raises InvalidSpec.

        runs: the spec as this lab completed it, where that is another one. usual: limits where nobody names others.
        """
        spec = runs or submission.spec
        try:
            spec.model_dump_json().encode()
            name = spec.id
        except ValueError as exc:
            raise InvalidSpec(f"the specification cannot be written as JSON: {exc}") from exc
        protocol = self._catalogue.find(spec.protocol, spec.protocol_version)
        protocol.parameters(spec.profile, spec.params)
        offered = protocol.view()
        with held(self._home / "ledger.lock"):
            entry = self._entry(name)
            is_new = entry is None or submission.n_seeds > entry.n_seeds
            if entry is None:
                entry = Entry(
                    spec=spec,
                    preregistration=offered.preregistration,
                    defaults=offered.defaults.get(spec.profile, {}),
                    n_seeds=submission.n_seeds,
                    limits=submission.limits,
                    submitted_at=self._clock.now(),
                )
            if submission.n_seeds > entry.preregistration.max_seeds:
                raise InvalidSpec(
                    f"asks for {submission.n_seeds} seeds; {spec.protocol} is registered for at most "
                    f"{entry.preregistration.max_seeds}"
                )
            named = entry.named_limits | submission.limits.model_dump(exclude_unset=True)
            entry = entry.model_copy(
                update={
                    "n_seeds": max(entry.n_seeds, submission.n_seeds),
                    "limits": Limits.model_validate((usual or Limits()).model_dump() | named),
                    "named_limits": named,
                }
            )
            write_model(self.experiments / f"{name}.json", entry)
            if submission.spec.id != name:
                write_atomic(self.experiments / f"{submission.spec.id}.completed", name.encode())
            waiting = []
            for seed in spec.seeds(entry.n_seeds):
                order, is_begun = self._order(spec.run(seed), entry.limits, retry_failed=retry_failed)
                is_new = is_new or is_begun
                if order is not None:
                    waiting.append(order)
        return Submitted(entry, is_new, tuple(waiting))

    def _order(self, spec: RunSpec, limits: Limits, *, retry_failed: bool) -> tuple[Order | None, bool]:
        """Give the run's open order, and whether it begins a round; None for a run that is over."""
        run = self.run(spec.id)
        try:
            order = run.order()
            if order is not None and order.spec == spec:
                state, attempt = self._state(run, order)
                if not state.is_final:
                    return order, False
                if state is RunState.SUCCEEDED and attempt is not None:
                    attempt.record()
                end = run.end(order)
                is_other_limit = (
                    end is not None
                    and end.ending in (Ending.TIME_LIMIT, Ending.MEMORY_LIMIT)
                    and limits.model_copy(update={"priority": order.limits.priority}) != order.limits
                )
                if state is RunState.SUCCEEDED or (
                    state is RunState.FAILED and not retry_failed and not is_other_limit
                ):
                    return None, False
                return self._next_round(run, order, limits), True
        except CorruptRunFolder:
            return self._fresh_round(run, spec, limits), True
        fresh = Order(spec=spec, limits=limits, queued_at=self._clock.now())
        run.place(fresh)
        return fresh, True

    def _next_round(self, run: RunFolder, order: Order, limits: Limits) -> Order:
        begun = Order(
            spec=order.spec,
            limits=limits,
            round=order.round + 1,
            first_attempt=order.first_attempt + MAX_ATTEMPTS,
            queued_at=self._clock.now(),
        )
        run.place(begun)
        return begun

    def _fresh_round(self, run: RunFolder, spec: RunSpec, limits: Limits) -> Order:
        """Begin after everything that stands in a folder whose own account of itself cannot be trusted."""
        rounds = [_number(path.stem, "end-") for path in run.folder.glob("end-*.json")]
        attempts = [_number(path.name, "a") for path in run.folder.glob("a*")]
        order = Order(
            spec=spec,
            limits=limits,
            round=max(rounds, default=0) + 1,
            first_attempt=max(attempts, default=0) + 1,
            queued_at=self._clock.now(),
        )
        path = run.folder / "order.json"
        if path.is_dir():
            path.rename(run.folder / f"corrupt-{order.round}-order.json")
        run.place(order)
        return order

    def cancel(self, experiment_id: str) -> list[Order]:
        """Ask every run of an experiment that is not over to stop. Gives their orders. Raises NoSuchExperiment.

        A run that another experiment waits for too is stopped with it: they asked for the same thing.
        """
        entry = self.entry(experiment_id)
        asked = []
        for seed in entry.spec.seeds(entry.n_seeds):
            run = self.run(entry.spec.run(seed).id)
            try:
                order = run.order()
                if order is None or self._state(run, order)[0].is_final:
                    continue
                run.ask_to_stop(order, Cancel(at=self._clock.now()))
            except CorruptRunFolder:
                continue
            asked.append(order)
        return asked

    def entry(self, experiment_id: str) -> Entry:
        """One experiment, by its own name or the one it was asked for by. Raises NoSuchExperiment, CorruptRunFolder."""
        entry = self._entry(experiment_id)
        if entry is None:
            raise NoSuchExperiment(experiment_id)
        return entry

    def _entry(self, experiment_id: str) -> Entry | None:
        if not experiment_id.startswith("exp-") or not experiment_id.removeprefix("exp-").isalnum():
            return None
        entry = read_model(self.experiments / f"{experiment_id}.json", Entry)
        completed = self.experiments / f"{experiment_id}.completed"
        return self._entry(completed.read_text()) if entry is None and completed.is_file() else entry

    def entries(self) -> Iterator[Entry]:
        """All experiments whose file can be read, newest first."""
        found = []
        for path in self.experiments.glob("exp-*.json"):
            try:
                entry = read_model(path, Entry)
            except CorruptRunFolder as exc:
                log.warning("left out of the list: %s", exc)
                continue
            if entry is not None:
                found.append(entry)
        yield from sorted(found, key=lambda entry: entry.submitted_at, reverse=True)

    def open_orders(self) -> Iterator[Order]:
        """Every run that was asked for and has no end."""
        for folder in self.runs.glob("run-*"):
            run = self.run(folder.name)
            try:
                order = run.order()
                if order is not None and run.end(order) is None:
                    yield order
            except CorruptRunFolder:
                continue

    def run_view(self, spec: RunSpec) -> RunView:
        """One run as it stands. What cannot be read is a failed run that says so, never an empty one."""
        run = self.run(spec.id)
        try:
            return self._run_view(run, spec)
        except CorruptRunFolder as exc:
            return RunView(id=run.id, spec=spec, state=RunState.FAILED, error=f"corrupt run folder: {exc}")
        except OSError as exc:
            why = f"{errno.errorcode.get(exc.errno or 0, '?')} {exc.strerror}"
            return RunView(id=run.id, spec=spec, state=RunState.FAILED, error=f"run folder cannot be read: {why}")

    def _run_view(self, run: RunFolder, spec: RunSpec) -> RunView:
        order = run.order()
        if order is None:
            return RunView(id=run.id, spec=spec, state=RunState.QUEUED)
        state, attempt = self._state(run, order)
        end = run.end(order)
        exit = attempt.exit() if attempt is not None else None
        process = attempt.process() if attempt is not None else None
        error = None
        if state is RunState.FAILED or state is RunState.CANCELLED:
            error = _explain(end, exit)
        succeeded = exit if state is RunState.SUCCEEDED else None
        return RunView(
            id=run.id,
            spec=spec,
            state=state,
            attempts=len([one for one in run.attempts(order) if one.process() is not None]),
            started_at=process.at if process is not None else None,
            ended_at=exit.at if exit is not None else (end.at if end is not None else None),
            seconds=exit.seconds if exit is not None else None,
            measurements=attempt.result(succeeded).measurements if attempt is not None and succeeded else (),
            error=error,
            record=_record(attempt, exit),
        )

    def _state(self, run: RunFolder, order: Order) -> tuple[RunState, Attempt | None]:
        """Tell the state from the files alone, with the attempt that it rests on."""
        attempts = run.attempts(order)
        last = attempts[-1] if attempts else None
        end = run.end(order)
        if end is not None:
            if end.ending is Ending.SUCCEEDED and (last is None or last.exit() is None):
                raise CorruptRunFolder(f"{run.id} ended well, but its result is gone")
            return _STATE.get(end.ending, RunState.FAILED), last
        if last is not None:
            exit = last.exit()
            if exit is not None and exit.ending is Ending.SUCCEEDED:
                return RunState.SUCCEEDED, last
            if last.is_running():
                return RunState.RUNNING, last
        if run.cancel(order) is not None:
            return RunState.CANCELLED, last
        # Started, and between two attempts: the retry is on its way.
        return (RunState.RUNNING if any(one.process() for one in attempts) else RunState.QUEUED), last

    def view(self, experiment_id: str, *, cores: int = 1) -> ExperimentView:
        """One experiment with its runs and what they say so far. Raises NoSuchExperiment."""
        entry = self.entry(experiment_id)
        runs = tuple(self.run_view(entry.spec.run(seed)) for seed in entry.spec.seeds(entry.n_seeds))
        return ExperimentView(
            id=entry.spec.id,
            spec=entry.spec,
            state=state_of_all(runs),
            submitted_at=entry.submitted_at,
            preregistration=entry.preregistration,
            defaults=entry.defaults,
            runs=runs,
            result=self._result(entry, runs),
            seconds_left=self._seconds_left(entry, runs, cores),
        )

    def _result(self, entry: Entry, runs: tuple[RunView, ...]) -> ExperimentResult | None:
        key = tuple((run.id, run.state, run.ended_at) for run in runs if run.state.is_final)
        known = self._results.get(entry.spec.id)
        if known is not None and known[0] == key:
            return known[1]
        result = result_of(self._catalogue, entry.spec, runs)
        if result is not None:
            self._results[entry.spec.id] = (key, result)
        return result

    def usual(self, view: ExperimentView) -> Usual:
        """What a seed of the experiment takes."""
        return usual(self._catalogue, view.spec, view.runs)

    def _seconds_left(self, entry: Entry, runs: tuple[RunView, ...], cores: int) -> float | None:
        told = {run.id: self._told(run) for run in runs if run.state is RunState.RUNNING}
        took = usual(self._catalogue, entry.spec, runs)
        side_by_side = max(1, cores // min(entry.limits.cpus, cores))
        return seconds_left(runs, told, took, self._clock.now(), side_by_side=side_by_side)

    def _told(self, run: RunView) -> dict[str, object] | None:
        attempts = sorted(self.run(run.id).folder.glob("a*/progress.jsonl"), key=lambda path: path.stat().st_mtime)
        return last_line(attempts[-1]) if attempts else None


def _number(name: str, prefix: str) -> int:
    digits = name.removeprefix(prefix)
    return int(digits) if digits.isdigit() else 0


def _record(attempt: Attempt | None, exit: Exit | None) -> dict[str, object]:
    if attempt is None:
        return {}
    record: dict[str, object] = dict(attempt.record())
    if exit is not None:
        record["log_digest"] = exit.log_digest
        record["peak_memory_bytes"] = exit.peak_memory_bytes
    return record


def _explain(end: End | None, exit: Exit | None) -> str:
    why = end.reason if end is not None else (exit.reason if exit is not None else "")
    tail = f"\n--- end of its log ---\n{end.log_tail}" if end is not None and end.log_tail else ""
    return f"{why or 'cancelled by a person'}{tail}"
