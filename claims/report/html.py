"""A report as one HTML file: no request when opened, plots inline, light and dark, for screen, phone and paper.

The claim page of the web server draws the same `claim.html.j2` from the same view. Every text goes through Jinja2's
autoescape; the only markup that is let through is what this module and `plots` build from escaped parts.
"""

from collections.abc import Container
from datetime import date
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from claims.dossier import Dossier, InquiryDossier
from claims.paper import Paper
from claims.report import numbers, phrases, plots, view
from claims.report.answers import TaskKind, asked_views, kind_of, question_views
from claims.report.text import MARK, SpanKind, marked, spans


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
        )
    )


def claim_section(dossier: Dossier, as_of: date, number: int = 1) -> Markup:
    """Draw one claim as the `<article>` that stands in a report. Its page needs the rules of `style_sheet`."""
    one = view.claim_view(dossier, as_of, number)
    return Markup(environment().get_template("claim.html.j2").module.claim(one, dossier.papers))  # type: ignore[attr-defined] # noqa: S704 # a template's own output


def style_sheet() -> str:
    """Give the style sheet that the reports carry, for a page that draws claims."""
    text, _, _ = PackageLoader("claims.report").get_source(environment(), "report.css")
    return text


@cache
def environment() -> Environment:
    """Give the Jinja2 environment with everything that the templates of a claim need."""
    env = Environment(
        loader=PackageLoader("claims.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    env.filters |= {"words": words, "marked": marked, "plot": _plot}
    env.globals |= {
        "numbers": numbers,
        "phrases": phrases,
        "MEANING": view.MEANING,
        "WINDOW_MONTHS": view.WINDOW_MONTHS,
        "whose_words": view.whose_words,
        "evidence_over_time": plots.evidence_over_time,
        "effect_by_seed": plots.effect_by_seed,
        "authors": authors,
        "style_sheet": style_sheet,
    }
    return env


def words(text: str, papers: Container[str], *, link: bool = True) -> Markup:
    """Escape a foreign text, with ids of held papers as links (unless it is one itself) and the others marked."""
    out = Markup()
    for span in spans(text, papers):
        if span.kind is SpanKind.PAPER and link:
            out += Markup('<a href="https://arxiv.org/abs/{}">{}</a>').format(span.paper_id, span.text)
        elif span.kind is SpanKind.UNGROUNDED:
            out += Markup('<span class="ungrounded">{} <small>{}</small></span>').format(span.text, MARK)
        else:
            out += escape(span.text)
    return Markup("<bdi>{}</bdi>").format(out)


def authors(paper: Paper, papers: Container[str]) -> str:
    """Name the first three authors of a paper."""
    names = ", ".join(marked(a[:100], papers) for a in paper.authors[:3]) or "authors not known"
    return names + (" et al." if len(paper.authors) > 3 else "")


def _plot(svg: str) -> Markup:
    """Let a plot through: `plots` builds it as XML elements, so that no text in it is markup."""
    return Markup(svg)  # noqa: S704
