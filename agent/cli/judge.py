"""`retest judge`: a person weighs the pairs that the local judge is least sure of, and it is refitted on them."""

from typing import TYPE_CHECKING

import click

from agent.cli.completion import claim_ids
from agent.cli.judge_fit import fit
from agent.cli.output import console, json_option, plain, print_json, set_up_logging
from claims.errors import InputError

if TYPE_CHECKING:
    from agent.judges.person import Question
    from claims.claim import Claim
    from claims.dossier import HeldVerdict
    from claims.store import Store
    from claims.verdict import Verdict


class ClaimOrFit(click.Group):
    """Takes `judge CLAIM`, whatever the claim is called, and `judge fit`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read `fit` as the command it is, wherever options stand, and anything else as a claim."""
        fits = [at for at, word in enumerate(args) if word == "fit" and (at == 0 or args[at - 1] not in _WITH_VALUE)]
        if fits:
            args = ["fit", *args[: fits[0]], *args[fits[0] + 1 :]]
        elif not args or args[0] not in (*self.commands, *ctx.help_option_names):
            args = [WEIGH, *args]
        return super().parse_args(ctx, args)


class OnClaim(click.Command):
    """The command that `retest judge CLAIM` is."""

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        """Leave out the argument, which stands in the command's name."""
        return ["[OPTIONS]"]


_WITH_VALUE = ("--by", "--limit")
"""Options whose value may be the word `fit`."""
WEIGH = "CLAIM"
"""What the command that takes a claim is called in `--help`; `retest judge CLAIM` is its usage."""


@click.group(
    "judge",
    cls=ClaimOrFit,
    subcommand_metavar="CLAIM | fit [OPTIONS]",
    epilog="A claim is named by its id or the beginning of it.",
)
def judge() -> None:
    """Weigh what the local judge is unsure of, and refit it on what people said."""


judge.add_command(fit)


@judge.command(WEIGH, cls=OnClaim)
@click.argument("claim", metavar="CLAIM", shell_complete=claim_ids)
@click.option("--by", "person", envvar="USER", help="Your name, stored with every stance.")
@click.option("--limit", type=click.IntRange(1, 500), default=20, show_default=True, help="Pairs to show.")
@click.option("--again", is_flag=True, help="Show the pairs that you weighed before, the newest first.")
@json_option
@click.pass_context
def weigh(ctx: click.Context, claim: str, person: str | None, limit: int, again: bool, as_json: bool) -> int:
    """Weigh papers on CLAIM yourself: the pairs whose answer would tell most come first.

    Your stance is stored at once with your name, the date, your reason and the words it rests on, and outranks every
    other judge. Keys: s supports, c contradicts, q qualifies, n neutral, u takes the last one back (as far as the
    sitting goes), x ends, any other key skips. Without a terminal each key is a line, which may name the words: `c 2`
    rests on the second sentence. What you take back or say anew stays in the history.
    """
    set_up_logging(ctx.obj["debug"])
    from agent.cli.judge_ask import Sitting, ask_all, left_in_order
    from agent.settings import load_settings
    from agent.wiring import open_store
    from claims.clock import SystemClock
    from claims.verdict import decide

    person = " ".join((person or "").split())
    if not person:
        raise InputError("a person's stance needs the person's name: --by NAME")
    clock = SystemClock()
    with open_store(load_settings(), clock) as store, left_in_order():
        held = store.claim(claim)
        questions = questions_for(held, store, limit, again_by=person if again else None)
        before = store.dossier(held.id).current
        sitting = Sitting(held, person, store, clock)
        console(stderr=True).print(plain(held.text))
        try:
            ask_all(sitting, questions)
        finally:
            evidence = store.evidence(held.id, superseded=True)
            verdict = decide(held, evidence, clock.now().date())
            # Also without an answer: a sitting that was killed may have left its verdict to this one.
            if sitting.given or (evidence and is_other(verdict, before)):
                store.record_verdict(verdict)
            if not as_json:
                was = before.verdict.kind.value if before else "undecided"
                told = f"{len(sitting.given)} of {len(questions)} weighed; {held.id} was {was}, is {verdict.kind.value}"
                console().print(told)
    if as_json:
        print_json(
            {
                "claim_id": held.id,
                "asked": len(questions),
                "given": [e.model_dump(mode="json") for e in sitting.given],
                "verdict": verdict.model_dump(mode="json"),
            }
        )
    return 0


def is_other(verdict: "Verdict", before: "HeldVerdict | None") -> bool:
    """Tell whether a verdict rests on other evidence than the one on record: only then is it a new one."""
    held = before.verdict if before else None
    return held is None or (held.kind, held.evidence_digest) != (verdict.kind, verdict.evidence_digest)


def questions_for(claim: "Claim", store: "Store", limit: int, *, again_by: str | None = None) -> "list[Question]":
    """Give the pairs to show: judged by a machine, not yet by a person, the most telling first.

    again_by: give the pairs instead that this person weighed, the newest first.
    """
    from agent.judges.person import weighed_by, worth_asking

    judged = [e for e in store.evidence(claim.id) if e.kind == "paper" and not e.withdrawn]
    papers = store.papers(e.paper_id for e in judged)
    kept = [e for e in judged if e.paper_id in papers]
    shown, said = [papers[e.paper_id] for e in kept], [e.assessment for e in kept]
    if again_by is not None:
        return weighed_by(again_by, shown, said)[::-1][:limit]
    return worth_asking(shown, said, limit=limit)
