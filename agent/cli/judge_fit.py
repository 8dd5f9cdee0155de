"""`retest judge fit`: refit the local judge on the shipped labels plus what people said, and use it from then on."""

import time
from types import TracebackType
from typing import TYPE_CHECKING, Any

import click

from agent.cli.output import console, json_option, print_json, set_up_logging
from agent.cli.watch import QUIET_S
from claims.errors import InputError

if TYPE_CHECKING:
    from agent.judges.fit import Compared, Refit
    from agent.judges.refitted import Labels, Refitted
    from agent.settings import Settings
    from claims.clock import Clock
    from claims.store import Store


@click.command("fit")
@click.option("--by", "person", envvar="USER", help="Your name, kept with the refitted judge.")
@click.option("--reset", is_flag=True, help="Go back to the judge that ships, and judge what is held with it again.")
@click.option("--anyway", is_flag=True, help="Use the refit even where it did clearly worse on left-out claims.")
@json_option
@click.pass_context
def fit(ctx: click.Context, person: str | None, reset: bool, anyway: bool, as_json: bool) -> int:
    """Refit the local judge on the shipped labels plus people's stances, and judge what is held with it again.

    Prints how it did before and after on claims that were left out of the fit. A refit that gives the true stances of
    your claims clearly less probability than before is not used (exit code 1), unless you say --anyway.
    """
    set_up_logging(ctx.obj["debug"])
    from agent.judges import refitted
    from agent.settings import load_settings
    from agent.wiring import open_store
    from claims.clock import SystemClock

    settings, clock = load_settings(), SystemClock()
    with open_store(settings, clock) as store:
        if reset:
            was_there = refitted.reset(settings.home)
            with Telling() as tell:
                again = judge_again(store, settings, clock, tell)
            if as_json:
                print_json({"reset": was_there, **again})
            else:
                console().print("back to the judge that ships" if was_there else "the judge that ships is in use")
                show_again(again)
            return 0
        if not person or not person.strip():
            raise InputError("a refit is kept with the name of who made it: --by NAME")
        given = refitted.labels_of(store)
        with Telling() as tell:
            refit = fitted(given, tell)
        is_used = anyway or refit.compared[-1].told != "worse"
        made = refitted.bind(refit, given, by=" ".join(person.split()), at=clock.now())
        again = {}
        if is_used:
            refitted.save(made, settings.home)
            with Telling() as tell:
                again = judge_again(store, settings, clock, tell)
    if as_json:
        facts = made.model_dump(mode="json", exclude={"selector", "screen", "stance"})
        print_json({"used": is_used, "told": refit.compared[-1].told, "n_changed": given.n_changed, **facts, **again})
    else:
        show(made, given, is_used=is_used)
        show_again(again)
    return 0 if is_used else 1


class Telling:
    """Says on stderr how far it is: in one line that changes on a terminal, now and then where there is none."""

    def __init__(self) -> None:
        self._console = console(stderr=True)
        self._status = self._console.status("") if self._console.is_terminal else None
        self._last_print = -QUIET_S

    def __enter__(self) -> "Telling":
        if self._status:
            self._status.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._status:
            self._status.stop()

    def __call__(self, told: str) -> None:
        """Show one step."""
        if self._status:
            self._status.update(told)
        elif time.monotonic() - self._last_print >= QUIET_S:
            self._last_print = time.monotonic()
            self._console.print(told)


def fitted(given: "Labels", tell: Telling) -> "Refit":
    """Fit, or say what is missing. Raises InputError."""
    from agent.judges.fit import check_enough, refit

    check_enough(given.labels)
    return refit(given.labels, tell=tell)


def judge_again(store: "Store", settings: "Settings", clock: "Clock", tell: Telling) -> dict[str, Any]:
    """Judge with the judge in use now what the local judge had judged otherwise, and decide those claims anew."""
    from agent.graph.parts import Parts
    from agent.graph.weigh import weigh
    from agent.judges.refitted import machine_judged
    from agent.wiring import open_judge
    from claims.verdict import decide

    parts = Parts(store=store, sources={}, judge=open_judge("local", settings), clock=clock)
    n_judged = 0
    changed: dict[str, dict[str, str]] = {}
    claims = store.claims()
    for at, claim in enumerate(claims, 1):
        tell(f"judging again what is held: claim {at} of {len(claims)}, {n_judged} pairs so far")
        held = machine_judged(store, claim.id)
        n = weigh({"claim_id": claim.id, "paper_ids": held}, parts).get("n_judged", 0) if held else 0
        if not n:
            continue
        assert isinstance(n, int)
        n_judged += n
        before = store.verdicts(claim.id)
        verdict = decide(claim, store.evidence(claim.id, superseded=True), clock.now().date())
        store.record_verdict(verdict)
        was = before[-1].verdict.kind.value if before else "undecided"
        if was != verdict.kind.value:
            changed[claim.id] = {"was": was, "is": verdict.kind.value}
    return {"judge": parts.judge.ref.version, "n_judged_again": n_judged, "verdicts_changed": changed}


def show(made: "Refitted", given: "Labels", *, is_used: bool) -> None:
    """Print what was fitted on what, and how it did before and after."""
    out = console()
    out.print(f"{made.n_labels} stances of {', '.join(made.persons)}, beside the labels that ship")
    if given.n_changed:
        out.print(f"{given.n_changed} more were left out: the paper's text was rewritten since")
    out.print(f"\n{'on claims left out of the fit':<40} {'macro-F1':>9}  95 % interval {'loss':>6}  right calls")
    for one in made.compared:
        out.print(line(one, "before"))
        out.print(line(one, "after"))
    out.print(f"\non your claims: {made.compared[-1].told}" if made.compared else "")
    out.print("loss: mean -ln of the probability given to the true stance; less is better, 1.39 is a blind guess")
    limits = ", ".join(f"{s.value} {'never' if t > 1 else f'{t:.2f}'}" for s, t in made.thresholds.items() if t)
    out.print(f"calls a stance from: {limits}")
    if is_used:
        out.print(f"\nin use: {made.version}, fitted by {made.fitted_by}; `retest judge fit --reset` goes back")
    else:
        out.print("\nnot used: it did worse on your claims; more labels may help, `--anyway` uses it as it is")


def line(one: "Compared", when: str) -> str:
    """Write one row of the comparison."""
    figures, calls, loss = (
        (one.before, one.calls_before, one.loss_before)
        if when == "before"
        else (one.after, one.calls_after, one.loss_after)
    )
    low, high = figures.macro_f1_interval or (float("nan"), float("nan"))
    what = f"{one.on} ({one.n_claims}), {figures.n} pairs, {when}"
    right = f"{calls.called_correct} of {calls.called}"
    return f"{what:<40} {figures.macro_f1:>9.2f}  [{low:.2f}, {high:.2f}]  {loss:>6.3f}  {right}"


def show_again(again: dict[str, Any]) -> None:
    """Print what was judged anew and which verdicts that changed."""
    if not again:
        return
    out = console()
    out.print(f"{again['n_judged_again']} pairs judged again with {again['judge']}")
    for claim_id, kinds in again["verdicts_changed"].items():
        out.print(f"{claim_id} was {kinds['was']}, is {kinds['is']}", soft_wrap=True)
