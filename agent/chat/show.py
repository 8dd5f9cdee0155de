"""`/show`: one claim at a glance, and search among the evidence that is held."""

from agent.chat import parts
from agent.chat.asked import understood
from agent.chat.reply import Ground, Reply
from agent.chat.say import Writer
from agent.chat.topics import content, rank
from claims.claim import Claim
from claims.clock import Clock
from claims.report import numbers
from claims.report.view import Row, claim_view
from claims.store import Store
from claims.ties import telling_words

MAX_SHOWN = 12
"""Pieces of evidence that `/show` names."""

CLAIMS_SEARCHED = 20
"""Claims nearest to a query whose evidence is searched."""


def shown(store: Store, claim: Claim, clock: Clock, *, question: str = "") -> Reply:
    """Show a claim: verdict, since when, and what takes a stand."""
    today = clock.now().date()
    view = claim_view(store.dossier(claim.id), today)
    w = Writer(store, question or claim.id, [view])
    parts.holds(w, view, today)
    parts.since(w, view)
    speaking = [r for r in view.table_rows if r.paper and (r.counted or r.why_not)]
    for row in speaking[:MAX_SHOWN]:
        w.evidence_line(row)
    if len(speaking) > MAX_SHOWN:
        w.note(f"{len(speaking) - MAX_SHOWN} more: `retest show {claim.id}` lists all.")
    silent = sum(1 for r in view.rows if r.paper and not r.unjudged) - len(speaking)
    if silent:
        w.note(f"{numbers.count(silent, 'more paper')} take no stand, or the judge was not sure.")
    parts.experiment(w, view)
    return w.reply()


def search_evidence(store: Store, query: str, clock: Clock, *, limit: int = 20) -> list[Ground]:
    """Find held evidence by words, by a claim's, paper's or evidence's id; what takes a stand comes first."""
    asked = understood(store, query, clock)
    views = list(asked.views)
    today = clock.now().date()
    if not asked.topic.paper_ids and not asked.topic.evidence_ids:
        near = [claim.id for _, _, claim in rank(query, store.claims())[:CLAIMS_SEARCHED]]
        near = [id for id in near if id not in {v.claim.id for v in views}]
        views += [claim_view(d, today) for d in store.dossiers(near)]
    w = Writer(store, query, views)
    words = content(query)
    scored: list[tuple[float, str, Row]] = []
    for n, view in enumerate(views):
        for row in view.rows:
            named = row.evidence.id in asked.topic.evidence_ids or (row.paper and row.paper.id in asked.topic.paper_ids)
            if (asked.topic.evidence_ids or asked.topic.paper_ids) and not named:
                continue
            text = (
                f"{row.paper.title} {row.paper.abstract or row.paper.finding or ''}" if row.paper else row.explanation
            )
            score = len(words & telling_words(text)) + 2.0 * row.counted + 1.0 * bool(row.why_not) - 0.1 * n
            scored.append((-score, row.evidence.id, row))
    return [w.ground(row) for *_, row in sorted(scored, key=lambda s: s[:2])[:limit]]
