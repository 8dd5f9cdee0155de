"""`retest claims add`: hold a claim that no inquiry document has."""

import click

from agent.cli.output import console, json_option, plain, print_json, set_up_logging


@click.group("claims")
def claims() -> None:
    """Add claims one by one; `retest import` and `retest run` read whole documents."""


@claims.command("add")
@click.argument("text")
@click.option("--asserted-on", required=True, help="When it was asserted: 2024, 2024-05, 2024-05-18 or 2023-2025.")
@click.option("--anchor", "anchors", multiple=True, help="arXiv id of a paper that it rests on; may be repeated.")
@json_option
@click.pass_context
def add(ctx: click.Context, text: str, asserted_on: str, anchors: tuple[str, ...], as_json: bool) -> int:
    """Hold the claim TEXT, one testable sentence. Adding it again changes nothing."""
    set_up_logging(ctx.obj["debug"])
    from agent.settings import load_settings
    from agent.wiring import open_store
    from claims.claim import stated_claim
    from claims.clock import SystemClock
    from claims.errors import NotHeld

    made = stated_claim(text, asserted_on, anchors, today=SystemClock().now().date())
    with open_store(load_settings()) as store:
        try:
            store.claim(made.id)
            new = False
        except NotHeld:
            new = True
        store.put_claim(made)
    if as_json:
        print_json(made.model_dump(mode="json") | {"new": new})
        return 0
    out = console()
    out.print(f"{made.id}  asserted {made.asserted_on}, family {made.scope.family or 'none'}", soft_wrap=True)
    out.print(f"    {plain(made.text)}", soft_wrap=True)
    next_step = "`retest refresh` looks for newer work on it, /retest in `retest chat` at once"
    out.print(f"held; {next_step}" if new else "was held before")
    return 0
