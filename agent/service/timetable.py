"""When nights are due: a cron expression in a named time zone, and what of it was missed."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from croniter import CroniterError, croniter

from claims.errors import InputError

MOST = 1000
"""Missed nights that are counted."""


class Timetable:
    """A cron expression with five fields in a time zone; where clocks are changed, as croniter reads it."""

    def __init__(self, cron: str, zone: str) -> None:
        """Read it. Raises InputError for what is no cron expression or no IANA time zone."""
        if len(cron.split()) != 5 or not croniter.is_valid(cron):
            raise InputError(f"setting RETEST_REFRESH_CRON: not a cron expression of five fields: {cron[:80]!r}")
        try:
            self._zone = ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError, OSError) as exc:
            raise InputError(f"setting RETEST_REFRESH_TZ: no time zone {zone[:80]!r}, such as Europe/Berlin") from exc
        self.cron = cron
        self.zone = zone

    def next_after(self, moment: datetime) -> datetime:
        """Give the first due moment after this one, in UTC. Raises InputError when there is none."""
        return self._step(moment, forward=True)

    def last_until(self, moment: datetime) -> datetime:
        """Give the last due moment up to this one, itself included, in UTC. Raises InputError when there is none."""
        last = self._step(moment, forward=False)
        again = self._step(last, forward=True)
        return again if again <= moment else last

    def n_between(self, start: datetime, end: datetime) -> int:
        """Count the due moments after `start` and up to `end`; at most MOST."""
        n, at = 0, start
        while n < MOST:
            at = self.next_after(at)
            if at > end:
                break
            n += 1
        return n

    def _step(self, moment: datetime, *, forward: bool) -> datetime:
        steps = croniter(self.cron, moment.astimezone(self._zone))
        try:
            found: datetime = (steps.get_next if forward else steps.get_prev)(datetime)
        except CroniterError as exc:
            raise InputError(f"setting RETEST_REFRESH_CRON: {self.cron!r} is never due") from exc
        return found.astimezone(UTC)
