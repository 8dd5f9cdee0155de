"""How a report itself is cited: its name by date and digest, a CITATION.cff, and a BibTeX entry.

Source: Citation File Format 1.2.0, https://doi.org/10.5281/zenodo.5171937.
"""

import json
import re
from collections.abc import Iterator
from datetime import date
from typing import NamedTuple

from claims.dossier import InquiryDossier
from claims.ids import digest
from claims.paper import Paper
from claims.report import bibtex
from claims.report.text import marked, visible
from claims.report.view import InquiryView, view_of

MESSAGE = (
    "If you use this evidence report, cite it by its date and digest, and cite the papers that it quotes as themselves."
)
_UNFIT = re.compile(r"[^\x20-\x7e\xa0-\ud7ff\ue000-\ufdcf\ufdf0-\ufffd\U00010000-\U0001fffd\U00020000-\U0010fffd]")
"""What YAML does not let stand in a text, and the characters that Unicode keeps for nobody."""


class ReportName(NamedTuple):
    """What names a report: the same evidence up to the same day gives the same name."""

    on: date
    """the last day of evidence that it looked at"""
    digest: str
    """of all that is held for it: `sha256:` and 64 hex digits; when it was written does not matter"""
    title: str

    @property
    def short(self) -> str:
        """Twelve hex digits of the digest."""
        return self.digest.removeprefix("sha256:")[:12]

    def __str__(self) -> str:
        return f"retest-{self.on}-{self.short}"


def name_of(dossier: InquiryDossier) -> ReportName:
    """Name a report by its date and by everything that it is drawn from."""
    view = view_of(dossier)
    held = dossier.model_dump(mode="json", exclude={"generated_at", "as_of"})
    return ReportName(view.as_of, digest([str(view.as_of), held]), _title(view))


def sentence(name: ReportName) -> str:
    """Cite a report in running text."""
    stop = "" if name.title.endswith((".", "?", "!")) else "."
    return f"retest ({name.on}). {name.title}{stop} Evidence report {name}."


def render(dossier: InquiryDossier) -> str:
    """Write the report's CITATION.cff, with the papers that it shows as references."""
    name = name_of(dossier)
    return "".join(f"{line}\n" for line in _lines(name, view_of(dossier)))


def bibtex_entry(name: ReportName) -> str:
    """Write the report as a BibTeX entry, for those who paste it beside the papers'."""
    fields = {
        "title": f"{{{bibtex.escape(name.title)}}}",
        "author": "{retest}",
        "year": str(name.on.year),
        "month": bibtex.MONTHS[name.on.month - 1],
        "note": f"Evidence up to {name.on}, {name.digest}",
    }
    lines = [f"  {k} = {v if k == 'month' else f'{{{v}}}'}," for k, v in fields.items()]
    return "\n".join([f"@misc{{{name},", *lines, "}"]) + "\n"


def _title(view: InquiryView) -> str:
    if view.title == "Evidence report":
        return view.title
    return f"Does it still hold? {marked(visible(view.title, 200), view.papers)}"


def _lines(name: ReportName, view: InquiryView) -> Iterator[str]:
    yield "cff-version: 1.2.0"
    yield f"message: {_quoted(MESSAGE)}"
    yield "type: dataset"
    yield f"title: {_quoted(name.title)}"
    yield "authors:"
    yield "  - name: retest"
    yield f"version: {_quoted(name.short)}"
    yield f"date-released: {name.on}"
    yield f"abstract: {_quoted(_abstract(view))}"
    yield "identifiers:"
    yield "  - type: other"
    yield f"    value: {_quoted(name.digest)}"
    yield "    description: digest of everything that the report is drawn from"
    if view.cited:
        yield "references:"
    for paper in view.cited:
        yield from _reference(paper)


def _abstract(view: InquiryView) -> str:
    if not view.claims:
        return f"No claim is held as of {view.as_of}."
    told = [
        f"{marked(v.claim.text, view.papers)} ({v.claim.asserted_on}): {v.verdict.kind if v.verdict else 'undecided'}."
        for v in view.claims
    ]
    return visible(f"Verdicts as of {view.as_of}. {' '.join(told)}")


def _reference(paper: Paper) -> Iterator[str]:
    yield "  - type: article"
    yield f"    title: {_quoted(paper.title)}"
    yield "    authors:"
    for author in dict.fromkeys(visible(a, 200) for a in paper.authors or ("authors not known",)):
        yield f"      - name: {_quoted(author)}"
    if paper.published.start.year == paper.published.end.year:
        yield f"    year: {paper.published.start.year}"
    yield f"    url: {_quoted(paper.url)}"
    if paper.withdrawn:
        yield "    notes: withdrawn"
    yield "    identifiers:"
    yield "      - type: other"
    yield f"        value: {_quoted(f'arXiv:{paper.id}')}"


def _quoted(text: str) -> str:
    """Write a YAML scalar: a JSON string is one, once what neither may hold is made visible. Never empty."""
    return json.dumps(_UNFIT.sub("�", visible(text)) or "-", ensure_ascii=False)
