"""A digest of a refresh for people and programs: Markdown, HTML, JSON, and an Atom feed of several."""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time
from enum import StrEnum
from xml.sax.saxutils import escape, quoteattr

from markupsafe import Markup

from claims.digest import Change, Digest, Ground
from claims.errors import InputError
from claims.report.html import PAGES, environment
from claims.report.text import escape_markdown, visible

MOST_GROUNDS = 5
"""Pieces of evidence shown under one line; the others are counted."""


class DigestFormat(StrEnum):
    """What a digest can be written as."""

    MARKDOWN = "md"
    HTML = "html"
    JSON = "json"
    ATOM = "atom"
    """a feed with this night as its one entry; `atom` writes several nights"""


def render_digest(digest: Digest, format: str = "md") -> str:
    """Write a digest. Deterministic. Raises InputError on another format."""
    if format == DigestFormat.MARKDOWN:
        return markdown(digest)
    if format == DigestFormat.HTML:
        return html(digest)
    if format == DigestFormat.JSON:
        return digest.model_dump_json(indent=2) + "\n"
    if format == DigestFormat.ATOM:
        return atom([digest])
    raise InputError(f"no digest format {format!r}: choose one of {', '.join(DigestFormat)}")


def markdown(digest: Digest) -> str:
    """Write a digest as CommonMark; texts of papers and claims are plain text in it, whatever they hold."""
    return "\n".join(_lines(digest)) + "\n"


def _lines(d: Digest) -> Iterator[str]:
    yield f"# Refresh of {d.night}: {d.headline}"
    if missed := missed_nights(d):
        yield f"\n{missed}"
    if d.changes:
        yield "\n## Verdicts that changed\n"
        for change in d.changes:
            yield from _change(change)
    if d.contrary:
        yield "\n## New work against claims whose verdict held\n"
        for one in d.contrary:
            yield f"- {escape_markdown(one.claim)} (`{one.claim_id}`, {one.verdict or 'undecided'})"
            yield from _grounds(one.grounds)
    if d.experiments:
        yield "\n## Experiments\n"
        for e in d.experiments:
            state = "decided" if e.is_decided else "still undecided"
            yield f"- `{e.experiment_id}` {escape_markdown(e.protocol)}, {e.n_seeds} seeds: **{e.outcome}** ({state})."
            yield f"  {escape_markdown(e.reason)}"
    if d.withdrawals:
        yield "\n## Withdrawn papers that claims rest on\n"
        for w in d.withdrawals:
            what = "withdrawn" if w.withdrawn else "not withdrawn after all"
            claims = ", ".join(f"`{id}`" for id in w.claim_ids)
            link = f"[arXiv:{w.paper_id}](https://arxiv.org/abs/{w.paper_id})"
            yield f"- {link} {escape_markdown(w.title, begins=False)}: {what}; {claims}"
    if d.first:
        yield "\n## First verdicts\n"
        for change in d.first:
            sure = f"{change.confidence:.2f}"
            yield f"- **{change.after}** ({sure}): {escape_markdown(change.claim)} (`{change.claim_id}`)"
    yield "\n## What could not be done\n"
    for p in d.problems:
        whose = f" (`{p.claim_id}`)" if p.claim_id else ""
        yield f"- {escape_markdown(p.where)}{whose}: {escape_markdown(p.what, begins=False)}"
    if not d.problems:
        yield "Nothing: everything that was due was looked at."
    elif any(p.claim_id for p in d.problems):
        yield "\nThe next night makes it up: these claims stay due."
    if d.assumed:
        yield "\n## What was taken for granted\n"
        for what in d.assumed:
            yield f"- {escape_markdown(what)}"
    yield f"\n## Cost\n\n{_cost(d)}"


def missed_nights(d: Digest) -> str:
    """Say that nights were missed, and that nothing of them is; empty when none was."""
    days = d.missed if d.missed is not None else (d.night - d.since).days - 1 if d.since else 0
    if days <= 0:
        return ""
    before = f"The last refresh was of {d.since}: " if d.since else ""
    return f"{before}{days} {'night was' if days == 1 else 'nights were'} missed, made up here."


def _cost(d: Digest) -> str:
    c = d.cost
    unsure = f" (unsure of {c.unsure}: see `retest judge CLAIM`)" if c.unsure else ""
    left = f", {c.left} due claims left for the next night" if c.left else ""
    seeds = f", {c.seeds} seeds asked of the lab" if c.seeds else ""
    return (
        f"{c.claims} claims gone over{left}; {c.requests} requests to arXiv gave {c.records} records "
        f"({c.new_papers} new papers, {c.changed_papers} changed); {c.pairs_judged} claim-paper pairs judged since the "
        f"last digest by judge {escape_markdown(d.judge)}{unsure}{seeds}; {c.seconds:.1f} s of work."
    )


def _change(change: Change) -> Iterator[str]:
    yield (
        f"- **{change.before or 'undecided'} → {change.after}** ({change.confidence:.2f}): "
        f"{escape_markdown(change.claim)} (`{change.claim_id}`)"
    )
    yield f"  {escape_markdown(change.reason)}"
    yield from _grounds(change.because)
    for lost in change.lost:
        name = f"arXiv:{lost.paper_id}" if lost.paper_id else lost.evidence_id
        yield f"  - {name} no longer counts: {escape_markdown(lost.why, begins=False)}"


def _grounds(grounds: Sequence[Ground]) -> Iterator[str]:
    for g in grounds[:MOST_GROUNDS]:
        if g.paper_id is None:
            summary = escape_markdown(g.summary, begins=False)
            yield f"  - our experiment `{g.experiment_id}` ({escape_markdown(g.title)}): {g.said}. {summary}"
            continue
        sure = f" {g.confidence:.2f}" if g.confidence is not None else ""
        link = f"[arXiv:{g.paper_id}](https://arxiv.org/abs/{g.paper_id})"
        yield f"  - {g.said}{sure} ({g.judge} judge): {link} {escape_markdown(g.title, begins=False)}"
        if g.quote:
            whose = "our summary" if g.quoted_from == "finding" else g.quoted_from
            yield f"    {whose}: “{escape_markdown(g.quote, begins=False)}”"
    if len(grounds) > MOST_GROUNDS:
        yield f"  - and {len(grounds) - MOST_GROUNDS} more"


def html(digest: Digest) -> str:
    """Write a digest as one HTML file that asks for nothing when it is opened."""
    return (
        environment().get_template("digest.html.j2").render(d=digest, most=MOST_GROUNDS, missed=missed_nights(digest))
    )


def section(digest: Digest) -> Markup:
    """Draw a digest without its title, for a page of the web server."""
    parts = environment(PAGES).get_template("digest_parts.html.j2").module
    drawn = parts.digest(digest, MOST_GROUNDS, missed_nights(digest))  # type: ignore[attr-defined]
    return Markup(drawn)  # noqa: S704 # a template's own output


def atom(digests: Sequence[Digest], *, url: str = "urn:retest:digests") -> str:
    """Write a feed of digests, newest first (RFC 4287). An entry's moment is the end of its night in UTC."""
    newest = max((d.night for d in digests), default=None)
    moment = _moment(newest) if newest else "1970-01-01T00:00:00Z"
    entries = "".join(_entry(d) for d in sorted(digests, key=lambda d: d.night, reverse=True))
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n<feed xmlns="http://www.w3.org/2005/Atom">'
        f"<title>retest: what changed</title><id>{escape(url)}</id><updated>{moment}</updated>"
        f"<author><name>retest</name></author><link rel={quoteattr('self')} href={quoteattr(url)}/>{entries}</feed>\n"
    )


def _entry(d: Digest) -> str:
    moment = _moment(d.night)
    body = escape(_without_controls(markdown(d)))
    return (
        f"<entry><title>{escape(visible(f'{d.night}: {d.headline}'))}</title><id>urn:retest:digest:{d.night}</id>"
        f'<updated>{moment}</updated><content type="text">{body}</content></entry>'
    )


def _moment(night: date) -> str:
    return datetime.combine(night, time(23, 59, 59), tzinfo=UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _without_controls(text: str) -> str:
    """Leave out what XML 1.0 cannot hold; `visible` already named it where a foreign text had it."""
    return "".join(c for c in text if c in "\n\t" or c >= " ")
