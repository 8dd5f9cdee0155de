"""One question, one answer from the store: what is asked for, about which claims, said from what is held about them."""

import re
from collections.abc import Sequence

from agent.chat import looked, parts, work
from agent.chat.asked import Asked, understood
from agent.chat.days import How, window
from agent.chat.intents import WORK, Intent
from agent.chat.past import held_then
from agent.chat.reply import Reply
from agent.chat.say import Writer, short
from agent.chat.topics import Topic
from claims.clock import Clock
from claims.evidence import PaperEvidence, Stance
from claims.paper import Paper
from claims.report import bibtex, numbers
from claims.report.view import ClaimView
from claims.store import Store
from claims.verdict import VerdictKind

MAX_LISTED = 12
"""Claims in a list."""

MAX_BEYOND = 6
"""Words of a question that are named as not the claim's."""

HELP = (
    "Ask about a claim that is held: does it still hold (or did it as of March 2026), since when, what changed it, the "
    "strongest work against it in the last six months, what narrows it, the newest work, when it was last checked, "
    "what our own experiment says and how sure it is, what is untested, compare two claims, what would change the "
    "verdict, cite it for me (BibTeX).",
    "In the conversation: /show CLAIM, /retest [CLAIM], /experiment [CLAIM], /help, /quit. The last claim is kept in "
    'mind, so that `since when?` is enough. `retest ask "/experiment CLAIM"` does one of them by itself.',
)


def ask(store: Store, question: str, clock: Clock, *, focus: Sequence[str] = ()) -> Reply:
    """Answer from the store, with no model. `focus`: ids of the claims that were spoken of last."""
    return told(store, understood(store, question, clock, focus=focus), clock)


def told(store: Store, asked: Asked, clock: Clock) -> Reply:
    """Say what is held on an understood question."""
    w = Writer(store, asked.question, asked.views, beside=[v for v in asked.now if v is not None])
    topic, wanted = asked.topic, asked.wanted
    if topic.unknown_ids:
        w.note("No paper, evidence or experiment of an id in the question is held here, so nothing is said about it.")
    if Intent.HELP in wanted:
        for line in HELP:
            w.note(line)
        return w.reply()
    of_all = topic.silent and not re.search(r"(?i)\b(?:it|its|this|that|they)\b", asked.question)
    if Intent.LIST in wanted or (Intent.UNTESTED in wanted and of_all):
        return _listed(store, w, asked, clock, only_open=Intent.UNTESTED in wanted)
    if Intent.CITE in wanted and topic.paper_ids:
        return _cited(w, list(store.papers(topic.paper_ids).values()))
    if not asked.views and _ANYTHING.search(asked.question):
        return _changes(store, w, asked, clock)
    if not asked.views:
        return _not_held(store, w, topic)
    if Intent.COMPARE in wanted:
        return _compared(w, asked, clock)
    if topic.evidence_ids or topic.paper_ids:
        _named(w, topic)
        if wanted == (Intent.HOLDS,) and not re.search(r"(?i)\b(?:still|holds?|verdict)\b", asked.question):
            return w.reply()
    if topic.by_meaning:
        w.note("No claim is held in just these words; this is about the one that is nearest by its meaning.")
    if topic.beyond:
        name = "No claim is held in just these words; the nearest" if topic.loose else "The claim as it is held"
        w.note(f"{name} does not speak of: {', '.join(short(word, 40) for word in topic.beyond[:MAX_BEYOND])}.")
    for view, now, about in zip(asked.views, asked.now, asked.of_each, strict=True):
        if not {Intent.HOLDS, Intent.UNTESTED} & set(about):
            w.note(f"The claim: {parts.name(view)}.")
        for intent in about:
            _part(w, view, now, intent, asked, clock)
    others = [c for c in topic.claims if c.id not in {v.claim.id for v in asked.views}]
    if others:
        w.note("Also held on this: " + ", ".join(c.id for c in others[:4]) + ".")
    if Intent.CITE not in wanted:
        return w.reply()
    return _cited(w, w.cited() if WORK & set(wanted) else _ground_papers(asked.views))


def _part(w: Writer, view: ClaimView, now: ClaimView | None, intent: Intent, asked: Asked, clock: Clock) -> None:
    today = clock.now().date()
    if intent is Intent.HOLDS and now is not None:
        held_then(w, view, now, asked.days.named)
    elif intent is Intent.HOLDS:
        parts.holds(w, view, today)
        if asked.days.how in (How.IN, How.BY) and view.verdict:
            w.note(f"No later work was looked at, so this is all that is held for {asked.days.named}.")
    elif intent is Intent.SINCE:
        parts.since(w, view, is_past=now is not None)
    elif intent is Intent.CHANGED and work.names_days(asked.days) and now is None:
        work.changed_in(w, view, today, asked.days)
    elif intent is Intent.CHANGED:
        parts.changed(w, view)
    elif intent is Intent.AGAINST:
        work.against(w, view, today, asked.days)
    elif intent is Intent.NARROWS:
        work.one_side(w, view, Stance.QUALIFIES, today, asked.days)
    elif intent is Intent.SUPPORT:
        work.one_side(w, view, Stance.SUPPORTS, today, asked.days)
    elif intent is Intent.EXPERIMENT:
        parts.experiment(w, view)
    elif intent is Intent.UNTESTED:
        parts.untested(w, view)
    elif intent is Intent.NEWEST and work.names_days(asked.days) and now is None:
        work.of_days(w, view, today, asked.days)
    elif intent is Intent.COUNT:
        looked.count(w, _tally(view), view)
    elif intent in _LOOKED:
        _LOOKED[intent](w, view)
    elif intent is Intent.MIND:
        parts.mind(w, view)


_LOOKED = {Intent.GROUND: looked.ground, Intent.CHECKED: looked.checked, Intent.NEWEST: looked.newest}


def _not_held(store: Store, w: Writer, topic: Topic) -> Reply:
    lines = store.overview()
    if not lines:
        w.note("No claim is held yet: `retest run` starts with the shipped inquiry, `retest claims add` adds one.")
        return w.reply(held=False)
    if topic.silent and not topic.unknown_ids and not topic.paper_ids:
        w.note("Which claim? The question names none. `retest list` shows what is held.")
        return w.reply(held=False)
    if topic.paper_ids:
        w.note(f"The paper arXiv:{topic.paper_ids[0]} is held, and was weighed for no claim.")
    else:
        w.note("I do not hold a claim on that.")
    if topic.nearest is not None:
        shares = f", which shares only “{'”, “'.join(topic.shared)}”" if topic.shared else ""
        w.note(f"The nearest that is held{shares}: “{topic.nearest.text}” ({topic.nearest.id}).")
    w.note('`retest search "..."` looks for papers; `retest claims add "..." --asserted-on 2024-05` adds the claim.')
    return w.reply(held=False)


_SHAKY = re.compile(
    r"\b(?:weakest|shakiest|least (?:certain|sure|confident|supported)|most uncertain)\b", re.IGNORECASE
)
_ANYTHING = re.compile(
    r"\b(?:anything|something|what|what's|what’s)\b.{0,20}\b(?:changed?|new|happened)\b", re.IGNORECASE
)


def _changes(store: Store, w: Writer, asked: Asked, clock: Clock) -> Reply:
    """Say which claims have had their verdict only since some day of the span that is asked for."""
    span = window(asked.days, clock.now().date())
    lines = store.overview()
    shown = [x for x in lines if x.since and span.first <= x.since <= span.last]
    w.note(f"{len(shown)} of {len(lines)} claims got their present verdict from {span.first} to {span.last}.")
    for line in shown[:MAX_LISTED]:
        w.note(f"- {line.claim_id}: {line.kind}, first as of {line.since}. {short(line.text, 120)}")
    if len(shown) > MAX_LISTED:
        w.note(f"and {len(shown) - MAX_LISTED} more: `retest list`.")
    w.note("`retest refresh` tells each night what changed and why.")
    return w.reply()


def _listed(store: Store, w: Writer, asked: Asked, clock: Clock, *, only_open: bool) -> Reply:
    """List claims, as they were on record on the past day that is asked about."""
    topic, question = asked.topic, asked.question
    is_past = asked.days.how is How.BY and asked.days.last < clock.now().date()
    lines = store.overview(as_of=asked.days.last if is_past else None)
    if is_past:
        w.note(f"As it was on record on {asked.days.last}; what came in later is left out.")
        if not lines:
            w.note("No claim was held on that day. `retest list` shows what is held now.")
            return w.reply()
    if not lines:
        return _not_held(store, w, Topic(()))
    kinds = [kind.value for kind in VerdictKind if re.search(rf"(?i)\b{kind.value}\b", question)]
    if only_open:
        shown, what = [x for x in lines if x.kind in (None, "untested")], "untested or never decided"
    elif kinds:
        shown, what = [x for x in lines if x.kind in kinds], " or ".join(kinds)
    else:
        shown, what = lines, "held"
    about = {c.id for c in topic.claims}
    if about:
        shown = [x for x in shown if x.claim_id in about]
        what += ", and about this"
    some = len(shown) < len(lines)
    w.note(f"{len(shown)} of {len(lines)} claims are {what}." if some else f"{len(lines)} claims are held.")
    if _SHAKY.search(question):
        shown = sorted(shown, key=lambda x: x.confidence or 0.0)
        w.note("Least sure first:")
    for line in shown[:MAX_LISTED]:
        sure = "" if line.confidence is None or line.kind == "untested" else f", {numbers.share(line.confidence)} sure"
        kind = f"{line.kind}{sure}" if line.kind else "never decided"
        w.note(f"- {line.claim_id} ({line.asserted_on}): {kind}. {short(line.text, 140)}")
    if len(shown) > MAX_LISTED:
        w.note(f"and {len(shown) - MAX_LISTED} more: `retest list`.")
    return w.reply()


def _compared(w: Writer, asked: Asked, clock: Clock) -> Reply:
    if len(w.views) < 2:
        w.note("A comparison needs two claims, and only one that is held fits the question. `retest list` shows all.")
    for view, now in zip(asked.views, asked.now, strict=True):
        _part(w, view, now, Intent.HOLDS, asked, clock)
        if len(w.views) > 1:
            w.note(f"Of the papers weighed for it, {_tally(view)}.")
    if len(w.views) < 2:
        return w.reply()
    a, b = w.views
    both = {r.paper.id for r in a.rows if r.paper and r.counted} & {r.paper.id for r in b.rows if r.paper and r.counted}
    shared = [r for view in w.views for r in view.rows if r.paper and r.paper.id in both]
    if shared:
        w.finding(f"{len(both)} of the papers that count bear on both claims.", shared)
    else:
        w.note("No paper that counts bears on both.")
    alike = a.claim.scope.family is not None and a.claim.scope.family == b.claim.scope.family
    w.note(
        f"Both belong to the family {a.claim.scope.family}: the same protocol re-tests them."
        if alike
        else f"Families: {a.claim.scope.family or 'none'} and {b.claim.scope.family or 'none'}."
    )
    return w.reply()


def _tally(view: ClaimView) -> str:
    """Say what the papers of a claim do, as in `3 support it, 0 contradict it, 1 narrows it, 79 take no stand`."""
    n = view.tally
    told = [f"{n[s]} {work.VERBS[s][n[s] != 1]} it" for s in (Stance.SUPPORTS, Stance.CONTRADICTS, Stance.QUALIFIES)]
    told.append(f"{n['neutral']} take{'s' * (n['neutral'] == 1)} no stand")
    told += [f"{n[other]} {words}" for other, words in _REST.items() if n[other]]
    return ", ".join(told)


_REST = {"unsure": "left the judge unsure", "not counted": "did not count"}


def _named(w: Writer, topic: Topic) -> None:
    """Say what the evidence or the papers say that a question names."""
    for view in w.views:
        for row in view.rows:
            by_paper = row.paper is not None and row.paper.id in topic.paper_ids
            if row.evidence.id in topic.evidence_ids or by_paper:
                w.evidence_line(row, about=f"On {view.claim.id}: ")
    anchors = {a.arxiv_id: v for v in w.views for a in v.claim.anchors}
    for paper_id in topic.paper_ids:
        if paper_id in anchors:
            w.note(f"arXiv:{paper_id} is named as the ground of {anchors[paper_id].claim.id}.")


def _ground_papers(views: Sequence[ClaimView]) -> list[Paper]:
    """Give the papers to cite for claims: their ground first, then what the verdict rests on."""
    found: dict[str, Paper] = {}
    for view in views:
        ids = [g.paper_id for g in view.dossier.groundings if g.paper_id]
        ids += [a.arxiv_id for a in view.claim.anchors if a.arxiv_id]
        ids += [r.evidence.paper_id for r in parts.behind(view) if isinstance(r.evidence, PaperEvidence)]
        found |= {id: view.dossier.papers[id] for id in ids if id in view.dossier.papers}
    return list(found.values())[:8]


def _cited(w: Writer, papers: Sequence[Paper]) -> Reply:
    if not papers:
        w.note("No paper that is held stands behind it, so there is nothing to cite.")
    else:
        n = f"{len(papers)} entries as the stored records have them"
        n = n if len(papers) > 1 else "One entry as the stored record has it"
        w.note(f"{n}: {', '.join(f'arXiv:{p.id}' for p in papers)}.")
    return w.reply(bibtex="\n".join(bibtex.entry(p) for p in papers))
