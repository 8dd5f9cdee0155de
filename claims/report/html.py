"""A report as one HTML file."""

import html

from claims.dossier import InquiryDossier
from claims.report import markdown


def render(dossier: InquiryDossier) -> str:
    """Write the report."""
    return (
        f"<!doctype html><meta charset=utf-8><title>retest</title><pre>{html.escape(markdown.render(dossier))}</pre>\n"
    )
