"""The progress of an experiment as a stream of server-sent events, read from the run folders.

An event's id says how far each run was read: `seed.attempt.offset` separated by `_`. So a reader that was cut off goes
on with `Last-Event-ID`, at this server or at one that was restarted. `~` after the list means that the state was told.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

from pydantic import ValidationError

from claims.clock import Clock
from claims.experiment import Progress, RunState, RunView
from lab.ledger import Ledger
from lab.progress import read_from

_LOOK_S = 0.3
"""Seconds between two looks at the folders."""
_QUIET_S = 10.0
"""Seconds of silence after which a comment is sent, so that neither side takes the other for dead."""


class Place(NamedTuple):
    """How far one run was read."""

    attempt: int
    offset: int


def parse_places(text: str) -> dict[int, Place]:
    """Read an event id. What is not one counts as the beginning."""
    places = {}
    for part in text[:20_000].split("_"):
        numbers = part.split(".")
        if len(numbers) == 3 and all(number.isascii() and number.isdigit() and len(number) < 16 for number in numbers):
            seed, attempt, offset = (int(number) for number in numbers)
            places[seed] = Place(attempt, offset)
    return places


def show_places(places: dict[int, Place]) -> str:
    """Write an event id."""
    return "_".join(f"{seed}.{place.attempt}.{place.offset}" for seed, place in sorted(places.items()))


def encode(progress: Progress, event_id: str) -> bytes:
    """Write one event."""
    return f"id: {event_id}\nevent: progress\ndata: {progress.model_dump_json(exclude_none=True)}\n\n".encode()


async def stream(ledger: Ledger, experiment_id: str, clock: Clock, *, last_id: str, cores: int) -> AsyncIterator[bytes]:
    """Tell every reported step and every change of state; end when the experiment has."""
    places = parse_places(last_id)
    told: dict[int, RunState] = {}
    spoke_at = time.monotonic()
    while True:
        view = await asyncio.to_thread(ledger.view, experiment_id, cores=cores)
        for run in view.runs:
            for progress in await asyncio.to_thread(_steps, ledger, experiment_id, run, places):
                yield encode(progress, show_places(places))
                spoke_at = time.monotonic()
            if told.get(run.spec.seed) is not run.state:
                told[run.spec.seed] = run.state
                yield encode(_state_of(experiment_id, run, clock), show_places(places))
                spoke_at = time.monotonic()
        if view.state.is_final:
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


def _steps(ledger: Ledger, experiment_id: str, run: RunView, places: dict[int, Place]) -> list[Progress]:
    """Read the steps of one run that were not told yet, and move its place."""
    folder = ledger.run(run.id).folder
    numbers = sorted(int(path.name[1:]) for path in folder.glob("a*") if path.name[1:].isdigit())
    if not numbers:
        return []
    place = places.get(run.spec.seed, Place(numbers[-1], 0))
    if place.attempt != numbers[-1]:
        place = Place(numbers[-1], 0)
    lines, offset = read_from(folder / f"a{place.attempt}" / "progress.jsonl", place.offset)
    places[run.spec.seed] = Place(place.attempt, offset)
    steps = []
    for line in lines:
        step = _step(experiment_id, run, line)
        if step is not None:
            steps.append(step)
    return steps


def _step(experiment_id: str, run: RunView, line: dict[str, Any]) -> Progress | None:
    try:
        return Progress(
            **{
                **line,
                "experiment_id": experiment_id,
                "run_id": run.id,
                "seed": run.spec.seed,
                "state": RunState.RUNNING,
            }
        )
    except (ValidationError, TypeError):
        return None
