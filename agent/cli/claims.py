"""`retest claims add`: hold a claim that no inquiry document has."""

from typing import TYPE_CHECKING

import click

from agent.cli.output import console, json_option, plain, print_json, set_up_logging
from claims.errors import InputError

if TYPE_CHECKING:
    from claims.claim import Claim

MAX_TEXT = 2000
"""Characters of a claim."""


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
    from claims.errors import NotHeld

    made = make_claim(text, asserted_on, anchors)
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
    out.print("held; /retest in `retest chat` searches for newer work on it" if new else "was held before")
    return 0


def make_claim(text: str, asserted_on: str, anchors: tuple[str, ...]) -> "Claim":
    """Read a claim as an inquiry's line would be read. Raises InputError, MalformedDate, MalformedId."""
    from claims.claim import Anchor, Claim, Scale, Scope
    from claims.dates import StatedDate
    from claims.family import family_of, scale_of
    from claims.ids import ArxivId, claim_slug

    folded = " ".join(text.split())
    if not any(c.isalpha() for c in folded):
        raise InputError("the claim is empty: give one testable sentence")
    if len(folded) > MAX_TEXT:
        raise InputError(f"the claim has {len(folded):,} characters; one testable sentence has at most {MAX_TEXT:,}")
    stated = StatedDate.parse(asserted_on)
    ids = [ArxivId.parse(a) for a in anchors]
    scale = scale_of(folded)
    return Claim(
        id=claim_slug(folded, str(stated)),
        text=folded,
        asserted_on=stated,
        anchors=tuple(Anchor(arxiv_id=i.base, stated_version=i.version) for i in dict.fromkeys(ids)),
        scope=Scope(family=family_of(folded), scale=Scale(scale) if scale else Scale.LARGE),
    )
