"""The progress of a run as a file: one JSON object a line, appended by the trainer, read by whoever shows it."""

import json
import logging
import math
import time
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

from claims.clock import Clock

log = logging.getLogger(__name__)

MIN_GAP_S = 0.2
"""Seconds between two lines of one phase; a first or last step is always written."""


class ProgressFile:
    """The `report` that a protocol is handed: cheap, and never raises because of the disk."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self._file = path.open("a", encoding="utf-8", buffering=1)
        self._clock = clock
        self._last_at = -math.inf
        self._last_phase: tuple[str | None, str | None] = (None, None)

    def __enter__(self) -> "ProgressFile":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._file.close()
        except OSError as exc:
            log.warning("progress could not be written: %s", exc)

    def __call__(
        self,
        *,
        arm: str | None = None,
        phase: str | None = None,
        step: int | None = None,
        steps: int | None = None,
        loss: float | None = None,
        metric: float | None = None,
        seconds_left: float | None = None,
        base_seconds: float | None = None,
        message: str = "",
    ) -> None:
        """Write where the run is, unless the last line is a moment old and says nearly the same."""
        now = time.monotonic()
        is_new = (arm, phase) != self._last_phase or (step is not None and step == steps) or bool(message)
        if not is_new and metric is None and now - self._last_at < MIN_GAP_S:
            return
        self._last_at, self._last_phase = now, (arm, phase)
        line: dict[str, Any] = {"at": self._clock.now().isoformat()}
        for name, value in (
            ("arm", arm),
            ("phase", phase),
            ("step", step),
            ("steps", steps),
            ("loss", loss),
            ("metric", metric),
            ("seconds_left", seconds_left),
            ("base_seconds", base_seconds),
            ("message", message or None),
        ):
            if value is not None and not (isinstance(value, float) and not math.isfinite(value)):
                line[name] = value
        try:
            self._file.write(json.dumps(line, default=float) + "\n")
        except OSError as exc:
            log.warning("progress could not be written: %s", exc)


class Read(NamedTuple):
    """Lines of a progress file."""

    lines: list[dict[str, Any]]
    ends: list[int]
    """where each of them ends, in bytes"""
    offset: int
    """where the next line begins, in bytes"""


def read_from(path: Path, offset: int) -> Read:
    """Read the whole lines after `offset`. A torn last line waits for its end; an unreadable one is skipped."""
    try:
        with path.open("rb") as file:
            file.seek(offset)
            data = file.read(1_000_000)
    except OSError:
        return Read([], [], offset)
    whole, newline, _ = data.rpartition(b"\n")
    lines, ends = [], []
    for raw in (whole + newline).splitlines(keepends=True):
        offset += len(raw)
        try:
            line = json.loads(raw)
        except ValueError:
            continue
        if isinstance(line, dict):
            lines.append(line)
            ends.append(offset)
    return Read(lines, ends, offset)


def last_line(path: Path) -> dict[str, Any] | None:
    """The newest line; None when there is none."""
    try:
        start = max(0, path.stat().st_size - 4096)
    except OSError:
        return None
    lines = read_from(path, start).lines
    return lines[-1] if lines else None
