"""A report as one HTML file: no request when opened, plots inline, light and dark, for screen, phone and paper.

The web server's pages of claims, experiments and digests draw the same templates from the same views; `Frame` is what
differs around them. Every text goes through Jinja2's autoescape; the only markup that is let through is what this
module and `plots` build from escaped parts.
"""

import re
from collections.abc import Container
from dataclasses import dataclass
from datetime import date
from functools import cache, partial

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from claims.dossier import Dossier, InquiryDossier
from claims.experiment import ExperimentView
from claims.paper import Paper
from claims.report import citation, experiments, numbers, phrases, plots, view
from claims.report.answers import TaskKind, asked_views, kind_of, question_views
from claims.report.text import MARK, SpanKind, marked, spans, visible
from claims.revision import was
from claims.ties import stem

ARXIV = "https://arxiv.org/abs/"


@dataclass(frozen=True)
class Frame:
    """What surrounds what is drawn: a file that is forwarded, or pages that link to each other."""

    top: int
    """level of a claim's heading"""
    papers: str
    """where a paper is, its id left out"""
    claims: str | None
    """where a claim's page is, its id left out; None where there is none"""
    experiments: str | None
    rows: int
    """evidence rows of one claim that are shown"""


REPORT = Frame(top=3, papers=ARXIV, claims=None, experiments=None, rows=view.MAX_ROWS)
"""A report: one file, whose papers are on arXiv."""

PAGES = Frame(top=1, papers="/papers/", claims="/claims/", experiments="/experiments/", rows=500)
"""The pages of the web server."""


def render(dossier: InquiryDossier) -> str:
    """Write the report."""
    inquiry = view.view_of(dossier)
    tasks = inquiry.source.inquiry.tasks if inquiry.source.inquiry else ()
    kinds = {kind_of(t) for t in tasks}
    return (
        environment()
        .get_template("report.html.j2")
        .render(
            view=inquiry,
            papers=inquiry.papers,
            tasks=[(t, kind_of(t), asked_views(t, inquiry)) for t in tasks],
            questions=question_views(inquiry),
            loose_recent=TaskKind.CONTRADICTIONS not in kinds,
            loose_questions=TaskKind.QUESTIONS not in kinds,
            cited_as=citation.sentence(citation.name_of(dossier)),
        )
    )


def claim_section(
    dossier: Dossier, as_of: date, number: int = 1, *, frame: Frame = REPORT, aside: Markup | None = None
) -> Markup:
    """Draw one claim as the `<article>` that stands in a report. Its page needs the rules of `style_sheet`.

    `aside` stands under the ruling: what a page offers to do with the claim.
    """
    one = view.claim_view(dossier, as_of, number)
    return _drawn(frame, "claim.html.j2", "claim", one, dossier.papers, aside=aside)


def experiment_section(experiment: ExperimentView, papers: Container[str], *, frame: Frame = PAGES) -> Markup:
    """Draw one experiment as it stands under its claim, without its heading."""
    return _drawn(frame, "claim.html.j2", "measured", experiment, papers)


def experiment_page(experiment: ExperimentView) -> str:
    """Write one experiment as a file of its own, drawn as under its claim."""
    return environment().get_template("experiment.html.j2").render(x=experiment)


def _drawn(frame: Frame, template: str, macro: str, *given: object, **more: object) -> Markup:
    return Markup(getattr(environment(frame).get_template(template).module, macro)(*given, **more))  # noqa: S704 # a template's own output


def style_sheet() -> str:
    """Give the style sheet that the reports carry, for a page that draws claims."""
    text, _, _ = PackageLoader("claims.report").get_source(environment(), "report.css")
    return text


@cache
def environment(frame: Frame = REPORT) -> Environment:
    """Give the Jinja2 environment with everything that the templates of a claim need."""
    env = Environment(
        loader=PackageLoader("claims.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    env.filters |= {"words": partial(words, to=frame.papers), "marked": marked, "plot": _plot}
    env.globals |= {
        "frame": frame,
        "numbers": numbers,
        "phrases": phrases,
        "experiments": experiments,
        "MEANING": view.MEANING,
        "WINDOW_MONTHS": view.WINDOW_MONTHS,
        "whose_words": view.whose_words,
        "was": was,
        "evidence_over_time": plots.evidence_over_time,
        "effect_by_seed": plots.effect_by_seed,
        "NARROW": plots.NARROW,
        "authors": authors,
        "style_sheet": style_sheet,
        "visible": visible,
    }
    return env


def words(
    text: str, papers: Container[str], *, link: bool = True, shared: Container[str] = (), to: str = ARXIV
) -> Markup:
    """Escape a foreign text, with ids of held papers as links (unless it is one itself) and the others marked.

    shared: stems of words to set off, those that the text has in common with a claim. to: where papers are.
    """
    out = Markup()
    for span in spans(text, papers):
        if span.kind is SpanKind.PAPER and link:
            out += Markup('<a href="{}{}">{}</a>').format(to, span.paper_id, span.text)
        elif span.kind is SpanKind.UNGROUNDED:
            out += Markup('<span class="ungrounded">{} <small>{}</small></span>').format(span.text, MARK)
        else:
            out += _set_off(span.text, shared) if shared else escape(span.text)
    return Markup("<bdi>{}</bdi>").format(out)


def _set_off(text: str, shared: Container[str]) -> Markup:
    out = Markup()
    for part in re.split(r"([A-Za-z0-9]+)", text):
        out += Markup("<mark>{}</mark>").format(part) if part and stem(part.lower()) in shared else escape(part)
    return out


def authors(paper: Paper, papers: Container[str]) -> str:
    """Name the first three authors of a paper."""
    names = ", ".join(marked(a[:100], papers) for a in paper.authors[:3]) or "authors not known"
    return names + (" et al." if len(paper.authors) > 3 else "")


def _plot(svg: str) -> Markup:
    """Let a plot through: `plots` builds it as XML elements, so that no text in it is markup."""
    return Markup(svg)  # noqa: S704
