"""When a claim is due for a refresh, and why: pure, and light enough for a list that must be there at once.

Stale is not wrong: being due says that something was not looked at yet, never that a verdict fell.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import UTC, date, datetime
from typing import Any, NamedTuple

DUE_DAYS = 30
"""Days after which a claim is matched against every held paper again."""

CARES = "SELECT claim_id, pinned, paused, forced, refreshed_on, full_on, checked_to, seen_to FROM care"
LAST_CHANGE = "SELECT max(changed_at) AS changed_at FROM papers"
CHANGES = "SELECT id, changed_at, published_on, withdrawn FROM papers WHERE from_mirror AND changed_at >= :since"
HELD = """
SELECT DISTINCT e.claim_id, e.paper_id FROM papers p JOIN evidence e ON e.paper_id = p.id
WHERE p.from_mirror AND p.changed_at >= :since
"""
"""Stances on papers that changed."""


class Care(NamedTuple):
    """How one claim is looked after."""

    claim_id: str
    pinned: bool = False
    """looked at first, and never left for another night"""
    paused: bool = False
    """not refreshed until a person says so"""
    forced: bool = False
    """matched against every held paper the next time, once"""
    refreshed_on: date | None = None
    """the newest night that went over it; None when none did"""
    full_on: date | None = None
    """the newest night that matched it against every held paper"""
    checked_to: datetime | None = None
    """the newest change to any paper when that night read them"""
    seen_to: datetime | None = None
    """where the next night begins to read changes"""


class PaperChange(NamedTuple):
    """That a paper came in, or is held otherwise than before."""

    paper_id: str
    changed_at: datetime
    published_on: date
    withdrawn: bool


def is_done(care: Care | None, night: date, checked_to: datetime | None) -> bool:
    """Tell whether a night has nothing left to do for a claim. checked_to: the newest change to any paper."""
    if care is None or care.refreshed_on is None or care.forced:
        return False
    # A later night has seen all that this one may see.
    return care.refreshed_on > night or (care.refreshed_on == night and care.checked_to == checked_to)


def is_new(change: PaperChange, care: Care) -> bool:
    """Tell whether a change may not have been seen for a claim."""
    return care.seen_to is None or change.changed_at >= care.seen_to


def is_full(care: Care, night: date, due_days: int) -> bool:
    """Tell whether a claim is due for a match against every held paper."""
    return care.forced or care.full_on is None or (night - care.full_on).days >= due_days


def news_of(care: Care, grounds: Collection[str], changes: Mapping[str, PaperChange]) -> set[str]:
    """Give the papers that a claim rests on and that changed after it was gone over.

    What changed at the very moment that was seen last is looked at again, but is no news to tell.
    """
    if care.seen_to is None:
        return set()
    return {id for id in grounds if id in changes and changes[id].changed_at > care.seen_to}


def reasons(
    care: Care, night: date, due_days: int, news: Collection[str], changes: Mapping[str, PaperChange]
) -> tuple[str, ...]:
    """Say why a night has to go over a claim; never empty. news: papers that it rests on and that changed."""
    gone = sum(changes[id].withdrawn for id in news)
    why: list[str] = []
    if care.forced:
        why.append("forced")
    if care.pinned:
        why.append("pinned")
    if care.full_on is None:
        why.append("never refreshed")
    elif (night - care.full_on).days >= due_days:
        why.append(f"last matched in full {(night - care.full_on).days} days ago")
    if gone:
        why.append(f"{gone} of its papers withdrawn")
    if len(news) > gone:
        why.append(f"{len(news) - gone} of its papers changed")
    if not why:
        why.append("papers came in or changed" if changes else "a new night")
    return tuple(why)


Ask = Callable[[str, datetime | None], Iterable[Mapping[str, Any]]]
"""Runs one of the queries above, with its `:since` where it has one."""


class Dues:
    """Why claims are due on a day, read with four queries whatever is held.

    Unlike a night's plan it never reads the changes since the beginning, which a claim that was never refreshed needs
    no more than its name to be due for.
    """

    def __init__(self, ask: Ask, night: date, due_days: int = DUE_DAYS) -> None:
        self._night = night
        self._due_days = due_days
        self._cared = {row["claim_id"]: _care(row) for row in ask(CARES, None)}
        self._checked_to = next((_moment(row["changed_at"]) for row in ask(LAST_CHANGE, None)), None)
        open_ = [c for c in self._cared.values() if not c.paused and not is_done(c, night, self._checked_to)]
        starts = [care.seen_to for care in open_ if care.seen_to is not None]
        self._changes: dict[str, PaperChange] = {}
        self._held: dict[str, set[str]] = {}
        if starts:
            for row in ask(CHANGES, min(starts)):
                at, on = _moment(row["changed_at"]), _day(row["published_on"])
                assert at is not None
                assert on is not None
                self._changes[row["id"]] = PaperChange(row["id"], at, on, bool(row["withdrawn"]))
        if self._changes:
            for row in ask(HELD, min(starts)):
                self._held.setdefault(row["claim_id"], set()).add(row["paper_id"])

    def why(self, claim_id: str, anchors: Iterable[str]) -> tuple[str, ...]:
        """Say why a claim is due; empty when it is not: it is paused, or this day's night is done with it."""
        care = self._cared.get(claim_id) or Care(claim_id)
        if care.paused or is_done(care, self._night, self._checked_to):
            return ()
        grounds = self._held.get(claim_id, set()) | set(anchors)
        return reasons(care, self._night, self._due_days, news_of(care, grounds, self._changes), self._changes)

    def is_paused(self, claim_id: str) -> bool:
        """Tell whether a person paused it."""
        care = self._cared.get(claim_id)
        return care is not None and care.paused


def _care(row: Mapping[str, Any]) -> Care:
    return Care(
        claim_id=row["claim_id"],
        pinned=bool(row["pinned"]),
        paused=bool(row["paused"]),
        forced=bool(row["forced"]),
        refreshed_on=_day(row["refreshed_on"]),
        full_on=_day(row["full_on"]),
        checked_to=_moment(row["checked_to"]),
        seen_to=_moment(row["seen_to"]),
    )


def _day(value: date | str | None) -> date | None:
    return date.fromisoformat(value) if isinstance(value, str) else value


def _moment(value: datetime | str | None) -> datetime | None:
    # SQLite's bare driver gives moments as text, in UTC.
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    return value.replace(tzinfo=UTC) if value is not None and value.tzinfo is None else value
