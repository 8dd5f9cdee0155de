"""`retest lab`: protocols, runs and the lab worker."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from agent.cli.output import console, json_option, plain, print_json, set_up_logging
from claims.errors import InputError

if TYPE_CHECKING:
    from claims.experiment import ExperimentView, ProtocolView


def _seconds(ctx: click.Context, param: click.Parameter, value: str | None) -> float | None:
    """Read a number of seconds, or one with its unit."""
    if value is None:
        return None
    read = re.fullmatch(r"(\d+(?:\.\d+)?) ?([smh]?)", value)
    seconds = float(read[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[read[2]] if read else 0.0
    if not 0 < seconds <= 7 * 86400:
        raise click.BadParameter(f"{value!r} is no time up to seven days, such as 90s, 45m or 4h", ctx, param)
    return seconds


@click.group("lab")
def lab() -> None:
    """Protocols, runs and the lab worker."""


@lab.command("protocols")
@json_option
@click.pass_context
def protocols(ctx: click.Context, as_json: bool) -> int:
    """List the pre-registered designs that the lab offers."""
    set_up_logging(ctx.obj["debug"])
    from agent.settings import load_settings
    from agent.wiring import connect_lab
    from claims.report.experiments import deciding

    with connect_lab(load_settings()) as client:
        offered = client.protocols()
    if as_json:
        print_json([p.model_dump(mode="json") for p in offered])
        return 0
    out = console()
    for p in offered:
        bases = {name: f", and {s:.0f} s for the base" for name, s in p.base_seconds.items()}
        seconds = ", ".join(
            f"{name} about {s:.0f} s a seed{bases.get(name, '')}" for name, s in p.seconds_per_seed.items()
        )
        out.print(f"{p.name} (version {p.version}; {', '.join(p.profiles)}; {seconds or 'time not measured'})")
        out.print(f"    {plain(p.title)}")
        out.print(f"    predicts: {plain(p.preregistration.prediction)}", soft_wrap=True)
        out.print(
            f"    measures: {plain(p.preregistration.contrast)}, smallest effect {p.preregistration.smallest_effect:g}"
        )
        for profile in (*p.seeds_to_decide, *p.no_room):
            out.print(f"    {profile}: {plain(deciding(p, profile))}", soft_wrap=True)
    return 0


@lab.command("run")
@click.argument("protocol")
@click.option("--profile", metavar="PROFILE", default="tiny", show_default=True)
@click.option("--seeds", type=click.IntRange(1, 256), help="Seeds in all; more than it has adds the rest.")
@click.option(
    "--first-seed",
    type=click.IntRange(0, 2**31 - 257),
    default=0,
    help="Where its seeds begin; on fresh seeds it is another experiment, that repeats the first.",
)
@click.option("--set", "params", multiple=True, metavar="NAME=VALUE", help="A parameter of the protocol.")
@click.option("--gpus", type=click.IntRange(0, 64), help="GPUs for each seed.  [default: what the lab says of PROFILE]")
@click.option(
    "--time", "time_s", callback=_seconds, metavar="TIME", help="Wall time after which a seed is stopped: 90s, 45m, 4h."
)
@click.option("--memory", type=click.FloatRange(0, 4096, min_open=True), help="Memory limit of a seed in GiB.")
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), default=Path("retest-report"), show_default=True
)
@json_option
@click.pass_context
def run(
    ctx: click.Context,
    protocol: str,
    profile: str,
    seeds: int | None,
    first_seed: int,
    params: tuple[str, ...],
    gpus: int | None,
    time_s: float | None,
    memory: float | None,
    out: Path,
    as_json: bool,
) -> int:
    """Run PROTOCOL, show its outcome and write its report. Runs that were finished before are not run again."""
    set_up_logging(ctx.obj["debug"])
    from agent.cli.seed_watch import SeedWatch
    from agent.settings import load_settings
    from agent.wiring import connect_lab
    from claims.experiment import ExperimentSpec, Limits, Submission

    named = {"gpus": gpus, "time_s": time_s, "memory_gib": memory}
    limits = Limits.model_validate({name: value for name, value in named.items() if value is not None})
    settings = load_settings()
    with connect_lab(settings) as client:
        offered = {p.name: p for p in client.protocols()}
        if protocol not in offered:
            raise InputError(f"no protocol {protocol!r}; there are {', '.join(sorted(offered))}")
        if profile not in offered[protocol].profiles:
            has = ", ".join(offered[protocol].profiles)
            raise InputError(f"{protocol} has no profile {profile!r}; it has {has}")
        spec = ExperimentSpec(
            protocol=protocol,
            protocol_version=offered[protocol].version,
            profile=profile,
            params=read_params(params),
            first_seed=first_seed,
        )
        view = client.submit(Submission(spec=spec, n_seeds=seeds or settings.seeds, limits=limits))
        if not as_json:
            console(stderr=True).print(foretell(offered[protocol], view), soft_wrap=True)
        with SeedWatch(view.runs, silent=as_json) as watch:
            view = client.wait(view.id, on_progress=watch)
    if as_json:
        print_json(view.model_dump(mode="json"))
    else:
        show_experiment(view)
        console().print(f"Report: {write_page(view, out)}", soft_wrap=True)
    return 0 if view.result is not None else 1


def foretell(protocol: "ProtocolView", view: "ExperimentView") -> str:
    """Say what the seeds that are still to run take, and whether all of them will probably decide."""
    from claims.report import numbers
    from claims.report.experiments import expected_length, planned

    todo, profile = sum(not run.state.is_final for run in view.runs), view.spec.profile
    of = "" if todo == len(view.runs) else f" of {len(view.runs)}"
    said = f"{todo}{of} {'seed' if len(view.runs) == 1 else 'seeds'} to run"
    if not todo:
        return f"{numbers.count(len(view.runs), 'seed')}, all run before"
    if view.spec.params:
        return f"{said}; how long that takes and how many seeds decide was measured at the defaults only"
    return f"{said}, {expected_length(protocol, profile, todo)}; {planned(protocol, profile, len(view.runs))}"


def write_page(view: "ExperimentView", out: Path) -> Path:
    """Write the experiment as a page with its plot, in the folder `out`. Raises InputError when it cannot be."""
    from claims.report.html import experiment_page

    path = out / f"{view.id}.html"
    try:
        out.mkdir(parents=True, exist_ok=True)
        path.write_text(experiment_page(view), encoding="utf-8")
    except OSError as exc:
        raise InputError(f"cannot write {path}: {exc.strerror}; `retest lab show {view.id}` has the result") from exc
    return path


def read_params(params: tuple[str, ...]) -> dict[str, Any]:
    """Read `NAME=VALUE` pairs; numbers and true/false are read as such. Raises InputError."""
    import json

    read: dict[str, Any] = {}
    for pair in params:
        name, separator, value = pair.partition("=")
        if not separator or not name:
            raise InputError(f"--set {pair!r}: expected NAME=VALUE")
        try:
            parsed = json.loads(value)
        except json.JSONDecodeError:
            parsed = value
        if not isinstance(parsed, str | int | float | bool):
            raise InputError(f"--set {pair!r}: expected a number, true, false or a word")
        read[name] = parsed
    return read


def _design(view: "ExperimentView") -> str:
    """Name the protocol and profile, and the first seed of a repetition on fresh ones."""
    fresh = f", seeds from {view.spec.first_seed}" if view.spec.first_seed else ""
    return f"{view.spec.protocol} ({view.spec.profile}{fresh})"


def show_experiment(view: "ExperimentView") -> None:
    """Print an experiment: effect by seed, controls, outcome, failures."""
    from agent.cli.effects import plot_lines
    from claims.report import experiments

    out = console()
    out.print(f"{view.id}  {_design(view)}  {view.state.value}")
    models = experiments.models_of(view)
    if models:
        out.print(f"    {plain(models)}", soft_wrap=True)
    differs = experiments.departures(view)
    if differs:
        out.print(f"    {plain(differs)}. {experiments.DEFAULTS_SPEAK}", soft_wrap=True)
    p = view.preregistration
    out.print(f"    hypothesis: {plain(p.hypothesis)}", soft_wrap=True)
    out.print(
        f"    measured:   {plain(p.contrast)} on {plain(p.primary_metric)}, smallest effect {p.smallest_effect:g}"
    )
    result = view.result
    if result:
        for arm, mean in result.arm_means.items():
            out.print(f"    {arm:<28} {mean:.3f}")
        for line in plot_lines(result):
            out.print(line, soft_wrap=True)
        if result.primary:
            out.print(f"    interval: {1 - result.primary.alpha:.0%}, {plain(result.primary.method)}", soft_wrap=True)
        for control in result.controls:
            said = {True: "passed", False: "FAILED", None: "undecided"}[control.passed]
            out.print(f"    {control.kind} control {control.name}: {said}. {plain(control.reason)}", soft_wrap=True)
        if result.secondary:
            out.print(f"    beside it ({experiments.BESIDE}):")
        for line in experiments.secondary(result):
            out.print(f"      {plain(line)}", soft_wrap=True)
        out.print(f"{result.outcome.value}: {plain(result.reason)}", soft_wrap=True)
    for run in view.runs:
        if run.error:
            out.print(f"    seed {run.spec.seed} {run.state.value}: {plain(run.error, 200)}")


@lab.command("runs")
@json_option
@click.pass_context
def runs(ctx: click.Context, as_json: bool) -> int:
    """List the experiments that the lab holds, newest first."""
    set_up_logging(ctx.obj["debug"])
    from agent.settings import load_settings
    from agent.wiring import connect_lab
    from claims.report.experiments import departures, models_of

    with connect_lab(load_settings()) as client:
        views = client.experiments()
    if as_json:
        print_json([view.model_dump(mode="json") for view in views])
        return 0
    out = console()
    for view in views:
        outcome = view.result.outcome.value if view.result else ""
        done = sum(run.state == "succeeded" for run in view.runs)
        out.print(
            f"{view.id}  {view.submitted_at:%Y-%m-%d %H:%M}Z  {_design(view)}  "
            f"{view.state.value}  {done}/{len(view.runs)} seeds  {outcome}"
        )
        for line in filter(None, (models_of(view), departures(view))):
            out.print(f"    {plain(line)}", soft_wrap=True)
    if not views:
        out.print("no experiment was submitted to this lab yet")
    return 0


@lab.command("show")
@click.argument("experiment")
@json_option
@click.pass_context
def show(ctx: click.Context, experiment: str, as_json: bool) -> int:
    """Show one EXPERIMENT with its runs."""
    set_up_logging(ctx.obj["debug"])
    from agent.settings import load_settings
    from agent.wiring import connect_lab

    with connect_lab(load_settings()) as client:
        view = client.get(experiment)
    if as_json:
        print_json(view.model_dump(mode="json"))
    else:
        show_experiment(view)
    return 0


@lab.command("cancel")
@click.argument("experiment")
@json_option
@click.pass_context
def cancel(ctx: click.Context, experiment: str, as_json: bool) -> int:
    """Stop an EXPERIMENT: its processes are killed, finished seeds are kept."""
    set_up_logging(ctx.obj["debug"])
    from agent.settings import load_settings
    from agent.wiring import connect_lab

    with connect_lab(load_settings()) as client:
        view = client.cancel(experiment)
    if as_json:
        print_json(view.model_dump(mode="json"))
    else:
        console().print(f"{view.id} {view.state.value}")
    return 0


@lab.command("serve")
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", type=click.IntRange(0, 65535), default=8765, show_default=True)
@click.option("--no-worker", is_flag=True, help="Only take requests; control workers run elsewhere.")
@click.option("--only-worker", is_flag=True, help="No server: conduct what others take in (several machines).")
@click.pass_context
def serve(ctx: click.Context, host: str, port: int, no_worker: bool, only_worker: bool) -> int:
    """Serve the lab over HTTP. Elsewhere than on loopback it needs RETEST_LAB_TOKEN."""
    set_up_logging(ctx.obj["debug"])
    import os
    import sys

    from agent.settings import load_settings

    settings = load_settings()
    flags = ["--no-worker"] * no_worker + ["--only-worker"] * only_worker
    arguments = [sys.executable, "-m", "lab.server", "--host", host, "--port", str(port), *flags]
    # The lab takes this process's place, so that signals and the exit code are its own.
    os.execve(sys.executable, arguments, {**os.environ, "RETEST_HOME": str(settings.home)})  # noqa: S606
