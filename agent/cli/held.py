"""`retest list`, `show` and `report`: what is held, now or as of a past day. Nothing is searched or judged."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from agent.cli.completion import claim_ids
from agent.cli.output import console, json_option, plain, print_json, set_up_logging
from claims.errors import InputError

if TYPE_CHECKING:
    from datetime import date, datetime

    from claims.dossier import Dossier
    from claims.paper import Paper

DAY = click.DateTime(["%Y-%m-%d"])
FORMATS = ("md", "html", "json", "csv", "bib", "cff", "crate")


def moment(as_of: Any) -> "datetime | None":
    """Turn `--as-of DATE` into the last second of that day, or None for now."""
    if as_of is None:
        return None
    from agent.main_job import end_of

    return end_of(as_of.date())


@click.command("list")
@click.option("--as-of", type=DAY, help="What was held on that day.")
@json_option
@click.pass_context
def list_(ctx: click.Context, as_of: Any, as_json: bool) -> int:
    """List the claims that are held, with their verdicts, and which the next refresh goes over, and why."""
    set_up_logging(ctx.obj["debug"])
    from agent.settings import load_settings
    from claims.clock import SystemClock
    from claims.overview import overview

    past = moment(as_of)
    night = SystemClock().now().date() if past is None else None
    lines = overview(load_settings().store_url, as_of=past, night=night)
    if as_json:
        print_json([line._asdict() for line in lines])
        return 0
    out = console()
    if not lines:
        out.print("no claim is held yet; `retest run` starts with the shipped inquiry")
        return 0
    width = max(len(line.claim_id) for line in lines)
    for line in lines:
        verdict = line.kind or "undecided"
        since = f"first as of {line.since}" if line.since else ""
        sides = "" if line.kind is None else f"{line.n_support} / {line.n_against} / {line.n_narrowing} of "
        out.print(
            f"{line.claim_id:<{width}}  {line.asserted_on:<10}  {verdict:<10}  {since:<22}  {sides}{line.n_evidence}"
        )
        out.print(f"    {plain(line.text, 104)}")
        if line.due is not None:
            out.print("    paused" if line.paused else f"    due: {'; '.join(line.due)}" if line.due else "    not due")
    out.print("at the end of a line: support / contradict / narrow, of the papers and experiments weighed")
    return 0


@click.command("show")
@click.argument("claim", shell_complete=claim_ids)
@click.option("--as-of", type=DAY, help="What was held on that day.")
@json_option
@click.pass_context
def show(ctx: click.Context, claim: str, as_of: Any, as_json: bool) -> int:
    """Show one CLAIM (id or its beginning): verdict history, evidence, experiments, dates."""
    set_up_logging(ctx.obj["debug"])
    from agent.settings import load_settings
    from agent.wiring import open_store

    with open_store(load_settings()) as store:
        dossier = store.dossier(store.claim(claim).id, as_of=moment(as_of))
    if as_json:
        from claims.report.view import evidence_since

        print_json(dossier.model_dump(mode="json") | {"evidence_since": evidence_since(dossier)})
    else:
        show_dossier(dossier)
    return 0


def show_dossier(d: "Dossier") -> None:
    """Print a claim with its ground."""
    from claims.evidence import unjudged
    from claims.report import phrases
    from claims.report.view import claim_view
    from claims.revision import was

    out = console()
    out.print(plain(d.claim.text))
    out.print(f"{d.claim.id}, asserted {d.claim.asserted_on}, family {d.claim.scope.family or 'none'}\n")
    ground = [*(anchor.arxiv_id for anchor in d.claim.anchors), *(g.paper_id for g in d.groundings)]
    for paper_id in dict.fromkeys(ground):
        paper = d.papers.get(paper_id or "")
        if paper and paper.withdrawn:
            out.print(f"its ground arXiv:{paper.id}, {plain(paper.title, 100)}: {plain(_withdrawal(paper), 220)}\n")
    if not d.history:
        out.print("no verdict yet")
    for held in d.history:
        v = held.verdict
        out.print(
            f"{held.recorded_at:%Y-%m-%d %H:%M}Z  {v.kind.value} (confidence {v.confidence:.2f}, as of {v.as_of})"
        )
        out.print(f"    {plain(v.reason)}")
    if d.current:
        v = d.current.verdict
        out.print(f"\ndurable:    {plain(phrases.durable(claim_view(d, v.as_of)))}")
        out.print(f"perishable: {plain('; '.join(v.perishable)) or 'nothing named'}")
        if v.rests_on_unsure:
            show_read_first(d, v.as_of)
    out.print()
    not_counted = d.current.verdict.not_counted if d.current else {}
    order = {"contradicts": 0, "qualifies": 1, "supports": 2, "neutral": 3}
    papers = [
        e
        for e in d.evidence
        if e.kind == "paper" and (e.assessment.stance != "neutral" or e.assessment.judge.name == "person" or e.revised)
    ]
    # Ties by paper: the order of recording depends on which claim was weighed first.
    for e in sorted(
        papers, key=lambda e: (order[e.assessment.stance.value], -e.assessment.confidence, e.paper_id or "")
    ):
        paper = d.papers.get(e.paper_id)
        a = e.assessment
        revised = f", revised {e.revised.on}" if e.revised else ""
        out.print(
            f"{e.id}  {a.stance.value} {a.confidence:.2f} ({a.judge.name.value})  "
            f"arXiv:{e.paper_id} {e.published}{revised}"
        )
        if paper:
            out.print(f"    {plain(paper.title, 100)}")
        if why := _withdrawal(paper) if e.withdrawn else not_counted.get(e.id):
            out.print(f"    does not count: {plain(why, 220)}")
        if e.revised:
            out.print(f"    {was(e.revised)} ({e.revised.was_id})")
        if a.judge.name == "person":
            out.print(f"    {plain(a.explanation)}")
        for quote in a.quotes:
            whose = "our summary" if quote.field.value == "finding" else quote.field.value
            out.print(f"    {whose}: “{plain(quote.text, 220)}”")
    for experiment in d.experiments:
        out.print(f"\n{experiment.id}  {experiment.spec.protocol} ({experiment.spec.profile}) {experiment.state.value}")
        if experiment.result:
            out.print(f"    {experiment.result.outcome.value}: {plain(experiment.result.reason)}")
    if d.no_experiment_because and not d.experiments:
        out.print(f"\nno experiment: {plain(d.no_experiment_because)}")
    silent = [
        e.assessment
        for e in d.evidence
        if e.kind == "paper" and e.assessment.stance == "neutral" and not e.assessment.could_not_judge
    ]
    unsure = sum(a.unsure for a in silent)
    out.print(f"\n{len(silent)} papers take no stand; the judge was unsure of {unsure} of them")
    if told := unjudged(e.assessment for e in d.evidence if e.kind == "paper"):
        out.print(plain(told))
    for place, what in sorted({(s.source.value, s.could_not_look) for s in d.searches if s.could_not_look}):
        out.print(f"could not look in {place}: {plain(what or '', 140)}")


def _withdrawal(paper: "Paper | None") -> str:
    """Say that a paper was withdrawn, in the words of its record; empty when it was not."""
    if paper is None or not paper.withdrawn:
        return ""
    return f"the paper was withdrawn: “{paper.withdrawn_because}”" if paper.withdrawn_because else "it was withdrawn"


def show_read_first(d: "Dossier", as_of: "date") -> None:
    """Print the unsure stances that could change the verdict, the likeliest first, with the papers they are on."""
    from claims.report import phrases
    from claims.report.view import claim_view

    out = console()
    rows = claim_view(d, as_of).read_first
    if rows:
        out.print("\nunsure stances could change it; read first:")
    for row in rows:
        if row.paper is not None:
            out.print(f"{row.evidence.id}  {phrases.stance(row)}  arXiv:{row.paper.id} {row.dated}")
            out.print(f"    {plain(row.paper.title, 100)}")
            out.print(f"    {phrases.sureness(row) or plain(row.explanation)}")


@click.command("report")
@click.argument("what", required=False)
@click.option("--format", "format_name", type=click.Choice(FORMATS), default="md", show_default=True)
@click.option("--as-of", type=DAY, help="What was held on that day.")
@click.option("--out", type=click.Path(path_type=Path), help="File to write; stdout when not given.")
@json_option
@click.pass_context
def report(ctx: click.Context, what: str | None, format_name: str, as_of: Any, out: Path | None, as_json: bool) -> int:
    """Write the report of a claim or an inquiry (WHAT; everything when not given) from what is held.

    `cff` says how to cite the report. `crate` is an RO-Crate with everything that the verdicts rest on: a zip file, or
    a folder when --out does not end in .zip.
    """
    set_up_logging(ctx.obj["debug"])
    from agent.lookups import dossier_of
    from agent.settings import load_settings
    from agent.wiring import open_store
    from claims.clock import SystemClock
    from claims.report import crate, render

    with open_store(load_settings()) as store:
        dossier = dossier_of(store, what, SystemClock(), as_of=moment(as_of))
    try:
        if format_name == "crate" and not as_json:
            software = crate.this_software()
            if out is not None and out.suffix != ".zip":
                for name, content in crate.files(dossier, software).items():
                    _write(out / name, content)
                console(stderr=True).print(f"wrote {out}{os.sep}")
                return 0
            data = crate.pack(dossier, software)
        else:
            data = render(dossier, "json" if as_json else format_name).encode()
        if out is not None:
            _write(out, data)
            console(stderr=True).print(f"wrote {out}")
            return 0
    except OSError as exc:
        raise InputError(f"cannot write {exc.filename or out}: {exc.strerror}") from exc
    if format_name == "crate" and not as_json and sys.stdout.isatty():
        raise InputError("a crate is a zip file: name it with --out FILE.zip, or send stdout to a file")
    sys.stdout.buffer.write(data)
    return 0


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
