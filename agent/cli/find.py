"""`retest search` and `retest mirror`: look for papers, and keep a local mirror of arXiv metadata."""

from dataclasses import asdict
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from agent.cli.output import console, json_option, plain, print_json, set_up_logging
from claims.errors import CouldNotLook, InputError

if TYPE_CHECKING:
    from agent.sources.oai import HarvestReport
    from agent.sources.snapshot import ImportReport
    from claims.paper import Paper

DAY = click.DateTime(["%Y-%m-%d"])


@click.command("search")
@click.argument("query")
@click.option("--since", type=DAY, help="First day of v1, included.")
@click.option("--until", type=DAY, help="Last day of v1, included.")
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True)
@click.option("--source", default="auto", show_default=True, help="auto, arxiv, mirror or library.")
@json_option
@click.pass_context
def search(ctx: click.Context, query: str, since: Any, until: Any, limit: int, source: str, as_json: bool) -> int:
    """Search papers by words and "quoted phrases". Every source that answers is asked; the others are named."""
    set_up_logging(ctx.obj["debug"])
    from agent.errors import Final, Retryable, reason
    from agent.fusion import RankedAnswer, fuse
    from agent.settings import load_settings
    from agent.wiring import open_sources, open_store
    from claims.paper_index.fields import terms_of
    from claims.search import Query

    if not terms_of(query):
        raise InputError(f"the query {plain(query, 60)!r} holds no word to search for")
    check_window(since, until)
    settings = load_settings()
    failures: dict[str, str] = {}
    answers: list[RankedAnswer] = []
    found: dict[str, Paper] = {}
    asked = 0
    with open_store(settings) as store:
        for name, one in open_sources(source, store, settings).items():
            asked += 1
            try:
                answer = one.search(
                    Query(text=query),
                    since=since.date() if since else None,
                    until=until.date() if until else None,
                    limit=limit,
                )
            except (Retryable, Final, CouldNotLook) as exc:
                failures[name.value] = reason(exc)
                continue
            answers.append(RankedAnswer([paper.id for paper, _ in answer.papers]))
            for paper, _ in answer.papers:
                found.setdefault(paper.id, paper)
    papers = [found[one] for one in fuse(answers)[:limit]]
    if as_json:
        print_json(
            {
                "papers": [p.model_dump(mode="json") for p in papers],
                "could_not_look": failures,
            }
        )
    else:
        out = console()
        for paper in papers:
            out.print(f"{paper.id:<12} {paper.published!s:<10} {plain(paper.title, 84)}")
        if not papers and len(failures) < asked:
            out.print("nothing found")
        for place, what in failures.items():
            out.print(f"could not look in {place}: {plain(what, 140)}")
    return 3 if len(failures) == asked else 0


ARXIV_BEGAN = date(1991, 8, 14)
"""https://info.arxiv.org/about: the first day."""


def check_window(since: datetime | None, until: datetime | None) -> None:
    """Refuse a window in which nothing can be, for its empty answer would be taken for *nothing found*.

    Raises InputError.
    """
    from claims.clock import SystemClock

    if since and until and since > until:
        raise InputError(f"--since {since:%Y-%m-%d} is later than --until {until:%Y-%m-%d}")
    if since and since.date() > SystemClock().now().date():
        raise InputError(f"--since {since:%Y-%m-%d} is still to come")
    if until and until.date() < ARXIV_BEGAN:
        raise InputError(f"--until {until:%Y-%m-%d} is before arXiv began, on {ARXIV_BEGAN:%Y-%m-%d}")


@click.group("mirror")
def mirror() -> None:
    """Fill and inspect the local mirror of arXiv metadata."""


@mirror.command("import")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@json_option
@click.pass_context
def import_(ctx: click.Context, files: tuple[Path, ...], as_json: bool) -> int:
    """Import snapshot FILES: one JSON record a line, plain, .gz, .xz or .zip. Importing again adds nothing twice."""
    set_up_logging(ctx.obj["debug"])
    from agent.settings import load_settings
    from agent.sources.snapshot import import_snapshot
    from agent.wiring import open_index, open_store

    for file in files:
        if not file.is_file():
            raise InputError(f"no file {file}")
    settings = load_settings()
    with open_store(settings) as store:
        err = console(stderr=True)

        def report(done: "ImportReport") -> None:
            if err.is_terminal and not as_json:
                err.print(f"{done.n_lines:,} records, {rate(done):,.0f} a second", end="\r")

        done = import_snapshot(list(files), store, open_index(settings), report)
    if as_json:
        print_json(asdict(done))
    else:
        show_import(done)
    return 1 if done.n_malformed or done.broken_off else 0


def rate(done: "ImportReport") -> float:
    """Records a second so far."""
    return done.n_lines / done.seconds if done.seconds else 0.0


def show_import(done: "ImportReport") -> None:
    """Print what an import did."""
    out = console()
    out.print(
        f"{done.n_lines:,} records in {done.seconds:.1f} s ({rate(done):,.0f} a second): "
        f"{done.n_new:,} new, {done.n_changed:,} changed, {done.n_unchanged:,} held before"
    )
    for name, line in done.resumed_from.items():
        if line:
            out.print(f"{name}: taken up behind line {line:,}, where an earlier import stopped")
    for name, what in done.broken_off.items():
        out.print(f"{name} broke off: {plain(what, 140)}; what came before it is kept")
    if done.n_malformed:
        out.print(f"{done.n_malformed:,} lines could not be read:")
        for bad in done.problems:
            out.print(f"    line {bad.line}: {plain(bad.why, 120)}")


@mirror.command("harvest")
@click.option("--since", type=DAY, help="First day of change. Default: where the last harvest stopped.")
@click.option("--until", type=DAY, help="Last day of change.")
@click.option("--set", "sets", multiple=True, help="OAI set, such as cs:cs:CL; may be repeated.")
@json_option
@click.pass_context
def harvest(ctx: click.Context, since: Any, until: Any, sets: tuple[str, ...], as_json: bool) -> int:
    """Fetch what is new or changed on arXiv since the last harvest (OAI-PMH)."""
    set_up_logging(ctx.obj["debug"])
    from agent.settings import load_settings
    from agent.sources.oai import harvest as harvest_oai
    from agent.wiring import open_index, open_store, pace

    check_window(since, until)
    settings = load_settings()
    err = console(stderr=True)

    def report(done: "HarvestReport") -> None:
        if err.is_terminal and not as_json:
            err.print(f"{done.n_records:,} records, {done.n_requests} requests", end="\r")

    with open_store(settings) as store:
        result = harvest_oai(
            store,
            open_index(settings),
            base_url=settings.oai_url,
            since=since.date() if since else None,
            until=until.date() if until else None,
            complete_to=store.complete_to(),
            sets=sets or ("cs",),
            pace=pace(store, settings),
            report=report,
        )
    code = 1 if result.n_unreadable else 0
    if as_json:
        print_json(result.model_dump(mode="json"))
        return code
    out = console()
    out.print(
        f"{result.n_records:,} records in {result.n_requests} requests: {result.n_new:,} new, "
        f"{result.n_changed:,} changed, {result.n_unchanged:,} held before, {result.n_deleted:,} deleted by arXiv"
    )
    for name, day in result.cursor.items():
        if name in result.gaps:
            out.print(
                f"set {name}: the mirror is complete to {result.gaps[name]}, and what came after that and before "
                f"{result.began_on[name]} was not fetched, so that the next night still begins there",
                soft_wrap=True,
            )
        else:
            out.print(f"set {name}: the next harvest begins with {day or 'the same day again'}")
    for problem in result.problems:
        out.print(f"could not read: {plain(problem, 140)}")
    if result.given_up:
        out.print(f"not asked for any more: {plain(', '.join(result.given_up), 400)}", soft_wrap=True)
    return code


@mirror.command("status")
@json_option
@click.pass_context
def status(ctx: click.Context, as_json: bool) -> int:
    """Say what the mirror holds, and whether its index agrees with it."""
    set_up_logging(ctx.obj["debug"])
    from agent.settings import load_settings
    from agent.sources.mirror import mirror_status
    from agent.wiring import open_index, open_store

    settings = load_settings()
    with open_store(settings) as store:
        result = mirror_status(store, open_index(settings))
    if as_json:
        print_json(result.model_dump(mode="json"))
        return 0
    out = console()
    out.print(f"{result.n_papers:,} papers, {result.n_indexed:,} indexed ({result.index_bytes / 2**20:.0f} MiB)")
    if result.changed_at:
        out.print(f"newest change {result.changed_at:%Y-%m-%d %H:%M}Z")
    if not result.is_current:
        out.print("the index has not seen everything yet; the next search brings it up to date")
    if result.stale_because:
        out.print(f"the index was begun anew: {plain(result.stale_because, 120)}")
    return 0
