"""The list of claims for people who wait: from a SQLite file at once, else through the store."""

from datetime import UTC, date, datetime, time
from pathlib import Path

from claims.lines import ClaimLine, read_sqlite


def overview(url: str, *, as_of: datetime | date | None = None, night: date | None = None) -> list[ClaimLine]:
    """Give one line for each claim held at a database URL, as of a moment (a day means its end, in UTC).

    With `night` the lines also say what is due on that day, and why. The same as `Store.overview`, without loading the
    SQL toolkit where a SQLite file has this version's schema. Raises what `Store.open` raises.
    """
    if as_of is not None and not isinstance(as_of, datetime):
        as_of = datetime.combine(as_of, time.max, tzinfo=UTC)
    if url.startswith("sqlite:///") and "?" not in url:
        lines = read_sqlite(Path(url.removeprefix("sqlite:///")), as_of, night)
        if lines is not None:
            return lines
    from claims.store import Store

    with Store.open(url) as store:
        return store.overview(as_of=as_of, night=night)
