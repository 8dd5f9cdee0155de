"""Shows an experiment while it runs: a live table with a row a seed, or a line now and then where no terminal is."""

import threading
import time
from collections.abc import Iterable
from types import TracebackType
from typing import TYPE_CHECKING

from agent.cli.output import console, plain
from agent.cli.watch import QUIET_S, duration, progress_line

if TYPE_CHECKING:
    from rich.live import Live
    from rich.table import Table

    from claims.experiment import Progress, RunView

MAX_ROWS = 16
"""Seeds that are shown at once: those that run, then those that wait; a table beyond the screen cannot be redrawn."""


class _Row:
    """What is known of one seed."""

    def __init__(self, state: str) -> None:
        self.state = state
        self.arm = self.phase = self.step = self.metric = self.left = ""

    def take(self, progress: "Progress") -> None:
        """Keep what the event says; what it leaves out stays as it was told last."""
        self.state = progress.state.value
        if progress.state.is_final or progress.state.value == "queued":
            self.arm = self.phase = self.step = self.metric = self.left = ""
            return
        if progress.arm and progress.arm != self.arm:
            self.arm, self.metric = progress.arm, ""
        self.phase = progress.phase or self.phase
        if progress.step is not None:
            self.step = f"{progress.step}/{progress.steps}" if progress.steps else str(progress.step)
        elif progress.phase:
            self.step = ""
        if progress.metric is not None and progress.arm:
            # A metric without an arm is the seed's effect, which must not stand beside an arm's name.
            self.metric = f"{progress.metric:.3f}"
        if progress.seconds_left is not None:
            self.left = duration(progress.seconds_left)


class SeedWatch:
    """Takes the events of one experiment from any thread. Use as a context manager around the wait."""

    def __init__(self, runs: "Iterable[RunView]", *, silent: bool = False) -> None:
        self._silent = silent
        self._console = console(stderr=True)
        self._lock = threading.Lock()
        self._rows = {}
        self._over = set()
        for run in runs:
            self._rows[run.spec.seed] = _Row(run.state.value)
            if run.state.is_final:
                # The lab tells every step from the beginning: those of seeds that were run before are no news.
                self._over.add(run.spec.seed)
        self._last_print = -QUIET_S
        self._live: Live | None = None

    def __enter__(self) -> "SeedWatch":
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

    def __call__(self, progress: "Progress") -> None:
        """Show one event. One of the whole experiment, which names no seed, ends it and changes no row."""
        if self._silent or progress.seed is None or progress.seed in self._over:
            return
        with self._lock:
            self._rows.setdefault(progress.seed, _Row("")).take(progress)
            if self._live:
                self._live.update(self._table())
            elif time.monotonic() - self._last_print >= QUIET_S:
                self._last_print = time.monotonic()
                self._console.print(progress_line(progress), soft_wrap=True)

    def _table(self) -> "Table":
        from rich.table import Table

        table = Table(box=None, padding=(0, 2, 0, 0))
        for name in ("seed", "state", "arm", "phase", "step", "metric", "left"):
            right = name in ("seed", "step", "metric", "left")
            table.add_column(name, no_wrap=True, overflow="ellipsis", justify="right" if right else "left")
        order = {"running": 0, "queued": 1}
        shown = sorted(self._rows.items(), key=lambda item: (order.get(item[1].state, 2), item[0]))[:MAX_ROWS]
        for seed, row in sorted(shown):
            arm = plain(row.arm, 22)
            table.add_row(str(seed), row.state, arm, plain(row.phase, 9), row.step, row.metric, row.left)
        if len(self._rows) > len(shown):
            table.add_row("…", f"and {len(self._rows) - len(shown)} more")
        return table
