"""A report as Markdown, for reading and forwarding as text."""

import re
from collections.abc import Container, Iterator

from claims.dossier import InquiryDossier
from claims.evidence import ExperimentEvidence
from claims.experiment import ExperimentView
from claims.grounding import Grounding
from claims.paper import Paper
from claims.report import numbers
from claims.report.answers import QuestionView, TaskKind, kind_of, question_views
from claims.report.phrases import (
    GROUNDING,
    HOW_TO_READ,
    confidence,
    record,
    tally,
    ungrounded,
    unlooked,
    unreadable,
    unsearched,
)
from claims.report.text import escape_markdown
from claims.report.text import markdown as safe
from claims.report.view import WINDOW_MONTHS, ClaimView, InquiryView, Row, view_of, whose_words


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
        yield from _task(kind_of(task), view, questions)
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
    for claim in view.claims:
        yield from _claim(claim, papers)
    yield from _grounding(view)
    yield from _not_looked(view)
    yield from _warnings(view)
    yield from _reading()
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
        yield (f"| {v.number} | {text} | **{verdict.kind}**{unsure} | {v.since or '–'} | {confidence(v)} | {sides} |")
    yield ""


def _task(kind: TaskKind, view: InquiryView, questions: tuple[QuestionView, ...]) -> Iterator[str]:
    if kind is TaskKind.RETEST:
        yield from _retest(view)
    elif kind is TaskKind.CONTRADICTIONS:
        yield from _recent(view)
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
        changed = ", ".join(_cite(r, view.papers) for r in v.changed_by) or "nothing"
        yield f"| {v.number} | **{verdict.kind}** | {safe(verdict.durable, view.papers)} | {perishable} | {changed} |"
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
        yield f"{place}. {_headline(found.row, view.papers)} against claim {found.view.number}"
        yield from _quotes(found.row, view.papers, indent="   ")
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
            yield f"- **Evidence held:** {_headline(row, view.papers)} claim {v.number}"
        if not q.rows:
            yield "- **Evidence held:** none that counted shares its words"
        if q.design:
            yield f"- **Proposed experiment:** protocol `{q.design.protocol}`. Arms: {q.design.arms}. "
            yield f"  Primary metric: {q.design.metric}. {q.design.reading}"
            yield f"  Run it: `retest lab run {q.design.protocol} --profile tiny`"
        else:
            yield "- **Proposed experiment:** no protocol of the lab fits this question"
        yield ""


def _claim(v: ClaimView, papers: dict[str, Paper]) -> Iterator[str]:
    verdict = v.verdict
    yield f"### {v.number}. {safe(v.claim.text, papers)}"
    yield ""
    yield f"Asserted {v.claim.asserted_on} · `{v.claim.id}`"
    yield ""
    if verdict is None:
        yield "**Not decided yet.**"
        yield ""
    else:
        since = f" since {v.since}" if v.since else ""
        yield (
            f"**{verdict.kind}**{since} (as of {verdict.as_of}, confidence {confidence(v)}). "
            f"{safe(verdict.reason, papers)}"
        )
        yield ""
        yield f"- **Durable:** {safe(verdict.durable, papers)}"
        yield f"- **Perishable:** {'; '.join(safe(p, ()) for p in verdict.perishable) or 'nothing named'}"
        if v.ungrounded:
            yield f"- **Ungrounded:** {v.ungrounded}"
        yield f"- **Recorded:** {record(v)}"
        if len(v.path) > 1:
            told = " → ".join(f"{s.kind} ({s.on})" for s in v.path)
            yield f"- **Over time, on the evidence held now:** {told}"
        yield ""
        yield "#### What changed it"
        yield ""
        yield from _listed(v.changed_by, papers, "Nothing: no newer evidence speaks against it or narrows it.")
    yield f"#### Strongest contradicting work of the last {WINDOW_MONTHS} months ({v.window[0]} to {v.window[1]})"
    yield ""
    yield from _listed(v.recent, papers, "None among the papers judged.")
    if v.read_first:
        yield "#### Read first: unsure stances that could change the verdict"
        yield ""
        yield from _listed(v.read_first, papers, "")
    yield from _evidence(v, papers)
    yield "#### Experiments"
    yield ""
    if not v.dossier.experiments:
        because = v.dossier.no_experiment_because
        yield f"None{': ' + safe(because, papers) if because else ' was run, and no reason is recorded'}."
        yield ""
    for experiment in v.dossier.experiments:
        yield from _experiment(experiment, papers)


def _listed(rows: tuple[Row, ...], papers: Container[str], none: str) -> Iterator[str]:
    if not rows:
        yield none
    for row in rows:
        yield f"- {_headline(row, papers)}"
        yield from _quotes(row, papers, indent="  ")
    yield ""


def _headline(row: Row, papers: Container[str]) -> str:
    stance = f"unsure, leaning {row.leaning or 'nowhere'}" if row.unsure else str(row.stance)
    return f"{_cite(row, papers)} ({row.dated}) **{stance}**{_how_sure(row)}"


def _how_sure(row: Row) -> str:
    e = row.evidence
    if isinstance(e, ExperimentEvidence):
        return f" {numbers.estimate(e.estimate)}" if e.estimate else " (no effect was measured)"
    return f" ({e.assessment.judge.name} judge, {numbers.share(e.assessment.confidence)})"


def _cite(row: Row, papers: Container[str]) -> str:
    e = row.evidence
    if isinstance(e, ExperimentEvidence):
        return f"our experiment {escape_markdown(e.experiment_id)} ({escape_markdown(e.protocol)}, {e.scope.scale})"
    if row.paper is None:
        return f"evidence `{e.id}`, whose paper is not held"
    return f"[{safe(row.paper.title, papers, link=False)}]({row.paper.url}) (arXiv:{row.paper.id})"


def _quotes(row: Row, papers: Container[str], indent: str) -> Iterator[str]:
    for quote in row.quotes:
        yield f"{indent}> “{safe(quote.text, papers)}” — {whose_words(quote)}"
        yield ""
    if row.stale_quotes:
        yield f"{indent}{numbers.count(row.stale_quotes, 'quote')} of an earlier text of the paper not shown."
        yield ""
    if isinstance(row.evidence, ExperimentEvidence) and row.evidence.summary:
        yield f"{indent}{safe(row.evidence.summary, papers)}"
        yield ""


def _evidence(v: ClaimView, papers: Container[str]) -> Iterator[str]:
    yield "#### Evidence"
    yield ""
    shown = v.table_rows
    if shown:
        yield "| Date | Work | Stance | Sure | Counted |"
        yield "|---|---|---|---|---|"
    for row in shown:
        stance = f"unsure ({row.leaning or 'no leaning'})" if row.unsure else str(row.stance)
        sure = numbers.share(row.confidence) if row.confidence is not None else "see interval"
        counted = "yes" if row.counted else f"no: {safe(row.why_not, ())}" if row.why_not else "no"
        yield f"| {row.dated} | {_cite(row, papers)} | {stance} | {sure} | {counted} |"
    if shown:
        yield ""
    t = v.tally
    yield (
        f"{numbers.count(sum(t.values()), 'paper')} judged: {t['supports']} for, {t['contradicts']} against, "
        f"{t['qualifies']} qualifying, {t['neutral']} neutral, {t['unsure']} unsure, {t['not counted']} not counted."
        + (f" {len(v.rows) - len(shown)} not listed here." if len(v.rows) > len(shown) else "")
    )
    yield ""


def _experiment(x: ExperimentView, papers: Container[str]) -> Iterator[str]:
    r, p = x.result, x.preregistration
    yield (
        f"Protocol **{escape_markdown(x.spec.protocol)}**, profile {escape_markdown(x.spec.profile)}, "
        f"experiment {escape_markdown(x.id)}, {x.state}, submitted {x.submitted_at:%Y-%m-%d}"
    )
    yield ""
    if r is None:
        yield "- **Outcome:** none yet, no seed has finished"
    else:
        yield f"- **Outcome:** **{r.outcome}**. {safe(r.reason, papers)}"
        if r.primary:
            yield (
                f"- **Effect:** {numbers.estimate(r.primary)}, {safe(r.primary.name, ())}; no unit (difference of a "
                f"metric in 0 to 1, positive as the claim predicts). Interval: {safe(r.primary.method, papers)}"
            )
        else:
            yield "- **Effect:** not measured"
        if r.scale_params is not None:
            yield f"- **Scale:** the largest model trained has {r.scale_params:,} parameters"
        else:
            yield "- **Scale:** size of the models not recorded"
        for control in r.controls:
            passed = {True: "passed", False: "failed", None: "undecided"}[control.passed]
            interval = f" {numbers.estimate(control.estimate)}" if control.estimate else ""
            kind = "Positive control" if control.kind == "positive" else "Null arm"
            reason = safe(control.reason, papers)
            yield f"- **{kind}** {safe(control.name, ())}: {passed}{interval}. {reason}"
        if not r.controls:
            yield "- **Controls:** none reported"
    failed = [run for run in x.runs if run.error]
    if failed:
        yield f"- **Failed:** {numbers.count(len(failed), 'run')}: {safe(failed[0].error or '', papers)}"
    yield f"- **Pre-registered:** {safe(p.hypothesis, papers)} Predicts: {safe(p.prediction, papers)}"
    yield (
        f"  Primary metric: {safe(p.primary_metric, ())}; contrast: {safe(p.contrast, ())}; "
        f"smallest effect of interest {p.smallest_effect:g} ({safe(p.smallest_effect_because, papers)}); "
        f"alpha {p.alpha:g}; at most {numbers.count(p.max_seeds, 'seed')}; "
        f"equal in all arms: {safe(p.equalised, papers)}"
    )
    for threat in p.threats:
        yield f"- **Threat to validity:** {safe(threat, papers)}"
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
    if not (failed or unreadable(view) or unsearched(view)):
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


def _reading() -> Iterator[str]:
    yield "## How to read this"
    yield ""
    for line in HOW_TO_READ:
        yield f"- {line}"
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
