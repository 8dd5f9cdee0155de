"""One door to all formats of a report."""

from enum import StrEnum

from claims.dossier import InquiryDossier
from claims.errors import InputError
from claims.report import bibtex, citation, html, markdown, record, table


class Format(StrEnum):
    """What a report can be written as."""

    MARKDOWN = "md"
    """for reading and forwarding as text"""
    HTML = "html"
    """one file with its plots, no network"""
    JSON = "json"
    """the whole dossier, for programs"""
    CSV = "csv"
    """one line per piece of evidence"""
    BIBTEX = "bib"
    """every paper of the report"""
    CITATION = "cff"
    """how the report itself is cited: a CITATION.cff"""


_MEDIA = {
    Format.MARKDOWN: "text/markdown; charset=utf-8",
    Format.HTML: "text/html; charset=utf-8",
    Format.JSON: "application/json",
    Format.CSV: "text/csv; charset=utf-8",
    Format.BIBTEX: "application/x-bibtex; charset=utf-8",
    Format.CITATION: "application/yaml",
}
_RENDER = {
    Format.MARKDOWN: markdown.render,
    Format.HTML: html.render,
    Format.JSON: record.render,
    Format.CSV: table.render,
    Format.BIBTEX: bibtex.render,
    Format.CITATION: citation.render,
}


def render(dossier: InquiryDossier, format: str = "md") -> str:
    """Write a report as `md`, `html`, `json`, `csv`, `bib` or `cff`, always the same. Raises InputError on another."""
    return _RENDER[_known(format)](dossier)


def media_type(format: str) -> str:
    """Give the media type of a format. Raises InputError on another format."""
    return _MEDIA[_known(format)]


def _known(format: str) -> Format:
    try:
        return Format(format)
    except ValueError as exc:
        raise InputError(f"no report format {format!r}: choose one of {', '.join(Format)}") from exc
