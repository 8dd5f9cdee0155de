"""A report as Markdown, for reading and forwarding as text."""

import re
from collections.abc import Container, Iterator

from claims.dossier import InquiryDossier
from claims.grounding import Grounding
from claims.inquiry import Task
from claims.paper import Paper
from claims.report import citation, numbers
from claims.report.answers import QuestionView, TaskKind, asked_views, kind_of, question_views
from claims.report.markdown_claim import cite, claim, headline, quotes
from claims.report.phrases import (
    GROUNDING,
    HOW_TO_READ,
    confidence,
    durable,
    not_judged,
    tally,
    ungrounded,
    unlooked,
    unreadable,
    unsearched,
)
from claims.report.text import escape_markdown
from claims.report.text import markdown as safe
from claims.report.view import WINDOW_MONTHS, ClaimView, InquiryView, view_of


def render(dossier: InquiryDossier) -> str:
    """Write the report."""
    view = view_of(dossier)
    text = "\n".join(line.rstrip() for line in _document(view))
    return re.sub(r"\n{3,}", "\n\n", text).rstrip() + "\n"


def _document(view: InquiryView) -> Iterator[str]:
    papers = view.papers
    yield f"# {safe(view.title, papers)}"
    yield ""
    generated = f"{view.source.generated_at:%Y-%m-%d %H:%M} UTC"
    yield f"Evidence up to **{view.as_of}**. {tally(view)} Written {generated} by `retest`; no model wrote any of it."
    yield ""
    yield from _overview(view)
    inquiry = view.source.inquiry
    questions = question_views(view)
    for task in inquiry.tasks if inquiry else ():
        yield f"## Task {task.number}"
        yield ""
        yield f"> {safe(task.text, papers)}"
        yield ""
        yield from _task(task, view, questions)
    if not any(kind_of(t) is TaskKind.CONTRADICTIONS for t in (inquiry.tasks if inquiry else ())):
        yield "## Strongest contradicting work"
        yield ""
        yield from _recent(view)
    if questions and not any(kind_of(t) is TaskKind.QUESTIONS for t in (inquiry.tasks if inquiry else ())):
        yield "## Research questions"
        yield ""
        yield from _questions(questions, view)
    yield "## Claim by claim"
    yield ""
    for one in view.claims:
        yield from claim(one, papers)
    yield from _grounding(view)
    yield from _not_looked(view)
    yield from _warnings(view)
    yield from _reading(view)
    yield from _references(view)


def _overview(view: InquiryView) -> Iterator[str]:
    yield "| # | Claim | Verdict | Since | Confidence | For / against / qualifying |"
    yield "|--:|---|---|---|---|---|"
    for v in view.claims:
        verdict = v.verdict
        text = f"{safe(v.claim.text, view.papers)} ({v.claim.asserted_on})"
        if verdict is None:
            yield f"| {v.number} | {text} | not decided yet | – | – | – |"
            continue
        sides = f"{len(verdict.support)} / {len(verdict.against)} / {len(verdict.qualifying)}"
        unsure = " (rests on unsure stances)" if verdict.rests_on_unsure else ""
        yield (
            f"| {v.number} | {text} | **{verdict.kind}**{unsure} | {v.since_dated or '–'} | {confidence(v)} | {sides} |"
        )
    yield ""


def _task(task: Task, view: InquiryView, questions: tuple[QuestionView, ...]) -> Iterator[str]:
    kind = kind_of(task)
    if kind is TaskKind.RETEST:
        yield from _retest(view)
    elif kind is TaskKind.CONTRADICTIONS:
        yield from _recent(view)
        for asked in asked_views(task, view):
            yield f"**Asked for by name: {safe(asked.text, view.papers)}**"
            yield ""
            if not asked.rows:
                yield "Nothing of these months among the papers judged contradicts or qualifies a claim in these words."
            for v, row in asked.rows:
                yield f"- {headline(row, view.papers)} on claim {v.number}"
                yield from quotes(row, view.papers, indent="  ")
            yield ""
    elif kind is TaskKind.QUESTIONS:
        yield from _questions(questions, view)
    else:
        yield "Nothing in this report answers this task."
        yield ""


def _retest(view: InquiryView) -> Iterator[str]:
    yield "| # | Verdict | Durable | Perishable | What changed it |"
    yield "|--:|---|---|---|---|"
    for v in view.claims:
        verdict = v.verdict
        if verdict is None:
            yield f"| {v.number} | not decided yet | – | – | – |"
            continue
        perishable = "; ".join(safe(p, ()) for p in verdict.perishable) or "nothing named"
        changed = ", ".join(cite(r, view.papers) for r in v.changed_by) or "nothing"
        if v.outweighed:
            changed += f"; outweighed: {', '.join(cite(r, view.papers) for r in v.outweighed)}"
        yield f"| {v.number} | **{verdict.kind}** | {safe(durable(v), view.papers)} | {perishable} | {changed} |"
    yield ""


def _recent(view: InquiryView) -> Iterator[str]:
    first, last = view.window
    if not view.recent:
        yield f"None was found among the papers judged, dated {first} to {last} (the last {WINDOW_MONTHS} months)."
        if any(v.failed_searches for v in view.claims):
            yield "Not every place could be searched: see *What could not be looked at*."
        yield ""
        return
    yield f"Dated {first} to {last} (the last {WINDOW_MONTHS} months), strongest first; unsure ones come last."
    yield ""
    for place, found in enumerate(view.recent, 1):
        yield f"{place}. {headline(found.row, view.papers)} against claim {found.view.number}"
        yield from quotes(found.row, view.papers, indent="   ")
    yield ""
    without = [str(v.number) for v in view.claims if not v.recent]
    if without:
        yield f"No contradicting work in this window among the papers judged for: claim {', '.join(without)}."
        yield ""


def _questions(questions: tuple[QuestionView, ...], view: InquiryView) -> Iterator[str]:
    if not questions:
        yield "The document names no research questions."
        yield ""
    for q in questions:
        yield f"### ({escape_markdown(q.question.letter)}) {safe(q.question.text, view.papers)}"
        yield ""
        if q.claims:
            told = ", ".join(f"{v.number} (*{v.verdict.kind if v.verdict else 'not decided'}*)" for v in q.claims)
            yield f"- **Claims that bear on it:** {told}"
        else:
            yield "- **Claims that bear on it:** none of this document's"
        for v, row in q.rows:
            yield f"- **Evidence held:** {headline(row, view.papers)} on claim {v.number}"
        if not q.rows:
            yield "- **Evidence held:** no paper that was judged shares enough of its words"
        if q.design:
            yield f"- **Proposed experiment:** protocol `{q.design.protocol}`. Arms: {q.design.arms}. "
            yield f"  Primary metric: {q.design.metric}. {q.design.reading}"
            yield f"  Run it: `retest lab run {q.design.protocol} --profile tiny`"
        else:
            yield "- **Proposed experiment:** no protocol of the lab fits this question"
        yield ""


def _grounding(view: InquiryView) -> Iterator[str]:
    yield "## Citations of the document"
    yield ""
    if not view.groundings:
        yield "No citation was looked up."
    for v, g in view.groundings:
        yield f"- {grounding_line(v, g, view.papers)}"
    for told in ungrounded(view):
        yield f"- **Ungrounded** {told}"
    yield ""


def grounding_line(v: ClaimView | None, g: Grounding, papers: dict[str, Paper]) -> str:
    """Say in one line what was stated, what was found, and what disagrees."""
    stated = g.anchor.arxiv_id or g.anchor.stated_title or "a paper without id or title"
    held = papers.get(g.paper_id or "")
    found = f": [{safe(held.title, papers, link=False)}]({held.url}), {held.published}" if held else ""
    told = "; ".join(safe(p.message, papers) for p in g.problems)
    missing = "; ".join(f"{escape_markdown(s)}: {safe(w, ())}" for s, w in sorted(g.could_not_look.items()))
    return (
        f"{safe(stated, papers)}{f' (claim {v.number})' if v else ''}: **{GROUNDING[g.status]}**{found}"
        + (f". {told}" if told else "")
        + (f". Could not look in {missing}" if missing else "")
        + (f". How: {safe(g.how, papers)}" if g.how and g.how != "id" else "")
    )


def _not_looked(view: InquiryView) -> Iterator[str]:
    yield "## What could not be looked at"
    yield ""
    failed = unlooked(view)
    for source, why, claims in failed:
        yield f"- {source}: {safe(why, ())} (claim {claims})"
    if unreadable(view):
        yield f"- {numbers.count(unreadable(view), 'entry', 'entries')} of search answers could not be read"
    if unsearched(view):
        yield f"- No search is on record for claim {unsearched(view)}"
    for told in not_judged(view):
        yield f"- {safe(told, ())}"
    if not (failed or unreadable(view) or unsearched(view) or not_judged(view)):
        yield "Every place that was asked answered."
    yield ""


def _warnings(view: InquiryView) -> Iterator[str]:
    inquiry = view.source.inquiry
    if inquiry and inquiry.warnings:
        yield "## Lines of the document that could not be placed"
        yield ""
        for w in inquiry.warnings:
            yield f"- line {w.line}: {safe(w.why, ())}: “{safe(w.text, view.papers)}”"
        yield ""


def _reading(view: InquiryView) -> Iterator[str]:
    yield "## How to read this"
    yield ""
    for line in HOW_TO_READ:
        yield f"- {line}"
    yield f"- Cite this report as: {safe(citation.sentence(citation.name_of(view.source)), view.papers)}"
    yield ""


def _references(view: InquiryView) -> Iterator[str]:
    yield "## Papers"
    yield ""
    if not view.cited:
        yield "No paper was found in any source."
    for paper in view.cited:
        yield f"- {_reference(paper, view.papers)}"
    yield ""


def _reference(paper: Paper, papers: Container[str]) -> str:
    names = ", ".join(safe(a[:100], papers, link=False) for a in paper.authors[:3]) or "authors not known"
    more = " et al." if len(paper.authors) > 3 else ""
    gone = " **Withdrawn.**" if paper.withdrawn else ""
    title = safe(paper.title, papers, link=False)
    return f"{names}{more} ({paper.published}). [{title}]({paper.url}). arXiv:{paper.id}.{gone}"
