"""`retest bench`: predict the stances and verdicts of labelled claims, and score them beside trivial baselines."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from agent.cli.documents import read_bytes
from agent.cli.output import console, json_option, plain, print_json, set_up_logging
from claims.errors import InputError

if TYPE_CHECKING:
    from agent.bench import BenchReport


@click.command("bench")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--predictions", type=click.Path(path_type=Path), help="Write the predictions, one JSON a line.")
@click.option("--source", default="auto", show_default=True, help="Where the papers are: auto, arxiv, mirror, library.")
@click.option("--judge", "judge_name", default="local", show_default=True, help="local, nli or llm.")
@json_option
@click.pass_context
def bench(ctx: click.Context, file: Path, predictions: Path | None, source: str, judge_name: str, as_json: bool) -> int:
    """Judge the labelled claims of FILE (JSON lines), decide their verdicts, and print metrics beside baselines.

    The labels are taken off before anything is judged.
    """
    set_up_logging(ctx.obj["debug"])
    from agent.bench import run_bench
    from agent.settings import load_settings
    from agent.wiring import open_judge, open_lookup, open_store
    from claims.verdict import decide

    settings = load_settings()
    lines = read_bytes(file).decode("utf-8", "replace").splitlines()
    with open_store(settings) as store:
        report = run_bench(lines, open_lookup(source, store, settings), open_judge(judge_name, settings), decide)
    if predictions is not None:
        try:
            predictions.write_text("".join(line + "\n" for line in report.lines()))
        except OSError as exc:
            raise InputError(f"cannot write {predictions}: {exc.strerror}") from exc
    if as_json:
        print_json(report.model_dump(mode="json"))
    else:
        show_report(report)
    return 1 if report.partial else 0


def show_report(report: "BenchReport") -> None:
    """Print the metrics beside the baselines, per class, and what was decided otherwise than labelled."""
    out = console()
    if report.partial:
        out.print(
            f"partial: {report.n_claims} of {report.n_asked} claims were judged: {plain(report.partial)}. "
            "Run it again with a larger one: paid answers are kept.\n",
            soft_wrap=True,
        )
    out.print(f"{report.n_claims} claims, {report.n_pairs} pairs, judge {report.judge}; unsure of {report.unsure}")
    if report.missing:
        out.print(f"{len(report.missing)} papers are in no source and were predicted neutral: fill the mirror first")
    for title, ours, others in (
        ("stances", report.stances, report.stance_baselines),
        ("verdicts", report.verdicts, report.verdict_baselines),
    ):
        if ours is None:
            continue
        out.print(f"\n{title:<34} {'accuracy':>8} {'macro-F1':>9}  95 % interval   precision of calls")
        more = [report.verdicts_from_labels] if title == "verdicts" and report.verdicts_from_labels else []
        for one in (ours, *others, *more):
            low, high = one.macro_f1_interval or (float("nan"), float("nan"))
            calls = f"{one.called_correct}/{one.called}" if title == "stances" else ""
            out.print(f"{one.name:<34} {one.accuracy:>8.2f} {one.macro_f1:>9.2f}  [{low:.2f}, {high:.2f}]    {calls}")
        out.print(f"\n{title + ', by label':<34} {'n':>5} {'called':>7} {'precision':>10} {'recall':>7} {'F1':>5}")
        for label in ours.classes:
            out.print(
                f"{label.label:<34} {label.n:>5} {label.called:>7} {share(label.precision):>10} "
                f"{share(label.recall):>7} {label.f1:>5.2f}"
            )
    if report.disagreements:
        out.print("\ndecided otherwise than labelled:")
    for d in report.disagreements:
        out.print(
            f"{d.claim_id}: labelled {d.labelled.value}, decided {d.predicted.value}. {plain(d.reason)}", soft_wrap=True
        )
        for wrong in d.wrong_stances:
            out.print(f"    {plain(wrong, 100)}")


def share(value: float | None) -> str:
    """Write a ratio; an undefined one is `none`, never 0."""
    return "none" if value is None else f"{value:.2f}"
