"""A question, understood: which claims it is about, what it asks about each, and which days it means."""

import re
from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

from agent.chat.days import Days, How, days
from agent.chat.intents import WORK, Intent, clauses, cued, in_order, intents
from agent.chat.past import past_view
from agent.chat.topics import Topic, deciding, find_topic, others, rank
from claims.claim import Claim
from claims.clock import Clock
from claims.report.view import ClaimView, claim_view
from claims.store import Store

MAX_CLAIMS = 3
"""Claims that one answer speaks about; others are named."""

MAX_QUESTION = 4000
"""Characters of a question that are read."""


class Asked(NamedTuple):
    """A question, understood."""

    question: str
    topic: Topic
    wanted: tuple[Intent, ...]
    """everything that it asks for"""
    views: tuple[ClaimView, ...]
    """the claims that it is about, as of the day that it asks about"""
    of_each: tuple[tuple[Intent, ...], ...]
    """what it asks for about each of them"""
    days: Days
    now: tuple[ClaimView | None, ...]
    """each claim as held now where its view is of a past day, else None"""


def understood(store: Store, question: str, clock: Clock, *, focus: Sequence[str] = ()) -> Asked:
    """Find what a question asks for, and read the claims that it is about."""
    question = question[:MAX_QUESTION]
    today = clock.now().date()
    claims = store.claims()
    when = days(question, today)
    topic = find_topic(store, when.rest, claims)
    if when.how and any(when.words.strip() in c.text for c in topic.claims[:1]):
        # The date is the claim's own, so nothing is asked about that day.
        when = Days(question)
        topic = find_topic(store, question, claims)
    wanted = intents(when.rest)
    if when.how is How.SINCE and Intent.HOLDS in wanted and Intent.CHANGED not in wanted:
        wanted = in_order({*wanted, Intent.SINCE})
    chosen = list(topic.claims)
    if topic.silent and not topic.paper_ids and not topic.unknown_ids:
        by_id = {c.id: c for c in claims}
        chosen = [by_id[id] for id in focus if id in by_id]
        if not chosen and len(claims) == 1:
            chosen = claims
    most = MAX_CLAIMS if topic.evidence_ids or topic.paper_ids else 1
    of_each: list[tuple[Intent, ...]] = []
    if Intent.COMPARE in wanted:
        chosen, most = _pair(when.rest, claims, chosen, focus), 2
    elif most == 1 and chosen and (more := others(when.rest, topic, claims)):
        topic = topic._replace(beyond=more.beyond)
        chosen, most = list(more.claims), MAX_CLAIMS
        of_each = _of_each(when.rest, chosen[:most])
    chosen = chosen[:most]
    of_each = of_each or [wanted] * len(chosen)
    dossiers = {d.claim.id: d for d in store.dossiers([c.id for c in chosen])}
    views: list[ClaimView] = []
    now: list[ClaimView | None] = []
    for number, (claim, about) in enumerate(zip(chosen, of_each, strict=True), 1):
        view = claim_view(dossiers[claim.id], today, number)
        past = _past_day(when, about, view)
        views.append(past_view(view.dossier, past, number) if past else view)
        now.append(view if past else None)
    return Asked(question, topic, wanted, tuple(views), tuple(of_each), when, tuple(now))


def _past_day(when: Days, wanted: Sequence[Intent], view: ClaimView) -> date | None:
    """Give the past day that is asked about; None for today, or where a date only says which work is meant."""
    asks_work_alone = not set(wanted) - WORK
    if when.how in (None, How.SINCE) or (when.how is How.IN and asks_work_alone):
        return None
    return when.last if view.verdict and when.last < view.verdict.as_of else None


def _of_each(question: str, claims: Sequence[Claim]) -> list[tuple[Intent, ...]]:
    """Tell what a question over several claims asks about each: its clauses go with the claims that they name."""
    asked: dict[str, set[Intent]] = {c.id: set() for c in claims}
    words = deciding(claims)
    about = list(asked)
    last: set[Intent] = {Intent.HOLDS}
    for clause in clauses(question):
        about = [id for id in asked if words[id](clause)] or about
        last = set(cued(clause)) or last
        for id in about:
            asked[id] |= last
    return [in_order(found or {Intent.HOLDS}) for found in asked.values()]


def _pair(question: str, claims: Sequence[Claim], found: list[Claim], focus: Sequence[str]) -> list[Claim]:
    """Find the two claims of a comparison: the best match of each half, then the best matches of the whole."""
    pair: dict[str, Claim] = {}
    low = f" {question} "
    for joint in (" versus ", " vs. ", " vs ", " with ", " and ", " than ", " or ", " to "):
        left, cut, right = low.partition(joint)
        if cut:
            halves = [next((c for s, strong, c in rank(half, claims) if strong), None) for half in (left, right)]
            if halves[0] and halves[1] and halves[0].id != halves[1].id:
                pair = {c.id: c for c in halves if c}
                break
    if len(pair) < 2:
        pair |= {c.id: c for c in found}
        if re.search(r"(?i)\b(?:it|this|that|them|they|those)\b", question) or not found:
            pair |= {c.id: c for c in claims if c.id in focus and len(pair) < 2}
    return list(pair.values())
