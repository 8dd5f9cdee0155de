"""`retest judge`: a person weighs the pairs that the local judge is least sure of, and it is refitted on them."""

import sys
from typing import TYPE_CHECKING

import click

from agent.cli.completion import claim_ids
from agent.cli.judge_fit import fit
from agent.cli.output import console, json_option, plain, print_json, set_up_logging
from claims.errors import InputError

if TYPE_CHECKING:
    from agent.judges.person import Question
    from claims.claim import Claim
    from claims.clock import Clock
    from claims.evidence import PaperEvidence
    from claims.store import Store

HELP = "s supports · c contradicts · q qualifies · n neutral · u undo the last · any other key skips · x ends"


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
@json_option
@click.pass_context
def weigh(ctx: click.Context, claim: str, person: str | None, limit: int, as_json: bool) -> int:
    """Weigh papers on CLAIM yourself: the pairs whose answer would tell most come first.

    Your stance is stored with your name, the date and your reason, and outranks every other judge. Keys: s supports,
    c contradicts, q qualifies, n neutral, u undo, x end, any other key skips.
    """
    set_up_logging(ctx.obj["debug"])
    from agent.settings import load_settings
    from agent.wiring import open_store
    from claims.clock import SystemClock
    from claims.verdict import decide

    if not person or not person.strip():
        raise InputError("a person's stance needs the person's name: --by NAME")
    clock = SystemClock()
    with open_store(load_settings(), clock) as store:
        held = store.claim(claim)
        questions = questions_for(held, store, limit)
        given = ask_all(held, questions, person, store, clock)
        before = store.dossier(held.id).current
        verdict = decide(held, store.evidence(held.id, superseded=True), clock.now().date())
        if given:
            store.record_verdict(verdict)
    if as_json:
        print_json(
            {
                "claim_id": held.id,
                "asked": len(questions),
                "given": [e.model_dump(mode="json") for e in given],
                "verdict": verdict.model_dump(mode="json"),
            }
        )
        return 0
    was = before.verdict.kind.value if before else "undecided"
    console().print(f"{len(given)} of {len(questions)} weighed; {held.id} was {was}, is {verdict.kind.value}")
    return 0


def questions_for(claim: "Claim", store: "Store", limit: int) -> "list[Question]":
    """Give the pairs to show: judged by a machine, not yet by a person, the most telling first."""
    from agent.judges.person import worth_asking

    judged = [e for e in store.evidence(claim.id) if e.kind == "paper" and not e.withdrawn]
    papers = store.papers(e.paper_id for e in judged)
    kept = [e for e in judged if e.paper_id in papers]
    return worth_asking([papers[e.paper_id] for e in kept], [e.assessment for e in kept], limit=limit)


def ask_all(
    claim: "Claim", questions: "list[Question]", person: str, store: "Store", clock: "Clock"
) -> "list[PaperEvidence]":
    """Show the pairs one by one.

    An answer is stored when the next one is given or at the end: the last one can be undone, and no more is ever lost.
    """
    from agent.judges.person import KEYS, answer
    from claims.evidence import PaperEvidence

    err = console(stderr=True)
    err.print(f"{plain(claim.text)}\n{HELP}\n")
    given: list[PaperEvidence] = []
    at = 0
    undo_to: int | None = None
    while at < len(questions):
        question = questions[at]
        show_question(question, at + 1, len(questions))
        key = read_key()
        if key in ("x", ""):
            break
        if key == "u":
            if undo_to is None:
                err.print("nothing to undo")
            else:
                given.pop()
                at, undo_to = undo_to, None
            continue
        if key in KEYS:
            reason = read_line("why (may be empty): ")
            assessment = answer(
                question.paper,
                KEYS[key],
                person=person,
                reason=reason,
                on=clock.now().date(),
                proposed=question.proposed,
            )
            store.add_evidence(given[-1:])
            given.append(PaperEvidence.of(claim.id, question.paper, assessment, clock.now()))
            undo_to = at
        at += 1
    store.add_evidence(given[-1:])
    return given


def show_question(question: "Question", number: int, of: int) -> None:
    """Print one pair: what the judge says, the words it rests on, the text."""
    err = console(stderr=True)
    paper, proposed = question.paper, question.proposed
    said = proposed.leaning or proposed.stance
    err.print(f"[{number}/{of}] arXiv:{paper.id} {paper.published}  {plain(paper.title)}", soft_wrap=True)
    err.print(f"    {proposed.judge.name.value} judge: {said.value}{' (unsure)' if proposed.unsure else ''}")
    for quote in proposed.quotes:
        err.print(f"    “{plain(quote.text)}”", soft_wrap=True)
    err.print(f"    {plain(paper.abstract or paper.finding or 'no text held')}\n", soft_wrap=True)


def read_key() -> str:
    """Read one key; without a terminal, the first character of a line. Empty at the end of the input."""
    if sys.stdin.isatty():
        return click.getchar().lower()
    line = sys.stdin.readline()
    return (line.strip() or "-")[0].lower() if line else ""


def read_line(question: str) -> str:
    """Read one line from a person; empty at the end of the input."""
    if sys.stdin.isatty():
        return str(click.prompt(question, default="", show_default=False, prompt_suffix="", err=True))
    return sys.stdin.readline().strip()
