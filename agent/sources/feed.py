"""One page of the arXiv API, read strictly. Pure.

The `arxiv` package repairs broken XML and leaves out entries that it cannot read: a page cut in the middle looks like
a short one. arXiv also sends errors as feed entries, ghosts (entries without title for a version that is not there),
and now and then an empty page where results were promised. Here each of these is told apart and counted.
Format: https://info.arxiv.org/help/api/user-manual.html#_details_of_atom_results_returned.
"""

from datetime import datetime
from typing import Final, NamedTuple
from xml.etree.ElementTree import Element, ParseError, SubElement, tostring

import arxiv
from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from agent.errors import SourceRefused, SourceUnreadable
from agent.sources.record import LONE_OR_NUL
from agent.sources.withdrawal import withdrawal_of
from claims.dates import StatedDate
from claims.errors import MalformedId
from claims.ids import ArxivId
from claims.paper import Paper, PaperVersion, Source

_ATOM: Final = "{http://www.w3.org/2005/Atom}"
_PLACEHOLDER: Final = "unreadable"
_LONG_AGO: Final = "1991-08-14T00:00:00Z"
_SEARCH: Final = "{http://a9.com/-/spec/opensearch/1.1/}"


class FeedPage(NamedTuple):
    """A page that was checked."""

    body: bytes
    """the page, its unreadable entries replaced by placeholders (`is_placeholder`) so that paging still counts right"""
    n_entries: int
    """readable ones"""
    total: int | None
    """results that the whole query has, as the feed says; None when it does not"""
    start: int
    """index of its first result"""
    unreadable: int
    """entries that could not be read"""
    unreadable_ids: frozenset[str]
    """ids, without version, of those that had one"""

    @property
    def is_broken_promise(self) -> bool:
        """Whether it is empty although the feed says that there is something here: arXiv does this under load."""
        return self.n_entries + self.unreadable == 0 and (self.total or 0) > self.start


def check_feed(body: bytes, *, source: str = "arxiv") -> FeedPage:
    """Check one page. Raises SourceUnreadable for what is no whole Atom feed, SourceRefused for an error entry."""
    try:
        root = fromstring(body)
    except (ParseError, DefusedXmlException, ValueError, LookupError) as exc:
        raise SourceUnreadable(source, f"not whole XML ({exc}): {body[:60]!r}") from exc
    if root.tag != f"{_ATOM}feed":
        raise SourceUnreadable(source, f"no Atom feed but <{root.tag.rpartition('}')[2]}>")
    bad_ids, bad, n = set(), 0, 0
    for entry in root.findall(f"{_ATOM}entry"):
        told = _text(entry, "id")
        if "/api/errors" in told:
            raise SourceRefused(source, _text(entry, "summary") or told)
        if _is_readable(entry):
            n += 1
            continue
        bad += 1
        if (arxiv_id := _id(told)) is not None:
            bad_ids.add(arxiv_id)
        _blank(entry)
    total, start = root.findtext(f"{_SEARCH}totalResults"), root.findtext(f"{_SEARCH}startIndex")
    return FeedPage(
        body=tostring(root) if bad else body,
        n_entries=n,
        total=int(total) if total and total.strip().isdecimal() else None,
        start=int(start) if start and start.strip().isdecimal() else 0,
        unreadable=bad,
        unreadable_ids=frozenset(bad_ids),
    )


def is_placeholder(result: arxiv.Result) -> bool:
    """Tell whether a result stands for an entry that could not be read."""
    return bool(result.entry_id == _PLACEHOLDER)


def paper_of_result(result: arxiv.Result) -> Paper:
    """Make a paper of one result. Raises MalformedId; check the page first and none is."""
    arxiv_id = ArxivId.parse(result.entry_id)
    published, updated = result.published.date(), result.updated.date()
    latest = arxiv_id.version or 1
    versions = [PaperVersion(number=1, submitted_on=published)]
    if latest > 1:
        versions.append(PaperVersion(number=latest, submitted_on=updated))
    abstract = _plain(result.summary).strip() or None
    comment = " ".join(_plain(result.comment or "").split()) or None
    title = " ".join(_plain(result.title).split())
    because = withdrawal_of(comment=comment, abstract=abstract, title=title)
    primary = [result.primary_category] if result.primary_category else []
    authors = (" ".join(_plain(author.name).split()) for author in result.authors)
    return Paper(
        id=arxiv_id.base,
        title=title,
        authors=tuple(name for name in authors if name),
        published=StatedDate.day(published),
        updated_on=updated,
        categories=tuple(dict.fromkeys([*primary, *result.categories])),
        abstract=abstract,
        versions=tuple(versions),
        comment=comment,
        journal_ref=_plain(result.journal_ref or "").strip() or None,
        doi=_plain(result.doi or "").strip() or None,
        withdrawn=because is not None,
        withdrawn_because=because,
        source=Source.ARXIV,
    )


def _blank(entry: Element) -> None:
    entry.clear()
    for tag, text in (("id", _PLACEHOLDER), ("published", _LONG_AGO), ("updated", _LONG_AGO)):
        SubElement(entry, f"{_ATOM}{tag}").text = text


def _is_readable(entry: Element) -> bool:
    if _id(_text(entry, "id")) is None or not _text(entry, "title"):
        return False
    try:
        for tag in ("published", "updated"):
            datetime.fromisoformat(_text(entry, tag).replace("Z", "+00:00"))
    except ValueError:
        return False
    return True


def _id(text: str) -> str | None:
    try:
        return ArxivId.parse(text).base
    except MalformedId:
        return None


def _text(entry: Element, tag: str) -> str:
    return (entry.findtext(f"{_ATOM}{tag}") or "").strip()


def _plain(text: str) -> str:
    return text if text.isascii() else LONE_OR_NUL.sub("\ufffd", text)
