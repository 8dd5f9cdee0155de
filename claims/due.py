"""When a claim is due for a refresh, and why: pure, and light enough for a list that must be there at once.

Stale is not wrong: being due says that something was not looked at yet, never that a verdict fell.
"""

import json
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any, NamedTuple, Protocol

DUE_DAYS = 30
"""Days after which a claim is matched against every held paper again."""

CARES = "SELECT claim_id, pinned, paused, forced, refreshed_on, full_on, checked_to, seen_to FROM care"
LAST_CHANGE = "SELECT max(changed_at) AS changed_at FROM papers"
NEWS = """
SELECT DISTINCT e.claim_id, e.paper_id, p.withdrawn
FROM papers p CROSS JOIN evidence e CROSS JOIN care c
WHERE p.from_mirror AND p.changed_at > :since AND e.paper_id = p.id
    AND c.claim_id = e.claim_id AND p.changed_at > c.seen_to
"""
"""Papers that changed after a claim with a stance on them was gone over. SQLite keeps to the order of a CROSS JOIN, and
would begin with every stance by itself; PostgreSQL chooses for itself."""
CHANGED = "SELECT id, changed_at, withdrawn FROM papers WHERE from_mirror AND changed_at > :since AND id IN "
EXPERIMENTS = """
SELECT x.claim_id, x.document
FROM experiments x JOIN (SELECT max(seq) AS seq FROM experiments GROUP BY id) newest ON newest.seq = x.seq
WHERE x.claim_id IS NOT NULL AND (x.state IN ('queued', 'running') OR x.document LIKE '%"outcome":"inconclusive"%')
"""
"""Experiments that are not over or decided nothing, as they were seen last."""
AT_ONCE = 500
"""Papers that are asked for by id in one query."""


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


def is_undecided(state: str, outcome: str | None, n_seeds: int, max_seeds: int, *, is_saturated: bool) -> bool:
    """Tell whether an experiment is not over, or more seeds may decide it. outcome: None when no seed is finished.

    is_saturated: both arms lie at one end of the metric, where no number of seeds tells them apart.
    """
    return state in ("queued", "running") or (outcome == "inconclusive" and n_seeds < max_seeds and not is_saturated)


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
    care: Care, night: date, due_days: int, *, gone: int, changed: int, undecided: int, checked_to: datetime | None
) -> tuple[str, ...]:
    """Say why a night has to go over a claim; never empty, since every claim is gone over once a night.

    gone, changed: how many of the papers that it rests on were withdrawn or changed otherwise since it was gone over;
    undecided: how many of its experiments are; checked_to: the newest change to any paper.
    """
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
    if changed:
        why.append(f"{changed} of its papers changed")
    if undecided:
        why.append(f"{undecided} of its experiments undecided")
    if not why:
        came_in = checked_to is not None and (care.seen_to is None or checked_to > care.seen_to)
        quiet = f"once a night; nothing held is new since {care.refreshed_on}"
        why.append("papers came in or changed" if came_in else quiet)
    return tuple(why)


class Ask(Protocol):
    """Runs one of the queries above, with its `:since` and, for papers by id, a list of ids behind it."""

    def __call__(
        self, query: str, since: datetime | None = None, ids: Sequence[str] = ()
    ) -> Iterable[Mapping[str, Any]]: ...


class Dues:
    """Why claims are due on a day, read with a handful of queries whatever is held.

    Unlike a night's plan it reads no change but those to papers that claims rest on.
    """

    def __init__(self, ask: Ask, night: date, anchors: Mapping[str, Collection[str]], due_days: int = DUE_DAYS) -> None:
        """Read it. anchors: claim to the papers that it names as its ground."""
        self._night = night
        self._due_days = due_days
        self._cared = {row["claim_id"]: _care(row) for row in ask(CARES)}
        self._checked_to = next((_moment(row["changed_at"]) for row in ask(LAST_CHANGE)), None)
        open_ = [c for c in self._cared.values() if not c.paused and not is_done(c, night, self._checked_to)]
        starts = [care.seen_to for care in open_ if care.seen_to is not None]
        self._news: dict[str, dict[str, bool]] = {}
        """claim to the papers that it rests on and that changed, with whether they are withdrawn"""
        self._undecided = Counter(row["claim_id"] for row in ask(EXPERIMENTS) if _is_undecided(row["document"]))
        if not starts or self._checked_to is None or self._checked_to <= min(starts):
            return
        for row in ask(NEWS, min(starts)):
            self._news.setdefault(row["claim_id"], {})[row["paper_id"]] = bool(row["withdrawn"])
        wanted = sorted({id for care in open_ for id in anchors.get(care.claim_id, ())})
        moved = {
            row["id"]: (_moment(row["changed_at"]), bool(row["withdrawn"]))
            for n in range(0, len(wanted), AT_ONCE)
            for row in ask(CHANGED, min(starts), wanted[n : n + AT_ONCE])
        }
        for care in open_:
            for id in anchors.get(care.claim_id, ()):
                at, withdrawn = moved.get(id, (None, False))
                if at is not None and care.seen_to is not None and at > care.seen_to:
                    self._news.setdefault(care.claim_id, {})[id] = withdrawn

    def why(self, claim_id: str) -> tuple[str, ...]:
        """Say why a claim is due; empty when it is not: it is paused, or this day's night is done with it."""
        care = self._cared.get(claim_id) or Care(claim_id)
        if care.paused or is_done(care, self._night, self._checked_to):
            return ()
        news = self._news.get(claim_id, {})
        gone = sum(news.values())
        return reasons(
            care,
            self._night,
            self._due_days,
            gone=gone,
            changed=len(news) - gone,
            undecided=self._undecided[claim_id],
            checked_to=self._checked_to,
        )

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


def _is_undecided(document: str) -> bool:
    held = json.loads(document)
    result = held["result"] or {}
    measured = (result.get("primary") or {}).get("n_seeds", 0)
    n_seeds, max_seeds = max(measured, len(held["runs"])), held["preregistration"]["max_seeds"]
    is_saturated = result.get("is_saturated", False)
    return is_undecided(held["state"], result.get("outcome"), n_seeds, max_seeds, is_saturated=is_saturated)


def _day(value: date | str | None) -> date | None:
    return date.fromisoformat(value) if isinstance(value, str) else value


def _moment(value: datetime | str | None) -> datetime | None:
    # SQLite's bare driver gives moments as text, in UTC.
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    return value.replace(tzinfo=UTC) if value is not None and value.tzinfo is None else value
