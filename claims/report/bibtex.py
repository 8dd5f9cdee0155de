"""Every paper of a report as BibTeX, escaped so that a hostile title cannot open or close an entry."""

import re
import unicodedata

from claims.dossier import InquiryDossier
from claims.paper import Paper
from claims.report.view import view_of

_ESCAPES = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "%": r"\%",
    "#": r"\#",
    "$": r"\$",
    "&": r"\&",
    "_": r"\_",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    '"': r"{\textquotedbl}",
    "@": r"{@}",
}
MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec".split()


def render(dossier: InquiryDossier) -> str:
    """Write every paper that the report shows, by id. Biber and BibTeX 0.99 read it; characters are UTF-8."""
    return "".join(entry(paper) + "\n" for paper in view_of(dossier).cited) or "% no paper was found\n"


def entry(paper: Paper) -> str:
    """Write one paper as `@misc` with eprint fields, as arXiv itself exports it."""
    fields = {
        # Double braces keep the capitals of names and acronyms.
        "title": f"{{{escape(paper.title)}}}",
        "author": " and ".join(_author(a) for a in paper.authors),
        "year": str(paper.published.start.year) if _one_year(paper) else "",
        "month": MONTHS[paper.published.start.month - 1] if _one_month(paper) else "",
        "eprint": escape(paper.id),
        "archiveprefix": "arXiv",
        "primaryclass": escape(paper.categories[0]) if paper.categories else "",
        "doi": re.sub(r"[^\w./:;()<>-]", "", paper.doi or "").replace("_", r"\_"),
        "url": paper.url,
        "note": f"Withdrawn: {escape(paper.withdrawn_because or 'no reason recorded')}" if paper.withdrawn else "",
    }
    lines = [f"  {k} = {v if k == 'month' else f'{{{v}}}'}," for k, v in fields.items() if v]
    return "\n".join([f"@misc{{{key(paper)},", *lines, "}"]) + "\n"


def key(paper: Paper) -> str:
    """Give the citation key: first author's family name, year, id. The id keeps it unique."""
    family = paper.authors[0].split()[-1] if paper.authors and paper.authors[0].split() else "anonymous"
    plain = unicodedata.normalize("NFKD", family).encode("ascii", "ignore").decode()
    name = re.sub(r"[^a-z]", "", plain.lower())[:30] or "anonymous"
    return f"{name}{paper.published.start.year}_{re.sub(r'[^0-9A-Za-z]', '-', paper.id)}"


def escape(text: str) -> str:
    """Escape for a brace-delimited BibTeX value: braces stay balanced, no command survives, one line."""
    folded = " ".join(text.split())
    kept = (c for c in folded if unicodedata.category(c) not in ("Cc", "Cf", "Cs"))
    return "".join(_ESCAPES.get(c, c) for c in kept)


def _author(name: str) -> str:
    # Braces around ` and ` keep one author one author.
    escaped = escape(name)
    return f"{{{escaped}}}" if re.search(r"(?i)\band\b|,.*,", escaped) else escaped


def _one_year(paper: Paper) -> bool:
    return paper.published.start.year == paper.published.end.year


def _one_month(paper: Paper) -> bool:
    return _one_year(paper) and paper.published.start.month == paper.published.end.month
