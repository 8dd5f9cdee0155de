"""A claim as of a past day: what the verdict rule says on the evidence that is held now and was dated by then."""

from datetime import date

from agent.chat import parts
from agent.chat.say import Writer
from claims.dossier import Dossier, HeldVerdict
from claims.evidence import Evidence, PaperEvidence
from claims.report import phrases
from claims.report.view import MEANING, ClaimView, claim_view
from claims.verdict import VerdictKind, decide


def past_view(dossier: Dossier, day: date, number: int) -> ClaimView:
    """Draw a claim as of a past day; evidence, experiments and records of later days are left out."""
    evidence = tuple(e for e in dossier.evidence if _dated(e) <= day)
    superseded = tuple(e for e in dossier.superseded if _dated(e) <= day)
    current = dossier.current
    assert current is not None
    verdict = decide(dossier.claim, (*superseded, *evidence), day)
    held = HeldVerdict(id=f"{current.id}-{day}", verdict=verdict, recorded_at=current.recorded_at)
    then = {
        "evidence": evidence,
        "superseded": superseded,
        "history": (held,),
        "experiments": tuple(e for e in dossier.experiments if e.submitted_at.date() <= day),
    }
    return claim_view(dossier.model_copy(update=then), day, number)


def _dated(evidence: Evidence) -> date:
    return evidence.published.start if isinstance(evidence, PaperEvidence) else evidence.measured_on


def held_then(w: Writer, view: ClaimView, now: ClaimView, named: str) -> None:
    """Say what was held as of a past day: by the dates of the evidence, on record, and in contrast to now."""
    verdict, current = view.verdict, now.verdict
    assert verdict is not None
    assert current is not None
    day = verdict.as_of
    w.note(f"The claim: {parts.name(view)}.")
    if view.claim.asserted_on.start > day:
        w.note(
            f"It is dated {view.claim.asserted_on}, after the day that is asked about ({day}): it was not yet stated."
        )
    else:
        end = "" if named == str(day) else f" ({named})"
        head = f"Verdict as of {day}{end}, on the evidence that is held now and was dated by then: {verdict.kind}"
        if verdict.kind is VerdictKind.UNTESTED:
            w.note(f"{head}: {MEANING[verdict.kind]}.")
        else:
            sure = f", confidence {phrases.confidence(view)}"
            w.finding(f"{head}{sure}. {verdict.reason}", parts.behind(view))
    recorded = [h for h in now.dossier.history if h.recorded_at.date() <= day]
    if recorded:
        w.note(f"On record that day: {recorded[-1].verdict.kind}, recorded on {recorded[-1].recorded_at:%Y-%m-%d}.")
    elif now.dossier.history:
        w.note(
            f"Nothing was on record that day: its first verdict is of {now.dossier.history[0].recorded_at:%Y-%m-%d}."
        )
    w.finding(f"Now, as of {current.as_of}: {current.kind}, confidence {phrases.confidence(now)}.", parts.behind(now))
