"""One line for each claim, read with one query: `retest list`, on whichever database.

A list must be there at once, and loading the SQL toolkit takes longer than asking SQLite. So the query stands here as
text, for the store and for `read_sqlite`, which needs nothing but the standard library.
"""

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, NamedTuple

from claims.due import Ask, Dues

REVISION = "0003"
"""The schema that this version of retest reads and writes."""

VERSION_TABLE = "retest_schema"
"""Where Alembic keeps the revision; named so that checkpoints and queues may share the database."""

END_OF_TIME = datetime(9999, 12, 31, tzinfo=UTC)
"""`as_of` for everything that is held."""

OVERVIEW = """
SELECT c.id, c.text, c.document, c.inquiry_id, v.kind, v.confidence, v.since, v.document AS verdict,
    (SELECT count(DISTINCT coalesce(e.paper_id, e.experiment_id)) FROM evidence e
        WHERE e.claim_id = c.id AND e.recorded_at <= :at) AS n_evidence,
    (SELECT max(s.recorded_at) FROM searches s WHERE s.claim_id = c.id AND s.recorded_at <= :at) AS last_checked
FROM claims c
LEFT JOIN verdicts v ON v.seq = (SELECT max(w.seq) FROM verdicts w WHERE w.claim_id = c.id AND w.recorded_at <= :at)
LEFT JOIN inquiry_claims m ON m.inquiry_id = c.inquiry_id AND m.claim_id = c.id
WHERE c.recorded_at <= :at
ORDER BY c.recorded_at, coalesce(m.position, -1), c.id
"""
"""One row a claim, as held at `:at`; every subquery is answered from an index."""


UNREADABLE = "held in a form that cannot be read: import it again, or put back a backup"


class ClaimLine(NamedTuple):
    """One claim in a list."""

    claim_id: str
    text: str
    asserted_on: str
    """as stated: `~2024`, `2023-05-18`, `2023..2025`; `?` when the claim is held in a form that cannot be read"""
    inquiry_id: str | None
    kind: str | None
    """of the current verdict; None when the claim was never decided"""
    confidence: float | None
    since: date | None
    """`as_of` of the first verdict in the current unbroken run of this kind; not since when evidence gives it"""
    n_evidence: int
    """papers and experiments with a stance, neutral ones included"""
    last_checked: datetime | None
    """when a search for it was last recorded"""
    due: tuple[str, ...] | None = None
    """why the next refresh goes over it, empty when it does not; None when that was not asked"""
    paused: bool | None = None
    """whether a person paused it; None when that was not asked"""
    n_support: int | None = None
    """papers and experiments that counted for it; None, as the next two, when it was never decided"""
    n_against: int | None = None
    """that counted as contradiction"""
    n_narrowing: int | None = None
    """that counted as qualification"""


def lines_of(rows: Iterable[Mapping[str, Any]], ask: Ask | None = None, night: date | None = None) -> list[ClaimLine]:
    """Make lines of the query's rows; SQLite's bare driver gives dates and moments as text.

    With `ask` and `night` they say what is due on that day.
    """
    held = [(row, _read(row["document"])) for row in rows]
    dues = None
    if ask is not None and night is not None:
        grounds = {
            row["id"]: [anchor["arxiv_id"] for anchor in document.get("anchors", ()) if anchor.get("arxiv_id")]
            for row, document in held
            if document is not None
        }
        dues = Dues(ask, night, grounds)
    return [
        ClaimLine(
            claim_id=row["id"],
            text=row["text"],
            asserted_on="?" if document is None else document["asserted_on"],
            inquiry_id=row["inquiry_id"],
            kind=row["kind"],
            confidence=row["confidence"],
            since=date.fromisoformat(row["since"]) if isinstance(row["since"], str) else row["since"],
            n_evidence=row["n_evidence"],
            last_checked=_moment(row["last_checked"]),
            due=None if dues is None else dues.why(row["id"]) if document is not None else (UNREADABLE,),
            paused=None if dues is None else dues.is_paused(row["id"]),
            **_sides(row["verdict"]),
        )
        for row, document in held
    ]


def _sides(verdict: str | None) -> dict[str, int]:
    try:
        told = json.loads(verdict or "{}")
    except ValueError:
        told = {}  # what is wrong with it is told where the claim is shown
    if not told:
        return {}
    names = {"n_support": "support", "n_against": "against", "n_narrowing": "qualifying"}
    return {field: len(told.get(name, ())) for field, name in names.items()}


def _read(document: str) -> dict[str, Any] | None:
    """Read a claim's JSON as far as a line needs it; None when it cannot be read."""
    try:
        held = json.loads(document)
    except ValueError:
        return None
    return held if isinstance(held, dict) and isinstance(held.get("asserted_on"), str) else None


def read_sqlite(file: Path, at: datetime | None, night: date | None = None) -> list[ClaimLine] | None:
    """Read the list from a SQLite file, as held at a moment; with `night`, what is due on that day and why.

    None when that cannot be done without more ado (no file, another schema, a database in trouble): the store then
    says what is the matter, or puts it right.
    """
    try:
        with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            connection.row_factory = sqlite3.Row
            if connection.execute(f"SELECT version_num FROM {VERSION_TABLE}").fetchone()[0] != REVISION:  # noqa: S608
                return None

            def ask(query: str, since: datetime | None = None, ids: Sequence[str] = ()) -> list[Any]:
                given = {"since": _text(since)} if since else {}
                return connection.execute(*with_ids(query, given, ids)).fetchall()

            return lines_of(connection.execute(OVERVIEW, {"at": _text(at or END_OF_TIME)}).fetchall(), ask, night)
    except (sqlite3.Error, TypeError):
        return None


def with_ids(query: str, given: Mapping[str, Any], ids: Sequence[str]) -> tuple[str, dict[str, Any]]:
    """Put a list of ids behind a query that ends in `IN`, as parameters."""
    named = {f"id{n}": id for n, id in enumerate(ids)}
    listed = f"({', '.join(f':{name}' for name in named)})" if named else ""
    return query + listed, {**given, **named}


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")


def _moment(value: datetime | str | None) -> datetime | None:
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    return value.replace(tzinfo=UTC) if value is not None and value.tzinfo is None else value
