"""How a verdict would have read on earlier days, on the evidence held now."""

from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

from claims.claim import Claim
from claims.dates import StatedDate
from claims.evidence import Evidence, PaperEvidence, Stance
from claims.verdict import VerdictKind, decide


class Step(NamedTuple):
    """From this day on, the verdict is this kind."""

    on: date
    """the first day that its ground may be dated"""
    kind: VerdictKind
    dated: str
    """the date as exactly as it is known: `2025-01` where that is all that the papers give"""


def steps(claim: Claim, evidence: Sequence[Evidence], as_of: date) -> tuple[Step, ...]:
    """Give every change of the verdict up to `as_of`, oldest first; it begins untested on the claim's own last day."""
    standing = [e for e in evidence if takes_a_stand(e)]
    spoken_of = {e.paper_id for e in standing if isinstance(e, PaperEvidence)}
    # A neutral word of a better judge on the same paper silences it; every other neutral one changes nothing.
    heard = [e for e in evidence if not isinstance(e, PaperEvidence) or e.paper_id in spoken_of]
    dates: dict[date, StatedDate] = {}
    for e in heard:
        stated = _dated(e)
        dates[stated.start] = max(stated, dates.get(stated.start, stated), key=lambda known: known.end)
    out = [Step(min(claim.asserted_on.end, as_of), VerdictKind.UNTESTED, str(claim.asserted_on))]
    for day in sorted(d for d in dates if claim.asserted_on.end < d <= as_of):
        kind = decide(claim, heard, day).kind
        if kind is not out[-1].kind:
            out.append(Step(day, kind, str(dates[day])))
    return tuple(out)


def _dated(evidence: Evidence) -> StatedDate:
    """Give the day from which it counts, as exactly as it is known."""
    if not isinstance(evidence, PaperEvidence):
        return StatedDate.day(evidence.measured_on)
    published, day = evidence.published, evidence.counts_from
    return published if day == published.start else StatedDate.day(day)


def takes_a_stand(evidence: Evidence) -> bool:
    """Tell whether evidence is not merely neutral; an outcome of an experiment always speaks."""
    return not isinstance(evidence, PaperEvidence) or evidence.stance is not Stance.NEUTRAL
