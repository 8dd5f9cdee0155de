"""`retest service`: nights by a schedule, shared by all processes that have the same database."""

import logging
import sys
from typing import TYPE_CHECKING, Any, NoReturn

import click

from agent.cli.output import console, json_option, print_json
from agent.cli.refresh import code_of
from claims.errors import InputError

if TYPE_CHECKING:
    from agent.service.service import Service

DAY = click.DateTime(["%Y-%m-%d"])


@click.command("service")
@click.option("--once", is_flag=True, help="Do one night together with the others that run, print its digest, and end.")
@click.option("--until", type=DAY, help="With --once: papers and verdicts up to this day. Default: today (UTC).")
@click.option("--max-claims", type=click.IntRange(0), help="Go over at most so many claims a night.")
@click.option("--judge", default="local", show_default=True, help="local, nli or llm.")
@click.option("--no-harvest", is_flag=True, help="Ask arXiv nothing; use what the mirror holds.")
@click.option("--no-lab", is_flag=True, help="Add no seeds to undecided experiments.")
@click.option(
    "--due-days", type=click.IntRange(1), default=30, show_default=True, help="Full match after so many days."
)
@json_option
@click.pass_context
def service(
    ctx: click.Context,
    once: bool,
    until: Any,
    max_claims: int | None,
    judge: str,
    no_harvest: bool,
    no_lab: bool,
    due_days: int,
    as_json: bool,
) -> int:
    """Refresh every night by RETEST_REFRESH_CRON, until it is stopped.

    Start it as often as you like, on machines that share a PostgreSQL (RETEST_DATABASE_URL) or several times on one:
    they share each night, and take over from one that dies. A missed night is made up for at the start.
    """
    from agent.observe.logs import set_up_logs
    from agent.service.desk import Order
    from agent.service.service import serving
    from agent.settings import load_settings
    from claims.clock import SystemClock
    from claims.report.digest import render_digest

    settings, clock = load_settings(), SystemClock()
    set_up_logs(settings, debug=ctx.obj["debug"])
    if until and not once:
        raise InputError("--until names one night: give it together with --once")
    day = until.date() if until else clock.now().date()
    if day > clock.now().date():
        raise InputError(f"--until {day} is in the future: what comes by then is not known")
    order = Order(
        until=day,
        judge=judge,
        max_claims=max_claims,
        due_days=due_days,
        seeds_budget=0 if no_lab else settings.seeds,
        harvest=not no_harvest,
    )
    if once:
        # The port is the service's own, which may run beside this.
        settings = settings.model_copy(update={"metrics_port": None})
    with serving(settings, clock, order) as made:
        if not once:
            _follow(made, as_json)
        digest = made.queue.wait(made.queue.call(order))
        click.echo(render_digest(digest, "json" if as_json else "md"), nl=False)
        return code_of(digest)


def _follow(made: "Service", as_json: bool) -> NoReturn:
    import os
    import signal
    import threading

    made_up = made.follow()
    table = made.timetable
    due_at = table.next_after(made.clock.now())
    if as_json:
        print_json({"cron": table.cron, "time_zone": table.zone, "next_at": due_at, "making_up": made_up})
    else:
        missed = "; a night was missed and is made up for now" if made_up else ""
        console().print(f"nights by {table.cron!r} in {table.zone}; next {due_at:%Y-%m-%d %H:%M}Z{missed}")
    sys.stdout.flush()
    stopped = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: stopped.set())
    stopped.wait()
    # Claims in hand may take long, and stopping is no different from dying: the others take over, or the next life.
    made.flush()
    logging.getLogger(__name__).warning("stopped; what was finished is kept, and the rest is taken over")
    os._exit(0)
