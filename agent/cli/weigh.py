"""`retest bench`: predict the stances and verdicts of labelled claims, and score them beside trivial baselines."""

from pathlib import Path

import click

from agent.cli.documents import read_bytes
from agent.cli.output import console, json_option, print_json, set_up_logging
from claims.errors import InputError


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
        console().print(report.as_table())
    return 0
