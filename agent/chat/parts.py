"""The parts that answers are made of: one function for each thing that can be asked, over one claim."""

from datetime import date

from agent.chat.say import Writer, short
from claims.claim import Scale
from claims.dates import StatedDate
from claims.evidence import Assessment, Evidence, ExperimentEvidence, JudgeName, JudgeRef, PaperEvidence, Quote, Stance
from claims.experiment import ExperimentView
from claims.paper import Source, TextField
from claims.report import experiments, numbers, phrases
from claims.report.view import MEANING, ClaimView, Row
from claims.verdict import Verdict, VerdictKind, decide

STALE_DAYS = 30
"""Days after which a verdict's age is said."""

MOST_IMAGINED = 8
"""Papers that are imagined to find what would change a verdict."""

MAX_ROWS = 5
"""Papers that one part names."""


def name(view: ClaimView) -> str:
    """Name a claim by its sentence and id."""
    return f"“{short(view.claim.text, 260)}” ({view.claim.id}, asserted {view.claim.asserted_on})"


def order(view: ClaimView, action: str) -> str:
    """Give the order for an action on a claim, as it is said to the conversation and to `retest ask`."""
    return f"/{action} {view.claim.id}"


def behind(view: ClaimView) -> list[Row]:
    """Give the evidence that the current verdict rests on: what changed it first, then what else counted."""
    verdict = view.verdict
    if verdict is None:
        return []
    by_id = {row.evidence.id: row for row in view.rows}
    ids = [*verdict.changed_by, *verdict.against, *verdict.qualifying, *verdict.support]
    return [by_id[id] for id in dict.fromkeys(ids) if id in by_id]


def holds(w: Writer, view: ClaimView, today: date) -> None:
    """Say whether the claim still holds, how sure that is, and what was not looked at."""
    w.note(f"The claim: {name(view)}.")
    verdict = view.verdict
    if verdict is None:
        w.note(f"It was never decided: no pass over newer work is on record. `{order(view, 'retest')}` makes one.")
        return
    if verdict.kind is VerdictKind.UNTESTED:
        w.note(f"Verdict: untested as of {verdict.as_of}: {MEANING[verdict.kind]}. That is not the same as refuted.")
    else:
        w.finding(
            f"Verdict: {verdict.kind} as of {verdict.as_of}, confidence {phrases.confidence(view)}. {verdict.reason}",
            behind(view),
        )
    if phrases.durable(view) != verdict.durable:
        w.note(phrases.durable(view))
    elif verdict.durable and verdict.perishable:
        w.note(
            f"Durable part: {short(verdict.durable, 260)} What ages first: {short('; '.join(verdict.perishable), 160)}."
        )
    if verdict.rests_on_unsure:
        w.finding(
            "Stances that the judge was not sure of could change this verdict; these are the ones to read first.",
            view.read_first,
        )
    unlooked(w, view)
    if (today - verdict.as_of).days > STALE_DAYS:
        w.note(f"The verdict looked at nothing after {verdict.as_of}, {(today - verdict.as_of).days} days ago.")


def unlooked(w: Writer, view: ClaimView) -> None:
    """Say which places could not be asked, once each, and how many papers could not be judged."""
    for place, why in dict.fromkeys((s.source.value, s.could_not_look or "") for s in view.failed_searches):
        w.note(f"Could not look in {place}: {short(why, 160)}.")
    if view.not_judged:
        w.note(f"{view.not_judged[:1].upper()}{view.not_judged[1:]}.")


def since(w: Writer, view: ClaimView, *, is_past: bool = False) -> None:
    """Say from which day the evidence gives this verdict, and since when it is on record; of a past day not that."""
    if view.verdict is None:
        return
    if view.since is not None:
        text = f"On the evidence held now it has had the verdict “{view.verdict.kind}” since {view.since_dated}."
        _dated_by(w, text, behind(view), view.since)
        for step in reversed(view.path[:-1][-3:]):
            if step.kind is VerdictKind.UNTESTED and step is view.path[0]:
                w.note(f"Before that it was untested, from its own date ({step.dated}) on.")
            else:
                _dated_by(w, f"Before that it was “{step.kind}”, from {step.dated} on.", behind(view), step.on)
    elif view.verdict.kind is VerdictKind.UNTESTED:
        w.note(f"Since it was asserted ({view.claim.asserted_on}): nothing newer that is held takes a stand.")
    else:
        w.note("The evidence held now gives no day from which this verdict follows; the next pass decides it again.")
    if not is_past:
        w.note(f"On record: {phrases.record(view)}.")


def _dated_by(w: Writer, text: str, rows: list[Row], day: date) -> None:
    """Say something with the evidence that was dated by then: later work is no ground of an earlier verdict."""
    ground = [row for row in rows if row.on <= day]
    if ground:
        w.finding(text, ground)
    else:
        w.note(text)


def changed(w: Writer, view: ClaimView) -> None:
    """Say what changed the verdict."""
    if view.verdict is None:
        return
    if not view.changed_by and not view.outweighed:
        nothing = phrases.unmoved(view)
        w.note(f"What changed it: {nothing[:1].lower()}{nothing[1:]}")
    w.finding(phrases.unmoved(view), view.outweighed)
    rows = view.changed_by or view.outweighed
    for row in rows[:MAX_ROWS]:
        w.evidence_line(row, about="Changed by: " if view.changed_by else "")
    if len(rows) > MAX_ROWS:
        w.note(f"And {len(rows) - MAX_ROWS} more; `{order(view, 'show')}` lists them.")


def experiment(w: Writer, view: ClaimView) -> None:
    """Say what our own experiments say and how sure they are; where there is none, why."""
    views = {e.id: e for e in view.dossier.experiments}
    rows = [r for r in view.rows if isinstance(r.evidence, ExperimentEvidence)]
    for row in rows:
        w.evidence_line(row)
        assert isinstance(row.evidence, ExperimentEvidence)
        shown = views.pop(row.evidence.experiment_id, None)
        if row.evidence.estimate:
            sure = row.evidence.estimate
            w.finding(
                f"How sure: the {numbers.coverage(sure.alpha)} interval is valid however often one looked; the "
                f"smallest effect of interest was set to {sure.smallest_effect:g} beforehand; "
                f"n = {numbers.count(sure.n_seeds, 'seed')}.",
                [row],
            )
        if shown is not None:
            _controls(w, shown, row)
        if row.evidence.scope.scale is Scale.TOY and view.claim.scope.scale is not Scale.TOY:
            w.note("It ran on toy models: it can corroborate or contest, and alone overturns nothing about large ones.")
    for waiting in views.values():
        w.note(f"Experiment {waiting.id} ({waiting.spec.protocol}, {waiting.spec.profile}) is {waiting.state.value}.")
    if not rows and not views:
        why = view.dossier.no_experiment_because or "none was asked for yet"
        w.note(
            f"No experiment of ours is held for this claim: {short(why, 200)}. `{order(view, 'experiment')}` runs one."
        )


def _controls(w: Writer, shown: ExperimentView, row: Row) -> None:
    result = shown.result
    if result is None:
        return
    said = {True: "passed", False: "FAILED", None: "undecided"}
    if result.controls:
        told = "; ".join(f"{c.kind} control {c.name}: {said[c.passed]}" for c in result.controls)
        w.finding(f"Its checks: {short(told, 300)}.", [row])
    if result.secondary:
        w.finding(f"Beside it: {'; '.join(experiments.secondary(result))} ({experiments.BESIDE}).", [row])
    differs = experiments.departures(shown)
    if differs:
        w.note(f"{shown.id} {differs}.")
    if result.outcome.value == "inconclusive" and result.seeds_to_decide:
        registered = shown.preregistration
        takes = experiments.seeds_needed(registered.smallest_effect, result.seeds_to_decide, registered.max_seeds)
        w.note(f"It is undecided: {takes}.")


def untested(w: Writer, view: ClaimView) -> None:
    """Say what about the claim nobody has tested, as far as is held."""
    verdict = view.verdict
    w.note(f"The claim: {name(view)}.")
    if verdict is None or verdict.kind is VerdictKind.UNTESTED:
        w.note("Untested as a whole: nothing newer that is held takes a stand.")
    ours = [r for r in view.rows if isinstance(r.evidence, ExperimentEvidence)]
    decided = [r for r in ours if r.stance is not Stance.NEUTRAL]
    if not ours:
        w.note(f"No experiment of ours: {short(view.dossier.no_experiment_because or 'none was asked for', 160)}.")
    elif not decided:
        w.finding("Our own experiment has not decided it.", ours)
    if decided and not any(_covers(r, view) for r in decided):
        w.finding(f"Nothing of ours was run at the scale of the claim ({view.claim.scope.scale}).", decided)
    if verdict and verdict.perishable:
        w.note(f"Its particulars are not tested one by one: {short('; '.join(verdict.perishable), 200)}.")
    unsure = [r for r in view.rows if r.unsure]
    if unsure:
        w.finding(f"{numbers.count(len(unsure), 'paper')} may bear on it, and the judge was not sure.", unsure)
    unlooked(w, view)


def _covers(row: Row, view: ClaimView) -> bool:
    return isinstance(row.evidence, ExperimentEvidence) and row.evidence.scope.covers(view.claim.scope)


def mind(w: Writer, view: ClaimView) -> None:
    """Say what would change the verdict: tried out on the verdict rule itself."""
    verdict = view.verdict
    if verdict is None:
        w.note("There is no verdict to change yet; any newer evidence decides it.")
        return
    w.note(f"The verdict is {verdict.kind} as of {verdict.as_of}. Tried out on the verdict rule:")
    for stance, what in (
        (Stance.CONTRADICTS, "contradict it"),
        (Stance.QUALIFIES, "narrow it"),
        (Stance.SUPPORTS, "support it"),
    ):
        found = tipping(view, verdict, stance)
        if found is not None:
            n, kind = found
            papers = numbers.count(n, "more independent paper")
            w.note(f"- {papers} found to {what}, at about 80 % each, would make it {kind}.")
        if stance is Stance.CONTRADICTS and found and found[1] is not VerdictKind.OVERTURNED:
            fall = tipping(view, verdict, stance, into=VerdictKind.OVERTURNED)
            far = f"{fall[0]} of them would" if fall else f"Not even {MOST_IMAGINED} of them would"
            w.note(f"- {far} make it overturned.")
    if view.read_first:
        w.finding("Sooner than that: a person's word on the stances that the judge was not sure of.", view.read_first)
    if not any(isinstance(r.evidence, ExperimentEvidence) for r in view.rows):
        w.note(f"An experiment of ours would add to either side; none is held. `{order(view, 'experiment')}` runs one.")


def tipping(
    view: ClaimView, verdict: Verdict, stance: Stance, into: VerdictKind | None = None
) -> tuple[int, VerdictKind] | None:
    """Find how many imagined independent papers of one stance give another verdict, or that one, and which.

    None when `MOST_IMAGINED` do not.
    """
    held: list[Evidence] = [*view.dossier.superseded, *view.dossier.evidence]
    for n in range(1, MOST_IMAGINED + 1):
        held.append(_imagined(view, verdict.as_of, stance, n))
        kind = decide(view.claim, held, verdict.as_of).kind
        if kind is not verdict.kind and into in (None, kind):
            return n, kind
    return None


def _imagined(view: ClaimView, on: date, stance: Stance, n: int) -> PaperEvidence:
    """Make a paper that is never shown: it only asks the rule what it would do."""
    assert view.held is not None
    return PaperEvidence(
        claim_id=view.claim.id,
        paper_id=f"9912.{n:05d}",
        paper_digest=f"imagined-{n}",
        published=StatedDate.day(on),
        authors=(f"Nobody Imagined{'abcdefghijkl'[n]}",),
        source=Source.MIRROR,
        assessment=Assessment(
            stance=stance,
            confidence=0.8,
            quotes=(Quote(field=TextField.ABSTRACT, start=0, text="imagined"),),
            judge=JudgeRef(name=JudgeName.LOCAL, version="imagined"),
        ),
        judged_at=view.held.recorded_at,
    )
