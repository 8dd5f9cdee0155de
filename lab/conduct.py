"""How one run is brought to its end, in three steps that may each be repeated by anybody: begin, wait, settle.

Nothing here knows the engine. The control plane calls these as its steps; after a crash it calls them again, on this
machine or on another, and they find everything they need in the run's folder.
"""

import errno
import logging
import time
from collections.abc import Callable

from claims.clock import Clock
from lab.drivers.driver import Driver, Started, Status
from lab.errors import CorruptRunFolder
from lab.runs import AttemptSpec, End, Ending, Order, RunFolder

log = logging.getLogger(__name__)

_STOP_AFTER_S = 1.0
"""Seconds that the run's own keeper has to act on a wish to stop, before its processes are killed from outside."""
_LATE_S = 30.0
"""Seconds beyond its limit after which a run is killed from outside: its keeper must be stuck."""


class Conductor:
    """Brings runs to their end by a driver."""

    def __init__(self, driver: Driver, clock: Clock, *, poll_s: float) -> None:
        self._driver = driver
        self._clock = clock
        self._poll_s = poll_s

    def begin(self, run: RunFolder, order: Order, number: int) -> Ending | None:
        """Start the round's attempt of this number, waiting for room. Gives an ending when none is to start."""
        attempt = run.attempt(order.first_attempt + number - 1)
        spec = AttemptSpec(spec=order.spec, limits=order.limits, attempt=number)
        while True:
            try:
                if self._is_cancelled(run, order) and attempt.process() is None:
                    return Ending.CANCELLED
                if self._driver.start(attempt, spec) is not Started.NO_ROOM:
                    return None
            except CorruptRunFolder as exc:
                self._driver.stop(attempt)
                log.warning("run %s: %s; set aside as %s", run.id, exc, run.set_aside(attempt).name)
                continue
            except OSError as exc:
                if exc.errno not in (errno.ENOSPC, errno.EDQUOT, errno.ENOMEM, errno.EAGAIN):
                    raise
                log.warning("run %s waits: %s", run.id, exc)
                time.sleep(5 * self._poll_s)
            time.sleep(self._poll_s)

    def wait(self, run: RunFolder, order: Order, number: int) -> tuple[Ending, str]:
        """Watch an attempt to its end. Gives how it ended and why."""
        attempt = run.attempt(order.first_attempt + number - 1)
        asked_at: float | None = None
        while True:
            try:
                status = self._driver.poll(attempt)
                if status is Status.ENDED:
                    exit = attempt.exit()
                    assert exit is not None, "an ended attempt has its exit.json"
                    return exit.ending, exit.reason
                if status is Status.LOST:
                    # Its keeper is gone; what it left behind must not live beside the retry.
                    self._driver.stop(attempt)
                    exit = attempt.exit()
                    if exit is not None:
                        return exit.ending, exit.reason
                    if self._is_cancelled(run, order):
                        return Ending.CANCELLED, "cancelled by a person"
                    return (
                        Ending.CRASHED,
                        "its process vanished without leaving an end (killed, or the machine stopped)",
                    )
                if status is Status.NEVER:
                    ending = self.begin(run, order, number)
                    if ending is not None:
                        return ending, "cancelled by a person"
                now = time.monotonic()
                if self._is_cancelled(run, order):
                    asked_at = asked_at if asked_at is not None else now
                    if now - asked_at > _STOP_AFTER_S:
                        self._driver.stop(attempt)
                elif self._is_late(run, order, number):
                    self._driver.stop(attempt)
                    if attempt.exit() is None:
                        limit = f"{order.limits.time_s:g} s"
                        return Ending.TIME_LIMIT, f"ran longer than its limit of {limit}, and was stuck"
            except CorruptRunFolder as exc:
                self._driver.stop(attempt)
                return Ending.CORRUPT, f"corrupt run folder: {exc}"
            except OSError as exc:
                # A disk that does not answer says nothing about the run: look again.
                log.warning("run %s cannot be looked at: %s", run.id, exc)
            time.sleep(self._poll_s)

    def settle(self, run: RunFolder, order: Order, ending: Ending, reason: str) -> End:
        """Write how the round ended. What was written first stands."""
        attempts = run.attempts(order)
        if ending.is_worth_a_retry:
            reason = f"{reason}; it was tried {len(attempts)} times"
        tail = attempts[-1].log_tail() if attempts and ending is not Ending.SUCCEEDED else ""
        end = End(ending=ending, attempts=len(attempts), reason=reason, log_tail=tail, at=self._clock.now())
        return _insist(lambda: run.settle(order, end), run.id)

    def _is_cancelled(self, run: RunFolder, order: Order) -> bool:
        try:
            return run.cancel(order) is not None
        except CorruptRunFolder:
            # Somebody wanted something of this run, and stopping is the safe reading.
            return True

    def _is_late(self, run: RunFolder, order: Order, number: int) -> bool:
        process = run.attempt(order.first_attempt + number - 1).process()
        if process is None:
            return False
        return (self._clock.now() - process.at).total_seconds() > order.limits.time_s + _LATE_S


def _insist(write: Callable[[], End], run_id: str) -> End:
    """Write, waiting for disk space where there is none: an end that is lost would start the run again."""
    while True:
        try:
            return write()
        except OSError as exc:
            if exc.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            log.warning("the end of run %s waits for disk space", run_id)
            time.sleep(2.0)
