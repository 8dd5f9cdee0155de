"""`retest refresh`, `due` and `care`: the nightly pass, what it will go over, and what a person wants done with it."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from agent.cli.completion import claim_ids
from agent.cli.output import console, json_option, plain, print_json, set_up_logging
from claims.errors import InputError

if TYPE_CHECKING:
    from agent.graph.parts import Step
    from agent.refresh import Explained, Match, NightPlan
    from agent.settings import Settings
    from agent.wiring import Lab
    from claims.digest import Digest
    from claims.experiment import ExperimentView
    from claims.store import Store

DAY = click.DateTime(["%Y-%m-%d"])
FORMATS = ("md", "html", "json", "atom")

NIGHT_QUIET_S = 60.0
"""Seconds between two progress lines of a claim's experiment where there is no terminal: a night's log is kept."""


@click.command("refresh")
@click.option("--until", type=DAY, help="Papers and verdicts up to this day. Default: today (UTC).")
@click.option("--max-claims", type=click.IntRange(0), help="Go over at most so many claims this night.")
@click.option("--judge", default="local", show_default=True, help="local, nli or llm.")
@click.option("--no-harvest", is_flag=True, help="Ask arXiv nothing; use what the mirror holds.")
@click.option("--no-lab", is_flag=True, help="Add no seeds to undecided experiments.")
@click.option("--seeds-budget", type=click.IntRange(0, 4096), help="Seeds for the night. Default: RETEST_SEEDS.")
@click.option(
    "--due-days", type=click.IntRange(1), default=30, show_default=True, help="Full match after so many days."
)
@click.option("--explain", "explained", metavar="CLAIM", help="Change nothing; say why CLAIM stands where it stands.")
@click.option("--format", "format_name", type=click.Choice(FORMATS), default="md", show_default=True)
@click.option("--out", type=click.Path(path_type=Path), help="File for the digest; stdout when not given.")
@click.option(
    "--webhook",
    metavar="URL",
    help="Also POST the digest as JSON there, unless nothing happened. Default: RETEST_WEBHOOK.",
)
@click.option("--webhook-secret", help="Signs what is sent (HMAC-SHA256). Default: RETEST_WEBHOOK_SECRET.")
@click.option("--no-send", is_flag=True, help="Send the digest to nobody, whatever the settings say.")
@json_option
@click.pass_context
def refresh(
    ctx: click.Context,
    until: Any,
    max_claims: int | None,
    judge: str,
    no_harvest: bool,
    no_lab: bool,
    seeds_budget: int | None,
    due_days: int,
    explained: str | None,
    format_name: str,
    out: Path | None,
    webhook: str | None,
    webhook_secret: str | None,
    no_send: bool,
    as_json: bool,
) -> int:
    """Go over the claims that are due, and tell what changed and why.

    Run it every night: asked again for the same day it goes on where it was stopped, or changes nothing. Exit code 1:
    something could not be done, which the digest says, or the digest could not be sent; 3: nothing could be looked at.
    """
    from agent.graph.parts import Parts
    from agent.observe.logs import set_up_logs
    from agent.observe.secrets import Redactor, known_secrets
    from agent.observe.traces import sending_traces
    from agent.refresh import NightWish, explain
    from agent.refresh import refresh as refresh_night
    from agent.refresh.deliver import Receivers, receivers
    from agent.settings import load_settings
    from agent.wiring import open_index, open_judge, open_store, pace
    from claims.clock import SystemClock
    from claims.report.digest import render_digest

    settings = load_settings()
    set_up_logs(settings, debug=ctx.obj["debug"])
    clock = SystemClock()
    day = until.date() if until else clock.now().date()
    if day > clock.now().date():
        raise InputError(f"--until {day} is in the future: what comes by then is not known")
    wish = NightWish(
        until=day,
        max_claims=max_claims,
        due_days=due_days,
        papers_per_claim=settings.papers_per_claim,
        seeds_budget=0 if no_lab or explained is not None else settings.seeds if seeds_budget is None else seeds_budget,
        harvest=not no_harvest,
        oai_url=settings.oai_url,
    )
    sent_to = Receivers() if no_send else receivers(settings, webhook=webhook, secret=webhook_secret)
    with (
        open_store(settings, clock) as store,
        _lab_watched(store, settings, wish.seeds_budget, debug=ctx.obj["debug"]) as (lab, watch),
    ):
        parts = Parts(
            store=store,
            sources={},
            judge=open_judge(judge, settings),
            clock=clock,
            lab=lab.client,
            no_lab_because=lab.why_not,
            watch=watch,
        )
        index = open_index(settings)
        if explained is not None:
            found = explain(store.claim(explained), parts, index, day, limit=settings.papers_per_claim)
            if as_json:
                lists = ("matches", "beyond", "unmatched")
                print_json(
                    found._asdict()
                    | {"claim": found.claim.id}
                    | {name: [m._asdict() for m in getattr(found, name)] for name in lists}
                )
            else:
                _show_explained(found)
            return 0
        traces = sending_traces(settings.otel_url, Redactor(known_secrets(settings))) if settings.otel_url else None
        with traces or nullcontext():
            digest = refresh_night(wish, parts, index, pace=pace(store, settings))
        told = store.night(day)
        told_at = told.finished_at if told else None
        _write(render_digest(digest, "json" if as_json else format_name, told_at=told_at), out)
        unsent = sent_to.deliver(digest, store, clock)
    return code_of(digest) or (1 if unsent else 0)


@contextmanager
def _lab_watched(
    store: "Store", settings: "Settings", seeds_budget: int, *, debug: bool
) -> "Iterator[tuple[Lab, Callable[[Step], None]]]":
    """Reach or start the lab only where an experiment is undecided, and show how far those are."""
    from agent.refresh.seeds import undecided
    from agent.wiring import open_lab

    open_ = undecided(store.readable_experiments().experiments) if seeds_budget > 0 else []
    with open_lab(settings, wanted=bool(open_)) as lab, watching(store, open_, debug=debug) as watch:
        yield lab, watch


@contextmanager
def watching(store: "Store", open_: "Sequence[ExperimentView]", *, debug: bool) -> "Iterator[Callable[[Step], None]]":
    """Show how far experiments are while the night waits for them; with `debug`, also what every claim came to."""
    from agent.cli.watch import Watch

    ids = dict.fromkeys(view.spec.claim_id for view in open_ if view.spec.claim_id)
    names = {c.id: plain(c.text, 34) for c in store.readable_claims().claims if c.id in ids} if ids else {}
    with Watch(names, quiet_s=NIGHT_QUIET_S) if names else nullcontext() as watch:

        def tell(step: "Step") -> None:
            if step.progress is not None and watch is not None:
                watch(step)
            elif debug:
                _say(step)

        yield tell


def code_of(digest: "Digest") -> int:
    """Give the exit code of a night: 1 when something could not be done, 3 when nothing could be looked at."""
    if any(p.where in ("the mirror", "the store") for p in digest.problems):
        return 3
    return 1 if digest.problems else 0


def _write(text: str, out: Path | None) -> None:
    if out is None:
        sys.stdout.buffer.write(text.encode() if text.endswith("\n") else text.encode() + b"\n")
        return
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        half = out.with_suffix(out.suffix + ".part")
        half.write_bytes(text.encode())
        half.replace(out)
    except OSError as exc:
        raise InputError(f"cannot write {out}: {exc.strerror}; the digest is kept in the store") from exc


def _say(step: "Step") -> None:
    console(stderr=True).print(f"{step.claim_id}: {plain(step.message, 160)}")


def _show_explained(found: "Explained") -> None:
    out = console()
    out.print(plain(found.claim.text))
    out.print(f"{found.claim.id}: {found.verdict}. {plain(found.reason)}\n", soft_wrap=True)
    if found.could_not_match:
        out.print(f"could not match: {plain(found.could_not_match)}")
    for m in found.matches:
        _show_match(m)
    if found.beyond:
        out.print(f"behind the best {len(found.matches)}, judged on a night only where they are new:")
    for m in [*found.beyond, *found.unmatched]:
        _show_match(m)
    for id, why in found.not_counted.items():
        out.print(f"{id} did not count: {plain(why, 120)}")


def _show_match(m: "Match") -> None:
    out = console()
    place = f"{m.rank:>3}. score {m.score:6.1f}" if m.rank else "  not brought up by a match"
    sure = f" {m.confidence:.2f}" if m.confidence is not None else ""
    out.print(f"{place}  arXiv:{m.paper_id}  {m.stance}{sure}  {plain(m.title, 60)}", soft_wrap=True)
    if m.stance not in ("neutral", "not judged"):
        out.print(f"      {plain(m.why, 140)}", soft_wrap=True)
        if m.quote:
            out.print(f"      “{plain(m.quote, 220)}”", soft_wrap=True)


@click.command("due")
@click.option("--until", type=DAY, help="As for a refresh of this day. Default: today (UTC).")
@click.option(
    "--due-days", type=click.IntRange(1), default=30, show_default=True, help="Full match after so many days."
)
@json_option
@click.pass_context
def due(ctx: click.Context, until: Any, due_days: int, as_json: bool) -> int:
    """List the claims that the next refresh will go over, most urgent first, and why. Changes nothing."""
    set_up_logging(ctx.obj["debug"])
    from agent.refresh import plan_night
    from agent.settings import load_settings
    from agent.wiring import open_store
    from claims.clock import SystemClock

    day = until.date() if until else SystemClock().now().date()
    settings = load_settings()
    with open_store(settings) as store:
        plan = plan_night(store, day, due_days=due_days, seeds=settings.seeds)
    if as_json:
        print_json(_plan_document(plan))
        return 1 if plan.damaged else 0
    out = console()
    for one in plan.due:
        out.print(f"{one.claim.id}  {'; '.join(one.why)}")
        out.print(f"    {plain(one.claim.text, 104)}")
    for damaged in plan.damaged:
        out.print(plain(str(damaged)), soft_wrap=True)
    out.print(f"{len(plan.due)} due, {len(plan.done)} done for {day}, {len(plan.paused)} paused")
    return 1 if plan.damaged else 0


def _plan_document(plan: "NightPlan") -> dict[str, Any]:
    return {
        "due": [
            {
                "claim_id": one.claim.id,
                "why": list(one.why),
                "full": one.full,
                "refreshed_on": one.care.refreshed_on,
                "pinned": one.care.pinned,
            }
            for one in plan.due
        ],
        "done": plan.done,
        "paused": plan.paused,
        "damaged": [{"claim_id": one.claim_id, "why": one.why} for one in plan.damaged],
    }


@click.command("care")
@click.argument("claim", shell_complete=claim_ids)
@click.option("--pin/--unpin", "pinned", default=None, help="Go over it first, every night.")
@click.option("--pause/--resume", "paused", default=None, help="Do not refresh it.")
@click.option("--force/--no-force", "forced", default=None, help="Match it against every held paper, once.")
@json_option
@click.pass_context
def care(
    ctx: click.Context, claim: str, pinned: bool | None, paused: bool | None, forced: bool | None, as_json: bool
) -> int:
    """Pin, pause or force CLAIM (id or its beginning); without options: show how it is looked after."""
    set_up_logging(ctx.obj["debug"])
    from agent.settings import load_settings
    from agent.wiring import open_store
    from claims.store.nights import Care

    with open_store(load_settings()) as store:
        id = store.claim(claim).id
        if (pinned, paused, forced) == (None, None, None):
            now = store.care([id]).get(id) or Care(id)
        else:
            now = store.take_care(id, pinned=pinned, paused=paused, forced=forced)
    if as_json:
        print_json(now._asdict())
        return 0
    said = [word for word, on in (("pinned", now.pinned), ("paused", now.paused), ("forced", now.forced)) if on]
    console().print(f"{id}: {', '.join(said) or 'looked after as usual'}; last refreshed {now.refreshed_on or 'never'}")
    return 0
