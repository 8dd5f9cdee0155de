"""Shows a pass while it runs: a live table on a terminal, one line a decision elsewhere. Always on stderr."""

import threading
import time
from types import TracebackType
from typing import TYPE_CHECKING

from agent.cli.output import console, plain

if TYPE_CHECKING:
    from rich.live import Live
    from rich.table import Table

    from agent.graph.parts import Step
    from claims.experiment import Progress

QUIET_S = 10.0
"""Seconds between two progress lines of one experiment where there is no terminal."""

TOLD = frozenset({"ground", "screen", "choose", "dispatch", "decide"})
"""Nodes whose message is printed where there is no terminal."""


class Watch:
    """Takes `Step`s from any thread. Use as a context manager around the pass."""

    def __init__(self, names: dict[str, str], *, silent: bool = False, quiet_s: float = QUIET_S) -> None:
        """Prepare. names: of the claims that are shown, by id; quiet_s: between two progress lines of one claim."""
        self._names = names
        self._quiet_s = quiet_s
        self._silent = silent
        self._console = console(stderr=True)
        self._lock = threading.Lock()
        self._lines: dict[str, tuple[str, str]] = dict.fromkeys(names, ("", "waiting"))
        self._progress: dict[str, Progress] = {}
        self._last_print: dict[str, float] = {}
        self._live: Live | None = None

    def __enter__(self) -> "Watch":
        if not self._silent and self._console.is_terminal:
            from rich.live import Live

            self._live = Live(self._table(), console=self._console, refresh_per_second=4, transient=True)
            self._live.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._live.__exit__(kind, error, trace)
            self._live = None

    def __call__(self, step: "Step") -> None:
        """Show one step."""
        if self._silent:
            return
        with self._lock:
            if step.progress is not None:
                self._progress[f"{step.claim_id}/{step.progress.run_id}"] = step.progress
                message = progress_line(step.progress)
            else:
                message = plain(step.message, 90)
            self._lines[step.claim_id] = (step.node, message)
            if self._live:
                self._live.update(self._table())
            elif self._is_time(step) if step.progress is not None else step.node in TOLD:
                self._print(step, message)

    def pause(self) -> None:
        """Take the table off the terminal, to ask a question."""
        if self._live:
            self._live.stop()

    def resume(self) -> None:
        """Put the table back."""
        if self._live:
            self._live.start()

    def _is_time(self, step: "Step") -> bool:
        now = time.monotonic()
        if now - self._last_print.get(step.claim_id, -self._quiet_s) < self._quiet_s:
            return False
        self._last_print[step.claim_id] = now
        return True

    def _print(self, step: "Step", message: str) -> None:
        self._console.print(f"{self._names.get(step.claim_id, step.claim_id)}  {step.node}: {message}", soft_wrap=True)

    def _table(self) -> "Table":
        from rich.table import Table

        table = Table(box=None, padding=(0, 2, 0, 0), show_header=False, expand=True)
        table.add_column(width=34, no_wrap=True)
        table.add_column(width=9, no_wrap=True, style="cyan")
        table.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
        for claim, (node, message) in self._lines.items():
            table.add_row(self._names.get(claim, claim), node, message)
        return table


def progress_line(progress: "Progress") -> str:
    """Say where a run is: seed, arm, phase, step, loss, metric so far, time left. One that is over says that."""
    parts = [f"seed {progress.seed}" if progress.seed is not None else "all seeds"]
    if progress.arm:
        parts.append(progress.arm)
    if progress.phase:
        parts.append(progress.phase)
    if progress.step is not None:
        parts.append(f"step {progress.step}" + (f"/{progress.steps}" if progress.steps else ""))
    if progress.loss is not None:
        parts.append(f"loss {progress.loss:.3f}")
    if progress.metric is not None:
        parts.append(f"metric {progress.metric:.3f}")
    if progress.seconds_left is not None and not progress.state.is_final:
        parts.append(f"about {duration(progress.seconds_left)} left")
    if progress.message:
        parts.append(plain(progress.message, 60))
    if len(parts) == 1 or progress.state.is_final:
        parts.insert(1, progress.state.value)
    return " · ".join(parts)


def duration(seconds: float) -> str:
    """Write a length of time for a person: `45 s`, `3 min`, `2 h 10 min`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
