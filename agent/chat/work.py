"""Work of one side on a claim, strongest first, from the days that a question asks for."""

from datetime import date

from agent.chat.days import Days, How, Window, window
from agent.chat.parts import order, unlooked
from agent.chat.say import Writer
from claims.evidence import Stance
from claims.report import numbers
from claims.report.view import ClaimView, Row, strength

MAX_ROWS = 5
"""Papers of one stance that an answer quotes."""

MAX_OLDER = 2
"""Papers from before the window that are quoted where the window is empty."""

VERBS = {
    Stance.CONTRADICTS: ("contradicts", "contradict"),
    Stance.QUALIFIES: ("narrows", "narrow"),
    Stance.SUPPORTS: ("supports", "support"),
}


def last_looked(view: ClaimView, today: date) -> date:
    """Give the last day of which something is known: today, or the verdict's."""
    return min(today, view.verdict.as_of) if view.verdict else today


def against(w: Writer, view: ClaimView, today: date, asked: Days) -> None:
    """Name the strongest work against a claim, and what narrows it, in the window that is asked for."""
    span = window(asked, last_looked(view, today))
    _told(w, view, (Stance.CONTRADICTS, Stance.QUALIFIES), span)


def one_side(w: Writer, view: ClaimView, stance: Stance, today: date, asked: Days) -> None:
    """Name the strongest work of one stance, over all time unless a time is named."""
    _told(w, view, (stance,), window(asked, last_looked(view, today), usual=None))


def of_days(w: Writer, view: ClaimView, today: date, asked: Days) -> None:
    """Name the work of all sides from the days that are asked for."""
    span = window(asked, last_looked(view, today))
    _told(w, view, (Stance.CONTRADICTS, Stance.QUALIFIES, Stance.SUPPORTS), span)


def changed_in(w: Writer, view: ClaimView, today: date, asked: Days) -> None:
    """Say what changed in a span of days: the verdict's steps, and the work that takes a stand."""
    span = window(asked, last_looked(view, today))
    steps = [(before, step) for before, step in zip(view.path, view.path[1:], strict=False) if _in(step.on, span)]
    for before, step in steps:
        ground = [r for r in view.rows if r.counted and r.on <= step.on]
        w.finding(f"Dated {step.dated}, the verdict went from “{before.kind}” to “{step.kind}”.", ground)
    if not steps:
        w.note(f"The verdict did not change from {span.first} to {span.last}.")
    _told(w, view, (Stance.CONTRADICTS, Stance.QUALIFIES, Stance.SUPPORTS), span)


def _told(w: Writer, view: ClaimView, stances: tuple[Stance, ...], span: Window) -> None:
    verbs = " or ".join(f"{VERBS[stance][0]} it" for stance in stances)
    found = {stance: sorted((r for r in view.rows if _speaks(r, stance)), key=strength) for stance in stances}
    inside = {stance: [r for r in rows if _in(r.on, span)] for stance, rows in found.items()}
    when = f" and dated {span.first} to {span.last}" if span.why else ""
    if not any(inside.values()):
        w.note(f"Nothing that is held{when} {verbs}.")
    for stance, rows in inside.items():
        if not rows and stance is stances[0] and any(inside.values()):
            w.note(f"Nothing that is held{when} {VERBS[stance][0]} it.")
        for row in rows[:MAX_ROWS]:
            w.evidence_line(row)
        if len(rows) > MAX_ROWS:
            w.note(f"{len(rows) - MAX_ROWS} more that {VERBS[stance][1]} it: `{order(view, 'show')}` lists them.")
    older = {stance: [r for r in rows if r.on < span.first] for stance, rows in found.items()}
    if any(older.values()):
        told = " and ".join(
            f"{numbers.count(len(o), 'piece')} of work that {VERBS[s][len(o) > 1]} it" for s, o in older.items() if o
        )
        every = [r for rows in older.values() for r in rows]
        if any(inside.values()):
            w.finding(f"Dated before {span.first}: {told}.", every)
        else:
            w.finding(f"Dated before {span.first}: {told}. The strongest of it:", every)
            for row in every[:MAX_OLDER]:
                w.evidence_line(row)
    if span.why:
        w.note(span.why)
    if not view.dossier.searches:
        look = order(view, "retest")
        w.note(f"No search for this claim is on record, so that nothing found means nothing here. `{look}` looks.")
    unlooked(w, view)


def names_days(asked: Days) -> bool:
    """Tell whether a question says from which days work is meant."""
    return asked.how in (How.SINCE, How.IN) or asked.months is not None


def _in(day: date, span: Window) -> bool:
    return span.first <= day <= span.last


def _speaks(row: Row, stance: Stance) -> bool:
    return (row.leaning if row.unsure else row.stance) is stance and not row.why_not
