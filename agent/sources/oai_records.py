"""One page of an OAI-PMH answer, made papers. Pure.

Reads the formats `arXiv` (what a harvest asks for), `arXivRaw` (versions and their days) and `oai_dc`. Element names
are compared without their namespace: some recorded answers declare it on the record, some not at all.
Protocol: https://www.openarchives.org/OAI/openarchivesprotocol.html, sections 3.4 to 3.6.
"""

import re
from collections.abc import Iterator
from datetime import date
from typing import Final, NamedTuple
from xml.etree.ElementTree import Element, ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from agent.errors import SourceUnreadable
from agent.sources.record import LONE_OR_NUL, BadRecord, clean_author, paper_of
from agent.sources.withdrawal import withdrawal_of
from claims.dates import StatedDate
from claims.errors import MalformedId
from claims.ids import ArxivId
from claims.paper import Paper, Source

_COMMENT: Final = re.compile(r"^\s*Comments?:\s*", re.IGNORECASE)


class OaiRecord(NamedTuple):
    """One record of a list."""

    paper: Paper | None
    """None when it was deleted or cannot be read"""
    identifier: str
    """`oai:arXiv.org:...`, as it came"""
    datestamp: date | None
    """the day of its last change in the repository; None when it cannot be read"""
    is_deleted: bool = False
    problem: str | None = None
    """why it cannot be read"""

    @property
    def paper_id(self) -> str | None:
        """The id that its header names, or None when that is no arXiv id."""
        try:
            return ArxivId.parse(self.identifier).base
        except MalformedId:
            return None


class OaiPage(NamedTuple):
    """One answer."""

    records: list[OaiRecord]
    token: str | None
    """asks for the next part; None when the list is complete"""
    errors: dict[str, str]
    """protocol error code to what was said"""
    responded_on: date | None
    """the repository's own day"""


def parse_oai(body: bytes, *, source: str = "OAI-PMH") -> OaiPage:
    """Read one answer, or a file of one record. Raises SourceUnreadable for what is neither, or is cut short."""
    try:
        root = fromstring(body)
    except (ParseError, DefusedXmlException, ValueError, LookupError) as exc:
        raise SourceUnreadable(source, f"not whole XML ({exc}): {body[:60]!r}") from exc
    if _name(root) == "record":
        return OaiPage([_record(root)], None, {}, None)
    if _name(root) != "OAI-PMH":
        raise SourceUnreadable(source, f"no OAI-PMH answer but <{_name(root)}>")
    errors = {el.get("code", "unknown"): _flat(el) for el in root if _name(el) == "error"}
    token = next((_flat(el) for el in root.iter() if _name(el) == "resumptionToken"), "")
    records = [_record(el) for el in root.iter() if _name(el) == "record"]
    known = {"ListRecords", "GetRecord", "ListIdentifiers", "Identify", "ListSets", "ListMetadataFormats"}
    if not errors and not any(_name(el) in known for el in root):
        raise SourceUnreadable(source, "an answer with neither records nor an error")
    told = next((_flat(el) for el in root if _name(el) == "responseDate"), "")
    return OaiPage(records, token or None, errors, _day(told))


def _record(record: Element) -> OaiRecord:
    header = next((el for el in record if _name(el) == "header"), record)
    fields = {_name(el): _flat(el) for el in header}
    identifier, datestamp = fields.get("identifier", ""), _day(fields.get("datestamp", ""))
    if header.get("status") == "deleted":
        return OaiRecord(None, identifier, datestamp, is_deleted=True)
    body = next((el for part in record if _name(part) == "metadata" for el in part), None)
    try:
        if body is None:
            raise BadRecord("a record without metadata")
        read = {"arXiv": _arxiv, "arXivRaw": _raw, "dc": _dublin_core}.get(_name(body))
        if read is None:
            raise BadRecord(f"metadata in an unknown format <{_name(body)}>")
        return OaiRecord(read(body, identifier), identifier, datestamp)
    except (BadRecord, MalformedId) as exc:
        return OaiRecord(None, identifier, datestamp, problem=str(exc))


def _arxiv(body: Element, identifier: str) -> Paper:
    del identifier
    fields = _fields(body)
    created = _day(fields.get("created", ""))
    if created is None:
        raise BadRecord(f"no day of creation but {fields.get('created')!r:.40}")
    names = []
    for author in (el for el in body.iter() if _name(el) == "author"):
        parts = {_name(el): _flat(el) for el in author}
        names.append(" ".join(p for p in map(parts.get, ("forenames", "keyname", "suffix")) if p))
    return _paper(
        arxiv_id=fields.get("id", ""),
        title=fields.get("title", ""),
        authors=names,
        created=created,
        updated=_day(fields.get("updated", "")) or created,
        categories=fields.get("categories", "").split(),
        abstract=fields.get("abstract"),
        comment=fields.get("comments"),
        journal_ref=fields.get("journal-ref"),
        doi=fields.get("doi"),
    )


def _raw(body: Element, identifier: str) -> Paper:
    """Read arXivRaw through the snapshot's reader: it is the same record in another coat."""
    del identifier
    versions = [
        {"version": el.get("version", ""), "created": " ".join(_flat(d) for d in el if _name(d) == "date")}
        for el in body
        if _name(el) == "version"
    ]
    return paper_of({**_fields(body), "versions": versions})


def _dublin_core(body: Element, identifier: str) -> Paper:
    several: dict[str, list[str]] = {}
    for el in body:
        several.setdefault(_name(el), []).append(el.text or "")
    days = sorted(day for text in several.get("date", []) if (day := _day(text.strip())))
    if not days:
        raise BadRecord("no date")
    texts = several.get("description", [])
    comments = [_COMMENT.sub("", text) for text in texts if _COMMENT.match(text)]
    abstracts = [text for text in texts if not _COMMENT.match(text)]
    names = []
    for creator in several.get("creator", []):
        family, _, given = creator.partition(",")
        names.append(f"{given} {family}")
    doi = next((t.removeprefix("doi:") for t in several.get("identifier", []) if t.startswith("doi:")), None)
    return _paper(
        arxiv_id=identifier,
        title=several.get("title", [""])[0],
        authors=names,
        created=days[0],
        updated=days[-1],
        categories=[],
        abstract=abstracts[0] if abstracts else None,
        comment=comments[0] if comments else None,
        journal_ref=None,
        doi=doi,
    )


def _paper(
    *,
    arxiv_id: str,
    title: str,
    authors: list[str],
    created: date,
    updated: date,
    categories: list[str],
    abstract: str | None,
    comment: str | None,
    journal_ref: str | None,
    doi: str | None,
) -> Paper:
    folded = " ".join(_plain(title).split())
    if not folded:
        raise BadRecord(f"{arxiv_id!r:.40} has no title")
    text = _plain(abstract or "").strip() or None
    said = " ".join(_plain(comment or "").split()) or None
    because = withdrawal_of(comment=said, abstract=text, title=folded)
    return Paper(
        id=arxiv_id,
        title=folded,
        authors=tuple(name for author in authors if (name := clean_author(author))),
        published=StatedDate.day(min(created, updated)),
        updated_on=max(created, updated),
        categories=tuple(categories),
        abstract=text,
        comment=said,
        journal_ref=" ".join(_plain(journal_ref or "").split()) or None,
        doi=_plain(doi or "").strip() or None,
        withdrawn=because is not None,
        withdrawn_because=because,
        source=Source.MIRROR,
    )


def _fields(body: Element) -> dict[str, str]:
    return dict(_texts(body))


def _texts(body: Element) -> Iterator[tuple[str, str]]:
    for el in body:
        if el.text is not None and not len(el):
            yield _name(el), el.text


def _name(el: Element) -> str:
    return str(el.tag).rpartition("}")[2]


def _flat(el: Element) -> str:
    return " ".join((el.text or "").split())


def _plain(text: str) -> str:
    return text if text.isascii() else LONE_OR_NUL.sub("\ufffd", text)


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text[:10])
    except ValueError:
        return None
