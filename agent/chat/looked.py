"""What was looked at for a claim: the newest work, when somebody last looked, and the paper that it stands on."""

from agent.chat.parts import order, unlooked
from agent.chat.say import Writer, short
from claims.report import numbers, phrases
from claims.report.view import ClaimView

NEWEST = 3
"""Pieces of the newest work that an answer quotes."""


def newest(w: Writer, view: ClaimView) -> None:
    """Name the newest work that takes a stand, and how far the search for it reached."""
    standing = [r for r in view.rows if r.counted]
    for row in standing[:NEWEST]:
        w.evidence_line(row)
    if not standing:
        w.note("Nothing that is held takes a stand on it.")
    elif len(standing) > NEWEST:
        w.note(f"{len(standing) - NEWEST} older that count: `{order(view, 'show')}` lists them.")
    checked(w, view)


def checked(w: Writer, view: ClaimView) -> None:
    """Say when somebody last looked for newer work, where, and up to which day."""
    searches = [s for s in view.dossier.searches if s.could_not_look is None]
    if not searches:
        w.note(f"No search for this claim is on record. `{order(view, 'retest')}` looks.")
    else:
        last = max(s.searched_at for s in searches)
        places = ", ".join(sorted({s.source.value for s in searches if s.searched_at.date() == last.date()}))
        until = f", for work up to {view.verdict.as_of}" if view.verdict else ""
        w.note(f"Last looked for newer work on {last:%Y-%m-%d} in {places}{until}.")
        if set(places.split(", ")) == {"library"}:
            w.note("The starter library is a selection: it does not show what else there is.")
    unlooked(w, view)


def ground(w: Writer, view: ClaimView) -> None:
    """Say which paper a claim stands on, whether it is what it is said to be, and whether it was withdrawn."""
    for found in view.dossier.groundings:
        paper = view.dossier.papers.get(found.paper_id or "")
        if paper is None:
            named = found.anchor.arxiv_id or found.anchor.stated_title or "the paper named"
            w.note(f"Its ground, {short(named, 110)}: {phrases.GROUNDING[found.status]}.")
            continue
        why = f": {short(paper.withdrawn_because, 160)}" if paper.withdrawn_because else ""
        state = f"It was withdrawn{why}" if paper.withdrawn else "The stored record does not say that it was withdrawn"
        problems = "".join(f" {p.message[:1].upper()}{short(p.message[1:], 160)}." for p in found.problems)
        w.note(
            f"Its ground is “{short(paper.title, 110)}” (arXiv:{paper.id}, {paper.published}), "
            f"{phrases.GROUNDING[found.status]}.{problems} {state}."
        )
    if not view.dossier.groundings:
        w.note(f"Its ground is not known: {view.ungrounded}.")


def count(w: Writer, tally: str, view: ClaimView) -> None:
    """Say how many papers were weighed, and what they do."""
    n = sum(view.tally.values())
    w.note(f"Of {numbers.count(n, 'paper')} weighed for it, {tally}.")
