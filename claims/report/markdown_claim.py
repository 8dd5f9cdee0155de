"""One claim of a report as Markdown, and the lines that name a piece of evidence."""

from collections.abc import Container, Iterator

from claims.evidence import ExperimentEvidence
from claims.experiment import ExperimentView
from claims.paper import Paper
from claims.report import experiments, numbers
from claims.report.phrases import as_of, durable, given_by, record, stance, sureness, unmoved
from claims.report.text import escape_markdown
from claims.report.text import markdown as safe
from claims.report.view import WINDOW_MONTHS, ClaimView, Row, whose_words


def claim(v: ClaimView, papers: dict[str, Paper]) -> Iterator[str]:
    """Write one claim's section."""
    verdict = v.verdict
    yield f"### {v.number}. {safe(v.claim.text, papers)}"
    yield ""
    yield f"Asserted {v.claim.asserted_on} · `{v.claim.id}`"
    yield ""
    if verdict is None:
        yield "**Not decided yet.**"
        yield ""
    else:
        since = f" since {v.since_dated}" if v.since else ""
        yield (f"**{verdict.kind}**{since} ({as_of(v)}). {safe(verdict.reason, papers)}")
        yield ""
        yield f"- **Durable:** {safe(durable(v), papers)}"
        yield f"- **Perishable:** {'; '.join(safe(p, ()) for p in verdict.perishable) or 'nothing named'}"
        if v.ungrounded:
            yield f"- **Ungrounded:** {v.ungrounded}"
        if v.not_judged:
            yield f"- **Not judged:** {safe(v.not_judged, ())}"
        yield f"- **Recorded:** {record(v)}"
        if len(v.path) > 1:
            told = " → ".join(f"{s.kind} ({s.dated})" for s in v.path)
            yield f"- **Over time, on the evidence held now:** {told}"
        yield ""
        yield "#### What changed it"
        yield ""
        if v.outweighed:
            yield unmoved(v)
            yield ""
        yield from _listed(v.changed_by or v.outweighed, papers, unmoved(v))
        yield "#### What speaks for it"
        yield ""
        yield from _listed(v.support, papers, "No newer work that counts.")
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
        yield f"- {headline(row, papers)}"
        yield from quotes(row, papers, indent="  ")
    yield ""


def headline(row: Row, papers: Container[str]) -> str:
    """Name a piece of evidence with its date, stance and how sure it is."""
    return f"{cite(row, papers)} ({row.dated}) **{stance(row)}**{_how_sure(row)}"


def _how_sure(row: Row) -> str:
    e = row.evidence
    if isinstance(e, ExperimentEvidence):
        return f" {numbers.estimate(e.estimate)}" if e.estimate else " (no effect was measured)"
    by = safe(given_by(e.assessment.judge), ())
    return f" ({by}, {sureness(row)})" if sureness(row) else f" ({by})"


def cite(row: Row, papers: Container[str]) -> str:
    """Name the paper or the experiment behind a piece of evidence."""
    e = row.evidence
    if isinstance(e, ExperimentEvidence):
        return f"our experiment {escape_markdown(e.experiment_id)} ({escape_markdown(e.protocol)}, {e.scope.scale})"
    if row.paper is None:
        return f"evidence `{e.id}`, whose paper is not held"
    return f"[{safe(row.paper.title, papers, link=False)}]({row.paper.url}) (arXiv:{row.paper.id})"


def quotes(row: Row, papers: Container[str], indent: str) -> Iterator[str]:
    """Write the words that a piece of evidence rests on, whose they are, and what an earlier text was said to say."""
    if row.was:
        yield f"{indent}{row.was[:1].upper()}{row.was[1:]}."
        yield ""
    for quote in row.quotes:
        yield f"{indent}> “{safe(quote.text, papers)}” — {whose_words(quote)}"
        yield ""
    if row.stale_quotes:
        yield f"{indent}{numbers.count(row.stale_quotes, 'quote')} of an earlier text of the paper not shown."
        yield ""
    if told := row.explanation:
        yield f"{indent}Why: {safe(told, papers)}"
        yield ""


def _evidence(v: ClaimView, papers: Container[str]) -> Iterator[str]:
    yield "#### Evidence"
    yield ""
    shown = v.table_rows
    if shown:
        yield "| Date | Work | Stance | Given by | Sure | Counted |"
        yield "|---|---|---|---|---|---|"
    for row in shown:
        said = f"{stance(row)}; {row.was}" if row.was else stance(row)
        sure = (sureness(row) or "–") if row.confidence is not None else "see interval"
        counted = "yes" if row.counted else f"no: {safe(row.why_not, ())}" if row.why_not else "no"
        e = row.evidence
        by = "our lab" if isinstance(e, ExperimentEvidence) else safe(given_by(e.assessment.judge), ())
        yield f"| {row.dated} | {cite(row, papers)} | {said} | {by} | {sure} | {counted} |"
    if shown:
        yield ""
    t = v.tally
    yield (
        f"{numbers.count(t.total() - t['not judged'], 'paper')} judged: {t['supports']} for, "
        f"{t['contradicts']} against, {t['qualifies']} qualifying, {t['neutral']} neutral, {t['unsure']} unsure, "
        f"{t['not counted']} not counted"
        + (f"; {t['not judged']} could not be judged." if t["not judged"] else ".")
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
    models = experiments.models_of(x)
    if models:
        yield f"- **Model:** {safe(models, papers)}"
    differs = experiments.departures(x)
    if differs:
        yield f"- **Parameters:** {safe(differs, papers)}. {experiments.DEFAULTS_SPEAK}"
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
        if r.secondary:
            yield f"- **Beside it** ({experiments.BESIDE}):"
            yield from (f"  - {safe(line, papers)}" for line in experiments.secondary(r))
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
