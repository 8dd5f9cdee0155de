"""Citations out of files: BibTeX and JSON lines, into anchors that can be grounded.

Nothing is lost silently: an entry that cannot be read is a problem with its line, beside the ones that can.
Parsing is bibtexparser's (https://bibtexparser.readthedocs.io), which goes on behind a broken entry.
"""

import json
import logging
import re
from typing import Any, NamedTuple

from bibtexparser.entrypoint import parse_string
from bibtexparser.model import (
    Block,
    DuplicateBlockKeyBlock,
    DuplicateFieldKeyBlock,
    Entry,
    ImplicitComment,
    ParsingFailedBlock,
)

from claims.claim import Anchor
from claims.dates import StatedDate
from claims.errors import MalformedDate, MalformedId, UnreadableDocument
from claims.ids import ArxivId
from claims.statements import malformed_ids


class Citation(NamedTuple):
    """One entry of a file."""

    key: str | None
    """its BibTeX key, or the record's own name"""
    anchor: Anchor
    """what it states; its `line` is where the entry begins, from 1"""


class CitationProblem(NamedTuple):
    """A part of the file that could not be read, or was read with doubt."""

    line: int
    """from 1"""
    text: str
    """its beginning, cut at 200 characters"""
    why: str


class CitationFile(NamedTuple):
    """What a file of citations holds."""

    citations: list[Citation]
    problems: list[CitationProblem]


_ID_FIELDS = (
    "eprint",
    "arxiv",
    "arxivid",
    "arxiv_id",
    "archive_id",
    "archive_location",
    "number",
    "id",
    "doi",
    "url",
    "howpublished",
    "journal",
    "volume",
    "note",
)
_VENUE_FIELDS = ("journal", "booktitle", "journaltitle", "venue", "conference", "container-title", "publicationtitle")
_MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec".split()


def read_citations(text: str, *, origin: str = "the file") -> CitationFile:
    """Read BibTeX or JSON lines, whichever it is. Raises UnreadableDocument when it is neither."""
    start = text.lstrip("\ufeff \t\r\n")
    if not start:
        raise UnreadableDocument(f"{origin} is empty")
    if start[0] in "{[":
        return read_jsonl(text, origin=origin)
    if re.search(r"^\s*@\s*\w+\s*[{(]", text, re.MULTILINE):
        return read_bibtex(text, origin=origin)
    raise UnreadableDocument(f"{origin} is neither BibTeX (no @entry) nor JSON lines (it does not start with a brace)")


def read_bibtex(text: str, *, origin: str = "the file") -> CitationFile:
    """Read BibTeX. Raises UnreadableDocument when no entry can be read; otherwise a broken entry is a problem."""
    citations: list[Citation] = []
    problems: list[CitationProblem] = []
    for block in _blocks(bibtex_text(text)):
        entry, why = _entry_of(block)
        line = (block.start_line or 0) + 1
        if why:
            problems.append(CitationProblem(line, " ".join((block.raw or "").split())[:200], why))
        if entry is not None:
            fields = {f.key.lower(): str(f.value).strip() for f in entry.fields}
            citations.append(Citation(entry.key or None, _anchor(fields, line, problems)))
    if not citations:
        first = f" (line {problems[0].line}: {problems[0].why})" if problems else ""
        raise UnreadableDocument(f"{origin} holds no readable BibTeX entry{first}")
    return CitationFile(citations, problems)


class BibtexEntry(NamedTuple):
    """One entry as it stands in a file."""

    line: int
    """where it begins, from 1"""
    entry: Entry
    raw: str


def bibtex_text(text: str) -> str:
    """Give a text with the line ends that its entries are read with, and without a byte-order mark."""
    return text.lstrip("\ufeff").replace("\r\n", "\n").replace("\r", "\n")


def bibtex_entries(text: str) -> list[BibtexEntry]:
    """Give the entries of a text of `bibtex_text`, in order, those that are read with doubt among them."""
    found = ((block, _entry_of(block)[0]) for block in _blocks(text))
    return [BibtexEntry((block.start_line or 0) + 1, entry, block.raw or "") for block, entry in found if entry]


def _blocks(text: str) -> list[Block]:
    # The parser also logs what it reports; the report is enough.
    logger = logging.getLogger("bibtexparser")
    was = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        return parse_string(text).blocks
    finally:
        logger.setLevel(was)


def _entry_of(block: Block) -> tuple[Entry | None, str | None]:
    """Give the entry that a block holds, and what is wrong with it."""
    if isinstance(block, Entry):
        return block, None
    if isinstance(block, DuplicateBlockKeyBlock):
        inner = block.ignore_error_block
        return (inner if isinstance(inner, Entry) else None), f"the key {block.key!r} is used twice"
    if isinstance(block, DuplicateFieldKeyBlock):
        inner = block.ignore_error_block
        keys = ", ".join(sorted(block.duplicate_keys))
        return (inner if isinstance(inner, Entry) else None), f"a field is given twice: {keys}"
    if isinstance(block, ParsingFailedBlock):
        why = getattr(block.error, "abort_reason", None) or str(block.error) or type(block.error).__name__
        return None, f"not readable as BibTeX: {' '.join(why.split())[:200]}"
    if isinstance(block, ImplicitComment) and "@" in (block.raw or ""):
        return None, "text outside any entry"
    return None, None


def read_jsonl(text: str, *, origin: str = "the file") -> CitationFile:
    """Read one JSON object a line, or one JSON array of objects. Raises UnreadableDocument when none can be read."""
    citations: list[Citation] = []
    problems: list[CitationProblem] = []
    for line, raw, record in _records(text):
        if isinstance(record, dict):
            fields = _plain({str(k).lower(): v for k, v in record.items() if v is not None})
            key = next(
                (str(fields[k]) for k in ("key", "bibtex_key", "citation_id", "citation-key", "id") if fields.get(k)),
                None,
            )
            citations.append(Citation(key, _anchor(fields, line, problems)))
        else:
            why = record if isinstance(record, str) else "not a JSON object"
            problems.append(CitationProblem(line, " ".join(raw.split())[:200], why))
    if not citations:
        first = f" (line {problems[0].line}: {problems[0].why})" if problems else ""
        raise UnreadableDocument(f"{origin} holds no readable citation{first}")
    return CitationFile(citations, problems)


def _plain(fields: dict[str, Any]) -> dict[str, Any]:
    """Bring a record of CSL-JSON, Crossref or Zotero into plain fields; any other stays as it is."""
    for name in ("title", *_VENUE_FIELDS):
        if isinstance(value := fields.get(name), list):
            fields[name] = value[0] if value else None
    if "author" not in fields and isinstance(creators := fields.get("creators"), list):
        fields["author"] = [
            c for c in creators if not isinstance(c, dict) or c.get("creatorType", "author") == "author"
        ]
    if "date" not in fields:
        found = next((fields[k] for k in ("issued", "published") if fields.get(k)), None)
        if found is not None:
            fields["date"] = _csl_date(found)
    return fields


def _csl_date(value: object) -> str:
    """Write a date of CSL-JSON (`{"date-parts": [[2023, 5, 18]]}`, `raw`, `literal`) as ISO; text stays as it is."""
    if not isinstance(value, dict):
        return str(value)
    parts = value.get("date-parts")
    first = parts[0] if isinstance(parts, list) and parts else None
    if isinstance(first, list) and first and all(str(p).isdigit() for p in first):
        return "-".join(f"{int(p):02}" for p in first[:3])
    return str(value.get("raw") or value.get("literal") or "")


def _records(text: str) -> list[tuple[int, str, object]]:
    """Give (line, text, object or what was wrong with it)."""
    text = text.lstrip("\ufeff")
    if text.lstrip().startswith("["):
        try:
            whole = json.loads(text)
        except (ValueError, RecursionError) as exc:
            return [(getattr(exc, "lineno", 1), text[:200], f"not JSON: {exc}")]
        return [(1, str(item)[:200], item if isinstance(item, dict) else None) for item in whole]
    rows: list[tuple[int, str, object]] = []
    for number, raw in enumerate(text.split("\n"), start=1):
        if not raw.strip():
            continue
        try:
            item = json.loads(raw)
        except (ValueError, RecursionError) as exc:
            rows.append((number, raw, f"not JSON: {exc}"))
            continue
        rows.append((number, raw, item if isinstance(item, dict) else None))
    return rows


def _anchor(fields: dict[str, Any], line: int, problems: list[CitationProblem]) -> Anchor:
    found, malformed = _id_of(fields)
    version = _version(fields.get("version"))
    title = " ".join(str(fields.get("title") or "").split()) or None
    date = _date_of(fields)
    if date is None and (fields.get("year") or fields.get("date")):
        given = str(fields.get("year") or fields.get("date"))
        problems.append(CitationProblem(line, given[:200], "the date cannot be read, and is not compared"))
    venue = next((str(fields[k]).strip() for k in _VENUE_FIELDS if fields.get(k)), None)
    return Anchor(
        arxiv_id=found.base if found else None,
        malformed_id=malformed if found is None else None,
        stated_version=(found.version if found and found.version else version),
        stated_title=title,
        stated_authors=_authors_of(fields.get("author") or fields.get("authors")),
        stated_date=date,
        stated_venue=venue,
        line=line,
    )


def _id_of(fields: dict[str, Any]) -> tuple[ArxivId | None, str | None]:
    """Find the arXiv id that an entry names, else what stands where one should."""
    malformed = None
    for name in _ID_FIELDS:
        text = str(fields.get(name) or "").strip()
        if not text:
            continue
        if name == "volume":
            text = text.removeprefix("abs/")
        own = name in ("arxiv", "arxivid", "arxiv_id") or (
            name == "eprint"
            and str(fields.get("archiveprefix") or fields.get("eprinttype") or "arxiv").lower() == "arxiv"
        )
        try:
            return ArxivId.parse(text), None
        except MalformedId:
            inside = next(ArxivId.find_all(text), None)
        if inside is not None:
            return inside[2], None
        wrong = [text[:60]] if own else malformed_ids(text)
        malformed = malformed or (wrong[0] if wrong else None)
    return None, malformed


def _version(value: object) -> int | None:
    match = re.fullmatch(r"v?([1-9]\d{0,2})", str(value).strip()) if value is not None else None
    return int(match[1]) if match else None


def _date_of(fields: dict[str, Any]) -> StatedDate | None:
    year = str(fields.get("year") or "").strip("{} ")
    month = str(fields.get("month") or "").strip("{} ").lower()
    candidates = [str(fields.get("date") or fields.get("published") or ""), year]
    if year and month:
        number = next((i for i, m in enumerate(_MONTHS, start=1) if month.startswith(m)), None)
        number = number or (int(month) if month.isdigit() and 1 <= int(month) <= 12 else None)
        if number and re.fullmatch(r"\d{4}", year):
            candidates.insert(0, f"{year}-{number:02}")
    for text in candidates:
        try:
            return StatedDate.parse(text[:10] if re.match(r"\d{4}-\d{2}-\d{2}T", text) else text)
        except MalformedDate:
            continue
    return None


_NAME_PARTS = (
    ("given", "non-dropping-particle", "family", "suffix"),  # CSL-JSON, Crossref
    ("firstName", "lastName"),  # Zotero
    ("first", "middle", "last"),
)


def _name_of(value: object) -> str:
    """Write an author of a JSON record as one name, whichever way its parts are called; empty when it has none."""
    if not isinstance(value, dict):
        return str(value or "")
    whole = next((value[k] for k in ("name", "literal", "fullName") if value.get(k)), None)
    if whole:
        return str(whole)
    spelled = (
        " ".join(" ".join(map(str, p)) if isinstance(p := value.get(k), list) else str(p) for k in keys if value.get(k))
        for keys in _NAME_PARTS
    )
    return next(filter(None, spelled), "")


def _authors_of(value: object) -> tuple[str, ...]:
    """Part an author field into names: a list, BibTeX's `and`, semicolons, or plain commas."""
    if isinstance(value, dict):
        value = [value]
    if isinstance(value, list):
        names = [_name_of(v) for v in value]
        return tuple(" ".join(n.split()) for n in names if n.strip())
    text = " ".join(str(value or "").split())
    if re.search(r"\sand\s", text) or text.count(",") <= 1:
        parts = re.split(r"\s+and\s+", text)
        if len(parts) == 2 and parts[0].count(",") > 1:
            parts = [*parts[0].split(","), parts[1]]
    elif ";" in text:
        parts = text.split(";")
    else:
        parts = text.split(",")
    return tuple(p.strip(" ,") for p in parts if p.strip(" ,"))
