"""Which claims a night has to go over, in which order, and why. Reads the store and changes nothing.

How far a claim got is kept with the claim and moves only after everything that was found for it is stored. A claim
that failed, was left for lack of room, or came in yesterday is therefore matched against all that it has not seen,
however far the other claims are.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import NamedTuple

from agent.refresh.seeds import STEP, undecided
from claims.claim import Claim
from claims.due import Care, PaperChange, is_done, is_full, is_new, news_of, reasons
from claims.errors import Damaged
from claims.store import Store


class Due(NamedTuple):
    """One claim that a night has to go over."""

    claim: Claim
    care: Care
    why: tuple[str, ...]
    """never empty"""
    full: bool
    """match it against every held paper, not only those that changed"""
    moved: frozenset[str]
    """changed papers that it holds a stance on, or that are its anchors"""
    urgent: bool
    """whether any of those changed since the claim was gone over, or the night has seeds for an experiment of it"""


class NightPlan(NamedTuple):
    """What a night has to do."""

    due: list[Due]
    """first what must not wait: pinned, forced, changed ground or an undecided experiment, then those that waited
    longest"""
    done: list[str]
    """claims that this night is done with"""
    paused: list[str]
    damaged: list[Damaged]
    """claims and experiments that cannot be read"""
    changes: dict[str, PaperChange]
    """papers that changed since the claim that is furthest behind was refreshed"""
    checked_to: datetime | None
    """the newest change to any paper; None when no paper is held"""
    seen_to: datetime | None
    """where the next night has to begin: before `checked_to` when papers are too new for this one"""

    def is_done(self, care: Care | None, night: date) -> bool:
        """Tell whether a night went over a claim since the newest change."""
        return is_done(care, night, self.checked_to)


NOTHING = NightPlan(due=[], done=[], paused=[], damaged=[], changes={}, checked_to=None, seen_to=None)
"""The plan of a night that has nothing to do."""


def plan_night(store: Store, night: date, *, due_days: int = 30, seeds: int = 0) -> NightPlan:
    """Plan a night: papers up to that day count. A claim is matched in full again after `due_days` days.

    seeds: that the night may give to undecided experiments; so many of their claims as that is enough for, those that
    waited longest, come before claims on which nothing changed.
    """
    claims, damaged = store.readable_claims()
    measured = store.readable_experiments()
    cared = store.care()
    checked_to = store.last_change()
    open_ = [c for c in claims if not _care_of(cared, c).paused and not is_done(cared.get(c.id), night, checked_to)]
    starts = [cared[c.id].seen_to if c.id in cared else None for c in open_]
    behind = None if None in starts else min((at for at in starts if at is not None), default=checked_to)
    changes = {change.paper_id: change for change in (store.paper_changes(behind) if open_ else [])}
    held = store.evidence_on(changes) if changes else {}
    too_new = min((c.changed_at for c in changes.values() if c.published_on > night), default=None)
    waiting = Counter(view.spec.claim_id for view in undecided(measured.experiments)) if open_ else Counter()
    served = _served(open_, cared, waiting, seeds // STEP)
    seen_to = checked_to if too_new is None or checked_to is None else min(checked_to, too_new)
    due = [
        _due(
            claim,
            _care_of(cared, claim),
            night,
            due_days,
            changes,
            held.get(claim.id, set()),
            waiting[claim.id],
            checked_to,
            is_served=claim.id in served,
        )
        for claim in open_
    ]
    due.sort(key=_urgency)
    return NightPlan(
        due=due,
        done=[c.id for c in claims if is_done(cared.get(c.id), night, checked_to)],
        paused=[c.id for c in claims if _care_of(cared, c).paused],
        damaged=[*damaged, *measured.damaged],
        changes=changes,
        checked_to=checked_to,
        seen_to=seen_to,
    )


def why_due(store: Store, night: date) -> dict[str, tuple[str, ...]]:
    """Say of each claim why a night has to go over it; one that it has not to go over is left out.

    For people who look: unlike a plan it never reads the changes since the beginning, which a claim that was never
    refreshed needs no more than its name to be due for.
    """
    return {line.claim_id: line.due for line in store.overview(night=night) if line.due}


def _care_of(cared: Mapping[str, Care], claim: Claim) -> Care:
    return cared.get(claim.id) or Care(claim.id)


def _due(
    claim: Claim,
    care: Care,
    night: date,
    due_days: int,
    changes: Mapping[str, PaperChange],
    held: set[str],
    waiting: int,
    checked_to: datetime | None,
    *,
    is_served: bool,
) -> Due:
    grounds = held | {a.arxiv_id for a in claim.anchors if a.arxiv_id}
    moved = {id for id in grounds & changes.keys() if is_new(changes[id], care)}
    news = news_of(care, grounds, changes)
    gone = sum(changes[id].withdrawn for id in news)
    changed = len(news) - gone
    why = reasons(care, night, due_days, gone=gone, changed=changed, undecided=waiting, checked_to=checked_to)
    return Due(claim, care, why, is_full(care, night, due_days), frozenset(moved), bool(news) or is_served)


def _served(claims: Sequence[Claim], cared: Mapping[str, Care], waiting: Mapping[str | None, int], n: int) -> set[str]:
    """Give the claims with an undecided experiment that a night has seeds for: those that waited longest."""
    by_wait = sorted((_care_of(cared, c).refreshed_on or date.min, c.id) for c in claims if c.id in waiting)
    return {id for _, id in by_wait[:n]}


def _urgency(due: Due) -> tuple[bool, bool, bool, date, str]:
    return (
        not due.care.pinned,
        not due.care.forced,
        not due.urgent,
        due.care.refreshed_on or date.min,
        due.claim.id,
    )
