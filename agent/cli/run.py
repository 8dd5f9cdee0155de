"""`retest run`: the main job, end to end."""

import sys
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from agent.cli.completion import claim_ids
from agent.cli.output import console, json_option, plain, print_json, set_up_logging

if TYPE_CHECKING:
    from agent.main_job import Done
    from claims.dossier import Dossier, InquiryDossier


@click.command("run")
@click.argument("inquiry", required=False, type=click.Path(path_type=Path))
@click.option("--as-of", type=click.DateTime(["%Y-%m-%d"]), help="Look at nothing published later. Default: today.")
@click.option("--source", default="auto", show_default=True, help="auto, arxiv, mirror or library.")
@click.option("--judge", default="local", show_default=True, help="local, nli or llm.")
@click.option("--no-lab", is_flag=True, help="Run no experiment.")
@click.option("--profile", default="tiny", show_default=True, help="Size of the experiment: tiny or small.")
@click.option("--seeds", type=click.IntRange(2, 256), help="Seeds of an experiment. Default: RETEST_SEEDS.")
@click.option("--experiments", type=click.IntRange(0, 1000), help="Experiments to start. Default: RETEST_EXPERIMENTS.")
@click.option(
    "--claim",
    "claims",
    multiple=True,
    shell_complete=claim_ids,
    help="Only this claim (id or its beginning); may be repeated.",
)
@click.option("--yes", is_flag=True, help="Start long experiments without asking.")
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), default=Path("retest-report"), show_default=True
)
@json_option
@click.pass_context
def run(
    ctx: click.Context,
    inquiry: Path | None,
    as_of: Any,
    source: str,
    judge: str,
    no_lab: bool,
    profile: str,
    seeds: int | None,
    experiments: int | None,
    claims: tuple[str, ...],
    yes: bool,
    out: Path,
    as_json: bool,
) -> int:
    """Re-test the claims of INQUIRY, and write a report. Without INQUIRY: the shipped one."""
    set_up_logging(ctx.obj["debug"])
    from agent.cli.documents import read_document
    from agent.cli.watch import Watch
    from agent.graph.parts import Parts
    from agent.main_job import Wish, run_inquiry
    from agent.settings import load_settings
    from agent.wiring import (
        claim_searches,
        open_checkpoints,
        open_judge,
        open_lab,
        open_sources,
        open_store,
    )
    from claims.clock import SystemClock

    settings = load_settings()
    clock = SystemClock()
    read, document = read_document(inquiry)
    today = clock.now().date()
    until = as_of.date() if as_of else today
    check_profile(profile)
    out.mkdir(parents=True, exist_ok=True)
    names = {claim.id: plain(claim.text, 34) for claim in read.claims}
    n_experiments = settings.experiments if experiments is None else experiments
    with (
        open_store(settings, clock) as store,
        open_checkpoints(settings) as saver,
        Watch(names, silent=as_json) as watch,
    ):
        sources = open_sources(source, store, settings)
        chosen_judge = open_judge(judge, settings)
        with open_lab(settings, wanted=not no_lab and n_experiments > 0) as lab:
            done = run_inquiry(
                read,
                Wish(
                    as_of=until,
                    sources=tuple(sources),
                    use_lab=not no_lab,
                    profile=profile,
                    seeds=seeds or settings.seeds,
                    experiments=n_experiments,
                    papers_per_claim=settings.papers_per_claim,
                    yes=yes,
                    only=claims,
                ),
                Parts(
                    store=store,
                    sources=sources,
                    judge=chosen_judge,
                    clock=clock,
                    claim_search=claim_searches(sources, store, settings),
                    lab=lab.client,
                    no_lab_because=lab.why_not,
                    protocols=lab.protocols,
                    approve_minutes=settings.approve_minutes,
                    watch=watch,
                ),
                saver,
                locks=settings.home / "locks",
                document=document,
                approve=asking(watch),
            )
    files = write_reports(done.dossier, out)
    if as_json:
        print_json(as_document(done, files, until))
    else:
        show(done, files, until)
    if done.nowhere or done.judged_none or any(outcome.error for outcome in done.outcomes):
        return 3
    return 1 if done.unjudged or any(not_judged(d) for d in done.dossier.claims) else 0


def check_profile(profile: str) -> None:
    """Refuse a profile that cannot be one, before anything is started."""
    from claims.errors import InputError

    if not profile.replace("-", "").replace("_", "").isalnum() or profile != profile.lower():
        raise InputError(f"--profile {profile!r}: expected a name like tiny or small")


def asking(watch: Any) -> Any:
    """Make the function that asks a person; without a terminal the answer is no."""

    def ask(question: dict[str, Any]) -> bool:
        if not sys.stdin.isatty():
            return False
        watch.pause()
        try:
            return click.confirm(question["question"], err=True, default=False)
        finally:
            watch.resume()

    return ask


def write_reports(dossier: "InquiryDossier", out: Path) -> dict[str, str]:
    """Write the report in every format; each file is complete or not there."""
    from agent.main_job import REPORT_FILES
    from claims.errors import InputError
    from claims.report import render

    out.mkdir(parents=True, exist_ok=True)
    written: dict[str, str] = {}
    for format_name, file_name in REPORT_FILES.items():
        content = render(dossier, format_name)
        path = out / file_name
        half = path.with_suffix(path.suffix + ".part")
        try:
            half.write_bytes(content.encode())
            half.replace(path)
        except OSError as exc:
            raise InputError(f"cannot write {path}: {exc.strerror}; the results are kept, see `retest report`") from exc
        written[format_name] = str(path)
    return written


def counts(dossier: "Dossier") -> dict[str, int]:
    """Count what was read and what takes a stand, papers only."""
    papers = [e for e in dossier.evidence if e.kind == "paper"]
    n_unjudged = sum(e.assessment.could_not_judge for e in papers)
    return {
        "judged": len(papers) - n_unjudged,
        "supports": sum(e.assessment.stance == "supports" for e in papers),
        "contradicts": sum(e.assessment.stance == "contradicts" for e in papers),
        "qualifies": sum(e.assessment.stance == "qualifies" for e in papers),
        "unsure": sum(e.assessment.unsure for e in papers) - n_unjudged,
        "could_not_judge": n_unjudged,
        "quoted": sum(bool(e.assessment.quotes) for e in papers),
    }


def not_judged(dossier: "Dossier") -> str:
    """Say how many papers on a claim could not be judged, and why; empty when all could."""
    from claims.evidence import unjudged

    return unjudged(e.assessment for e in dossier.evidence if e.kind == "paper")


def sure_local(d: "Dossier") -> bool:
    """Tell whether the local judge gave any stance, or was not the one asked."""
    papers = [e for e in d.evidence if e.kind == "paper"]
    local = [e for e in papers if e.assessment.judge.name == "local"]
    return any(e.assessment.stance != "neutral" for e in local) or (bool(papers) and not local)


def as_document(done: "Done", files: dict[str, str], until: date) -> dict[str, Any]:
    """Give the pass as one JSON document."""
    errors = {outcome.claim_id: outcome.error for outcome in done.outcomes if outcome.error}
    states = {outcome.claim_id: outcome.state for outcome in done.outcomes}
    unjudged = {outcome.claim_id: outcome.unjudged for outcome in done.outcomes if outcome.unjudged}
    return {
        "inquiry": done.inquiry.id,
        "question": done.inquiry.question,
        "as_of": until.isoformat(),
        "claims": [
            {
                "id": d.claim.id,
                "text": d.claim.text,
                "asserted_on": str(d.claim.asserted_on),
                "verdict": d.current.verdict.model_dump(mode="json") if d.current else None,
                "papers": counts(d)
                | {key: states.get(d.claim.id, {}).get(f"n_{key}") for key in ("found", "unjudged")},
                "experiments": [
                    {
                        "id": e.id,
                        "protocol": e.spec.protocol,
                        "result": e.result.model_dump(mode="json") if e.result else None,
                    }
                    for e in d.experiments
                ],
                "no_experiment_because": d.no_experiment_because,
                "groundings": [g.model_dump(mode="json") for g in d.groundings],
                "problems": [unjudged[d.claim.id]] if d.claim.id in unjudged else [],
                "error": errors.get(d.claim.id),
            }
            for d in done.dossier.claims
        ],
        "could_not_look": done.could_not_look,
        "warnings": [w.model_dump(mode="json") for w in done.inquiry.warnings],
        "report": files,
    }


def show(done: "Done", files: dict[str, str], until: date) -> None:
    """Print the pass for a person: verdicts, the experiment, what could not be done, where the report is."""
    from rich.table import Table

    out = console()
    out.print(plain(done.inquiry.question or "No open question in the document", 108))
    out.print(f"{len(done.dossier.claims)} claims, as of {until}\n")
    table = Table(box=None, padding=(0, 2, 0, 0))
    for column in ("claim", "asserted", "verdict", "conf.", "judged", "+ / − / ~ / ?"):
        table.add_column(column, no_wrap=column != "claim")
    states = {outcome.claim_id: outcome for outcome in done.outcomes}
    for d in done.dossier.claims:
        if d.claim.id not in states:
            continue
        n = counts(d)
        verdict = d.current.verdict if d.current else None
        table.add_row(
            f"{plain(d.claim.text, 112)}\n{d.claim.id}",
            str(d.claim.asserted_on),
            verdict.kind.value if verdict else "no verdict",
            f"{verdict.confidence:.2f}" if verdict and verdict.kind != "untested" else "–",
            str(n["judged"]),
            f"{n['supports']} / {n['contradicts']} / {n['qualifies']} / {n['unsure']}",
        )
    out.print(table)
    out.print("papers that support + contradict − qualify ~, and those the judge is unsure of ?\n")
    if not any(sure_local(d) for d in done.dossier.claims):
        out.print(
            "The local judge was sure of no stance; what it leans to is in the report under Read first. Weigh papers "
            "yourself with `retest judge CLAIM`, or let a language model do it: `--judge llm`.\n",
            soft_wrap=True,
        )
    for d in done.dossier.claims:
        for experiment in d.experiments:
            if experiment.result:
                out.print(
                    f"{experiment.spec.protocol} ({experiment.spec.profile}): {plain(experiment.result.reason)}",
                    soft_wrap=True,
                )
    flagged = [g for d in done.dossier.claims for g in d.groundings if g.status != "ok" or g.problems]
    flagged += [g for g in done.dossier.groundings if g.status != "ok" or g.problems]
    for g in flagged:
        name = g.anchor.stated_title or g.anchor.arxiv_id or g.claim_id or "an anchor"
        said = "; ".join(p.message for p in g.problems) or g.how
        out.print(f"ground of {plain(name, 60)}: {g.status.value}: {plain(said, 140)}", soft_wrap=True)
    for place, what in done.could_not_look.items():
        out.print(f"could not look in {place}: {plain(what, 200)}", soft_wrap=True)
    for d in done.dossier.claims:
        if told := not_judged(d):
            out.print(f"{d.claim.id}: {plain(told, 140)}", soft_wrap=True)
    for outcome in done.outcomes:
        if outcome.unjudged:
            out.print(f"{outcome.claim_id}: {plain(outcome.unjudged, 200)}", soft_wrap=True)
        if outcome.error:
            out.print(f"{outcome.claim_id} stopped: {plain(outcome.error, 140)}; run again to go on from there")
    if done.inquiry.warnings:
        out.print(f"{len(done.inquiry.warnings)} lines of the document could not be placed: `retest import` shows them")
    out.print(f"\nReport: {files['html']} (also {', '.join(Path(f).name for k, f in files.items() if k != 'html')})")
