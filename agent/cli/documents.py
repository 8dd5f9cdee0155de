"""`retest import` and `retest ground`: read a document, and check what it cites."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from agent.cli.output import console, json_option, plain, print_json, set_up_logging
from claims.errors import InputError

if TYPE_CHECKING:
    from agent.citations import CitationProblem
    from claims.claim import Anchor
    from claims.grounding import Grounding
    from claims.inquiry import Inquiry


def read_document(path: Path | None) -> tuple["Inquiry", str]:
    """Read an inquiry and its text; None is the shipped one, `-` is standard input. Raises InputError."""
    from claims.inquiry import parse_inquiry

    if path is None:
        from claims.library import example_inquiry

        text = example_inquiry()
        return parse_inquiry(text), text
    data = read_bytes(path)
    return parse_inquiry(data, origin=str(path)), data.decode("utf-8", "replace")


def read_bytes(path: Path) -> bytes:
    """Read a file that a person named. Raises InputError that says what is wrong with it."""
    try:
        if str(path) == "-":
            return sys.stdin.buffer.read()
        return path.read_bytes()
    except FileNotFoundError as exc:
        raise InputError(f"no file {path}") from exc
    except IsADirectoryError as exc:
        raise InputError(f"{path} is a folder, not a document") from exc
    except OSError as exc:
        raise InputError(f"cannot read {path}: {exc.strerror}") from exc


def write_text(path: Path, text: str) -> None:
    """Write a file that a person named; it is complete or as it was. Raises InputError."""
    half = path.with_name(path.name + ".part")
    try:
        half.write_text(text, encoding="utf-8")
        half.replace(path)
    except OSError as exc:
        raise InputError(f"cannot write {path}: {exc.strerror}") from exc


@click.command("import")
@click.argument("inquiry", type=click.Path(path_type=Path))
@json_option
@click.pass_context
def import_(ctx: click.Context, inquiry: Path, as_json: bool) -> int:
    """Parse INQUIRY (a file, or - for standard input) and show what was understood. Nothing is stored."""
    set_up_logging(ctx.obj["debug"])
    from agent.lookups import inquiry_document

    read, _ = read_document(inquiry)
    if as_json:
        print_json(inquiry_document(read))
    else:
        show_inquiry(read)
    return 0


def show_inquiry(read: "Inquiry") -> None:
    """Print a parsed inquiry for a person."""
    out = console()
    out.print(f"Question: {plain(read.question) if read.question else 'none found'}\n")
    for claim in read.claims:
        ids = [anchor.arxiv_id or f"{anchor.stated_title} (no id)" for anchor in claim.anchors]
        out.print(f"{claim.id}  (~)".replace("(~)", f"asserted {claim.asserted_on}"))
        out.print(f"    {plain(claim.text)}")
        out.print(
            f"    anchors: {', '.join(plain(i) for i in ids) or 'none: ungrounded'}; family: {claim.scope.family}"
        )
    out.print(f"\n{len(read.anchors)} anchors")
    for anchor in read.anchors:
        topic = plain(anchor.stated_topic or "", 70)
        out.print(f"    {anchor.arxiv_id or plain(anchor.stated_title or '?')}  {anchor.stated_date or ''}  {topic}")
    for task in read.tasks:
        out.print(f"task {task.number}: {plain(task.text, 98)}")
    for question in read.questions:
        out.print(f"question ({question.letter}): {plain(question.text, 92)}")
    for warning in read.warnings:
        out.print(f"line {warning.line}: {warning.why}: {plain(warning.text, 70)}")
    out.print("\nNothing was stored: `retest run` with this document holds its claims and looks for newer work.")


@click.command("ground")
@click.argument("ids", nargs=-1)
@click.option("--file", "file", type=click.Path(path_type=Path), help="BibTeX, JSONL or CSL-JSON: title, author, year.")
@click.option(
    "--bib", "bib", type=click.Path(path_type=Path), help="Write that BibTeX anew: fields mended, findings noted."
)
@click.option("--source", default="auto", show_default=True, help="auto, arxiv, mirror or library.")
@json_option
@click.pass_context
def ground(
    ctx: click.Context, ids: tuple[str, ...], file: Path | None, bib: Path | None, source: str, as_json: bool
) -> int:
    """Check that arXiv IDS exist and are the papers that they are said to be."""
    set_up_logging(ctx.obj["debug"])
    if not ids and file is None:
        raise click.UsageError("name at least one arXiv id, or a --file")
    if bib is not None and (file is None or bib.absolute() == file.absolute()):
        raise click.UsageError("--bib needs a BibTeX file to correct (--file), and another name than that one's")
    from agent.grounding import ground_all
    from agent.lookups import grounding_document
    from agent.settings import load_settings
    from agent.wiring import open_sources, open_store
    from claims.grounding import GroundingStatus

    settings = load_settings()
    names, anchors = read_ids(ids)
    unread: list[CitationProblem] = []
    if file is not None:
        from agent.citations import read_bibtex, read_citations

        text = read_bytes(file).decode("utf-8", "replace")
        cited = (read_bibtex if bib else read_citations)(text, origin=str(file))
        names += [c.key or c.anchor.arxiv_id or f"line {c.anchor.line}" for c in cited.citations]
        anchors += [c.anchor for c in cited.citations]
        unread = cited.problems
    with open_store(settings) as store:
        sources = list(open_sources(source, store, settings).values())
        results = list(zip(names, ground_all(anchors, sources), strict=True))
        wanted = [g.paper_id for _, g in results if g.paper_id]
        papers = store.papers(wanted)
        for one in sources:
            papers |= look_up(one, [i for i in wanted if i not in papers])
    if as_json:
        print_json([grounding_document(name, g, papers) for name, g in results])
    else:
        show_groundings(results, papers)
    err = console(stderr=True)
    if bib is not None:
        from agent.corrections import corrected

        grounded = [g for _, g in results][len(ids) :]
        done = corrected(text, list(zip(cited.citations, grounded, strict=True)), papers)
        write_text(bib, done.text)
        err.print(f"{bib}: entries corrected: {done.n_corrected}, with a note alone: {done.n_noted}", soft_wrap=True)
    for problem in unread:
        err.print(f"{file} line {problem.line}: {plain(problem.why, 140)}")
    statuses = {g.status for _, g in results}
    if statuses <= {GroundingStatus.OK} and not unread:
        return 0
    return 3 if statuses <= {GroundingStatus.OK, GroundingStatus.UNCHECKED} and not unread else 1


def read_ids(ids: tuple[str, ...]) -> tuple[list[str], list["Anchor"]]:
    """Read ids from the command line, malformed ones included: they are grounded as such."""
    from claims.claim import Anchor
    from claims.errors import MalformedId
    from claims.ids import ArxivId

    names: list[str] = []
    anchors: list[Anchor] = []
    for text in ids:
        try:
            found = ArxivId.parse(text)
        except MalformedId:
            names.append(text)
            anchors.append(Anchor(malformed_id=text))
            continue
        names.append(text)
        anchors.append(Anchor(arxiv_id=found.base, stated_version=found.version))
    return names, anchors


def look_up(source: Any, ids: list[str]) -> dict[str, Any]:
    """Get papers for display; a source that cannot be asked was already reported by the grounding."""
    from agent.errors import Final, Retryable
    from claims.errors import CouldNotLook

    if not ids:
        return {}
    try:
        found: dict[str, Any] = source.look_up(ids).papers
    except (Retryable, Final, CouldNotLook):
        return {}
    return found


def show_groundings(results: list[tuple[str, "Grounding"]], papers: dict[str, Any]) -> None:
    """Print groundings for a person."""
    out = console()
    for name, g in results:
        paper = papers.get(g.paper_id or "")
        title = f"{plain(paper.title, 70)} ({paper.published})" if paper else plain(g.how, 80)
        out.print(f"{plain(name, 40)}  {g.status.value}  {title}")
        for problem in g.problems:
            out.print(f"    {problem.field}: {plain(problem.message, 120)}")
        for place, what in g.could_not_look.items():
            out.print(f"    could not look in {place}: {plain(what, 110)}")
