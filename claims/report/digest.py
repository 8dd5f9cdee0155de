"""A digest of a refresh for people and programs: Markdown, HTML, JSON, and an Atom feed of several."""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time
from enum import StrEnum
from xml.sax.saxutils import escape, quoteattr

from markupsafe import Markup

from claims.digest import Change, Digest, Ground
from claims.errors import InputError
from claims.report.html import PAGES, REPORT, Frame, environment
from claims.report.numbers import count
from claims.report.text import escape_markdown, visible
from claims.revision import was

MOST_GROUNDS = 5
"""Pieces of evidence shown under one line; the others are counted."""
MOST_WAITING = 10
"""Claims named for which papers wait, those with most of them; the others are counted."""


class DigestFormat(StrEnum):
    """What a digest can be written as."""

    MARKDOWN = "md"
    HTML = "html"
    JSON = "json"
    ATOM = "atom"
    """a feed with this night as its one entry; `atom` writes several nights"""


def render_digest(digest: Digest, format: str = "md", *, told_at: datetime | None = None) -> str:
    """Write a digest. Deterministic. Raises InputError on another format. told_at: as for `atom`."""
    if format == DigestFormat.MARKDOWN:
        return markdown(digest)
    if format == DigestFormat.HTML:
        return html(digest)
    if format == DigestFormat.JSON:
        return digest.model_dump_json(indent=2) + "\n"
    if format == DigestFormat.ATOM:
        return atom([digest], told_at={digest.night: told_at} if told_at else None)
    raise InputError(f"no digest format {format!r}: choose one of {', '.join(DigestFormat)}")


def markdown(digest: Digest) -> str:
    """Write a digest as CommonMark; texts of papers and claims are plain text in it, whatever they hold."""
    return "\n".join(_lines(digest)) + "\n"


def _lines(d: Digest) -> Iterator[str]:
    yield f"# {_title(d)}"
    if missed := missed_nights(d):
        yield f"\n{missed}"
    if d.changes:
        yield "\n## Verdicts that changed\n"
        for change in d.changes:
            yield from _change(change)
    if d.contrary:
        yield "\n## New or revised work against claims whose verdict held\n"
        for one in d.contrary:
            yield f"- {escape_markdown(one.claim)} (`{one.claim_id}`, {one.verdict or 'undecided'})"
            yield from _grounds(one.grounds)
    if d.experiments:
        yield "\n## Experiments\n"
        for e in d.experiments:
            state = "decided" if e.is_decided else "still undecided"
            of = f"{escape_markdown(e.protocol)}, {count(e.n_seeds, 'seed')}"
            yield f"- `{e.experiment_id}` {of}: **{e.outcome}** ({state})."
            yield f"  {escape_markdown(e.reason)}"
    if d.withdrawals:
        yield "\n## Withdrawn papers that claims rest on\n"
        for w in d.withdrawals:
            what = "withdrawn" if w.withdrawn else "not withdrawn after all"
            because = f": “{escape_markdown(w.because, begins=False)}”" if w.because else ""
            link = f"[arXiv:{w.paper_id}](https://arxiv.org/abs/{w.paper_id})"
            yield f"- {link} {escape_markdown(w.title, begins=False)}: {what}{because}"
            for id in w.claim_ids if not w.claims else ():
                yield f"  - `{id}`"
            for resting in w.claims:
                now = f"now {resting.verdict}" if resting.verdict else "undecided"
                yield f"  - {now}: {escape_markdown(resting.claim, begins=False)} (`{resting.claim_id}`)"
    if d.first:
        yield "\n## First verdicts\n"
        for change in d.first:
            sure = f"{change.confidence:.2f}"
            yield f"- **{change.after}** ({sure}): {escape_markdown(change.claim)} (`{change.claim_id}`)"
    yield "\n## What could not be done\n"
    for p in d.problems:
        whose = f" (`{p.claim_id}`)" if p.claim_id else ""
        yield f"- {escape_markdown(p.where)}{whose}: {_ours(p.what)}"
    if not d.problems:
        yield "Nothing; what waits stands below." if d.waiting else "Nothing: everything that was due was looked at."
    elif any(p.stays_due for p in d.problems):
        yield "\nThe next night makes it up: these claims stay due."
    if d.waiting:
        yield f"\n## What waits for the next nights\n\n{d.waits}\n"
        yield from (f"- `{one.claim_id}`: {count(one.n_papers, 'paper')}" for one in d.waiting[:MOST_WAITING])
    if d.assumed:
        yield "\n## What was taken for granted\n"
        for what in d.assumed:
            yield f"- {escape_markdown(what)}"
    yield f"\n## Cost\n\n{_ours(cost(d))}"


def missed_nights(d: Digest) -> str:
    """Say that nights were missed, and that nothing of them is; empty when none was."""
    days = d.missed if d.missed is not None else (d.night - d.since).days - 1 if d.since else 0
    if days <= 0:
        return ""
    before = f"The last refresh was of {d.since}: " if d.since else ""
    return f"{before}{days} {'night was' if days == 1 else 'nights were'} missed, made up here."


_COMMAND = re.compile(r"(`[A-Za-z_ -]+`)")


def _ours(text: str) -> str:
    """Escape a sentence of ours, which may repeat foreign words; commands in it stay code."""
    said = (s if _COMMAND.fullmatch(s) else _escaped(s) for s in _COMMAND.split(text))
    return "".join(said)


def _escaped(text: str) -> str:
    """Escape a part of a sentence, and keep a space at either end."""
    before, after = text[:1] == " ", text[1:][-1:] == " "
    return f"{' ' * before}{escape_markdown(text, begins=False)}{' ' * after}"


def cost(d: Digest) -> str:
    """Say in one sentence what a night took."""
    c = d.cost
    doubt = f" (unsure of {c.unsure:,}: see `retest judge CLAIM`)" if c.unsure else ""
    doubt += f", {c.not_judged:,} could not be judged" if c.not_judged else ""
    left = f", {count(c.left, 'due claim')} left for the next night" if c.left else ""
    seeds = f", {count(c.seeds, 'seed')} asked of the lab" if c.seeds else ""
    lab = f"; {c.lab_seconds:.1f} s of work at the lab" if c.lab_seconds else ""
    return (
        f"{count(c.claims, 'claim')} gone over{left}; {count(c.requests, 'request')} to arXiv gave "
        f"{count(c.records, 'record')} ({count(c.new_papers, 'new paper')}, {c.changed_papers:,} changed); "
        f"{count(c.pairs_judged, 'claim-paper pair')} judged since the last digest by judge {d.judge}{doubt}{seeds}"
        f"{lab}; {c.seconds:.1f} s of work here."
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
        if g.revised:
            yield f"    {was(g.revised)}; revised {g.revised.on}"
        if g.quote:
            whose = "our summary" if g.quoted_from == "finding" else g.quoted_from
            yield f"    {whose}: “{escape_markdown(g.quote, begins=False)}”"
    if len(grounds) > MOST_GROUNDS:
        yield f"  - and {len(grounds) - MOST_GROUNDS} more"


def html(digest: Digest) -> str:
    """Write a digest as one HTML file that asks for nothing when it is opened."""
    return environment().get_template("digest.html.j2").render(title=_title(digest), drawn=section(digest, REPORT))


def section(digest: Digest, frame: Frame = PAGES) -> Markup:
    """Draw a digest without its title, for a page or a feed."""
    parts = environment(frame).get_template("digest_parts.html.j2").module
    drawn = parts.digest(digest, MOST_GROUNDS, missed_nights(digest), cost(digest))  # type: ignore[attr-defined]
    return Markup(drawn)  # noqa: S704 # a template's own output


def atom(
    digests: Sequence[Digest],
    *,
    url: str | None = None,
    pages: str | None = None,
    told_at: Mapping[date, datetime] | None = None,
) -> str:
    """Write a feed of digests, newest night first (RFC 4287).

    url: where the feed is; None for a file. pages: what stands before a night in the address of its page; None leads to
    none. told_at: night to the moment at which its digest was told; where it is not known, an entry's moment is the
    beginning of its night in UTC, which no reader takes for the future.
    """
    in_order = sorted(digests, key=lambda d: d.night, reverse=True)
    moments = {d.night: _moment(d.night, (told_at or {}).get(d.night)) for d in in_order}
    entries = "".join(_entry(d, moments[d.night], pages) for d in in_order)
    itself = f"<link rel={quoteattr('self')} href={quoteattr(url)}/>" if url else ""
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n<feed xmlns="http://www.w3.org/2005/Atom">'
        f"<title>retest: what changed</title><id>{escape(url or 'urn:retest:digests')}</id>"
        f"<updated>{max(moments.values(), default='1970-01-01T00:00:00Z')}</updated>"
        f"<author><name>retest</name></author>{itself}{entries}</feed>\n"
    )


def _title(d: Digest) -> str:
    return f"Refresh of {d.night}: {d.headline}"


def _entry(d: Digest, moment: str, pages: str | None) -> str:
    page = f"<link rel={quoteattr('alternate')} href={quoteattr(f'{pages}{d.night}')}/>" if pages else ""
    body = escape(_without_controls(section(d, REPORT)))
    return (
        f"<entry><title>{escape(visible(f'{d.night}: {d.headline}'))}</title><id>urn:retest:digest:{d.night}</id>"
        f'<updated>{moment}</updated>{page}<content type="html">{body}</content></entry>'
    )


def _moment(night: date, told_at: datetime | None) -> str:
    at = told_at or datetime.combine(night, time.min, tzinfo=UTC)
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _without_controls(text: str) -> str:
    """Leave out what XML 1.0 cannot hold; `visible` already named it where a foreign text had it."""
    return "".join(c for c in text if c in "\n\t" or c >= " ")
