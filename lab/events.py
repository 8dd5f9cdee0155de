"""The progress of an experiment as a stream of server-sent events, read from the run folders.

An event's id says how far each run was told: `seed.attempt.offset`, then the first letter of its state where that was
told; runs are separated by `_`. So a reader that was cut off goes on with `Last-Event-ID`, at this server or at one
that was restarted, and gets exactly what it missed.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

from pydantic import ValidationError

from claims.clock import Clock
from claims.experiment import ExperimentView, Progress, RunState, RunView
from lab.ledger import Ledger
from lab.progress import read_from
from lab.summary import Usual, left_of

_LOOK_S = 0.3
"""Seconds between two looks at the folders."""
_QUIET_S = 10.0
"""Seconds of silence after which a comment is sent, so that neither side takes the other for dead."""


_STATES = {state.value[0]: state for state in RunState}
"""By the letter that stands for them in an event's id."""


class Place(NamedTuple):
    """How far one run was told."""

    attempt: int = 0
    """0 while no step of it was told"""
    offset: int = 0
    state: RunState | None = None
    """the state that was told last"""


def parse_places(text: str) -> dict[int, Place]:
    """Read an event id. What is not one counts as the beginning."""
    places = {}
    for part in text[:20_000].split("_"):
        numbers = part.split(".")
        state = _STATES.get(numbers[-1])
        if state is not None:
            numbers.pop()
        if len(numbers) == 3 and all(number.isascii() and number.isdigit() and len(number) < 16 for number in numbers):
            seed, attempt, offset = (int(number) for number in numbers)
            places[seed] = Place(attempt, offset, state)
    return places


def show_places(places: dict[int, Place]) -> str:
    """Write an event id."""
    return "_".join(
        f"{seed}.{place.attempt}.{place.offset}{f'.{place.state.value[0]}' if place.state else ''}"
        for seed, place in sorted(places.items())
    )


def encode(progress: Progress, event_id: str) -> bytes:
    """Write one event."""
    return f"id: {event_id}\nevent: progress\ndata: {progress.model_dump_json(exclude_none=True)}\n\n".encode()


async def stream(ledger: Ledger, experiment_id: str, clock: Clock, *, last_id: str, cores: int) -> AsyncIterator[bytes]:
    """Tell every reported step and every change of state; end when the experiment has."""
    places = parse_places(last_id)
    spoke_at = time.monotonic()
    while True:
        view = await asyncio.to_thread(ledger.view, experiment_id, cores=cores)
        has_more = False
        for run in view.runs:
            seed = run.spec.seed
            told = places.setdefault(seed, Place())
            for progress, places[seed] in await asyncio.to_thread(_steps, ledger, view, run, told):
                has_more = True
                if progress is not None:
                    yield encode(progress, show_places(places))
                    spoke_at = time.monotonic()
            if places[seed].state is not run.state:
                places[seed] = places[seed]._replace(state=run.state)
                yield encode(_state_of(experiment_id, run, clock), show_places(places))
                spoke_at = time.monotonic()
        if view.state.is_final:
            if has_more:
                # A long file is read in pieces: the end comes when nothing is left to tell.
                continue
            message = view.result.reason if view.result is not None else ""
            end = Progress(
                experiment_id=experiment_id, state=view.state, message=message, seconds_left=0.0, at=clock.now()
            )
            yield encode(end, show_places(places))
            return
        if time.monotonic() - spoke_at > _QUIET_S:
            yield b": still here\n\n"
            spoke_at = time.monotonic()
        # Many seeds are many files: look less often, so that looking stays a small part of the work.
        await asyncio.sleep(_LOOK_S + 0.01 * len(view.runs))


def _state_of(experiment_id: str, run: RunView, clock: Clock) -> Progress:
    first = (run.error or "").partition("\n")[0]
    return Progress(
        experiment_id=experiment_id,
        run_id=run.id,
        seed=run.spec.seed,
        state=run.state,
        message=first,
        seconds_left=0.0 if run.state.is_final else None,
        at=run.ended_at or clock.now(),
    )


def _steps(ledger: Ledger, view: ExperimentView, run: RunView, place: Place) -> list[tuple[Progress | None, Place]]:
    """Read the steps of one run that were not told yet, each with the place behind it. None: a line that tells none."""
    folder = ledger.run(run.id).folder
    numbers = sorted(int(path.name[1:]) for path in folder.glob("a*") if path.name[1:].isdigit())
    if not numbers:
        return []
    if place.attempt != numbers[-1]:
        place = place._replace(attempt=numbers[-1], offset=0)
    read = read_from(folder / f"a{place.attempt}" / "progress.jsonl", place.offset)
    took = ledger.usual(view)
    told: list[tuple[Progress | None, Place]] = [
        (_step(view.id, run, line, took), place._replace(offset=end))
        for line, end in zip(read.lines, read.ends, strict=True)
    ]
    if read.offset > (read.ends[-1] if read.ends else place.offset):
        told.append((None, place._replace(offset=read.offset)))
    return told


def _step(experiment_id: str, run: RunView, line: dict[str, Any], took: Usual) -> Progress | None:
    own = {"experiment_id": experiment_id, "run_id": run.id, "seed": run.spec.seed, "state": RunState.RUNNING}
    try:
        told = Progress(**{**line, **own})
    except (ValidationError, TypeError):
        return None
    # A reader who comes late hears of steps long past: then nothing is left of their seed.
    left = None if run.state.is_final else left_of(run, line, took, told.at)
    return told.model_copy(update={"seconds_left": None if left is None else left.base + left.seed})
