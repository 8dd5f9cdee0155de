"""The one place that asks the time, so that `as of` can be tested."""

from datetime import UTC, date, datetime
from typing import Protocol


class Clock(Protocol):
    """Tells the time in UTC."""

    def now(self) -> datetime:
        """Give the present moment, aware, in UTC."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Give the present moment, aware, in UTC."""
        return datetime.now(UTC)


class FrozenClock:
    """A clock that stands still, for tests and for reading a past state."""

    def __init__(self, at: datetime | date) -> None:
        if not isinstance(at, datetime):
            at = datetime(at.year, at.month, at.day, 23, 59, 59, tzinfo=UTC)
        if at.tzinfo is None:
            raise ValueError(f"a frozen clock needs an aware datetime, got {at!r}")
        self._at = at.astimezone(UTC)

    def now(self) -> datetime:
        """Give the moment the clock was frozen at."""
        return self._at
