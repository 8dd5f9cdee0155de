"""The readings that ship with the starter library, as stances on claims of their family.

A reading was given by the maintainers for a family of claims in its direction, not for one wording (`claims.family`
gives no family to a claim that denies it): it outranks the local judge and nobody else. Its ground is a sentence of our
own `finding`, which every report shows as ours and never as the paper's words.
"""

from functools import lru_cache

from claims.claim import Claim
from claims.evidence import Assessment, JudgeName, JudgeRef, Quote, Stance
from claims.library import READ_BY, READ_ON, Reading, readings
from claims.paper import Paper, TextField

REF = JudgeRef(name=JudgeName.LIBRARY, version=f"{READ_BY}, {READ_ON.isoformat()}")


@lru_cache(maxsize=1)
def _by_paper() -> dict[str, list[Reading]]:
    found: dict[str, list[Reading]] = {}
    for reading in readings():
        found.setdefault(reading.paper_id, []).append(reading)
    return found


def library_reading(claim: Claim, paper: Paper) -> Assessment | None:
    """Give the shipped reading of a paper on a claim; None when there is none, or the paper's finding is not held."""
    for reading in _by_paper().get(paper.id, ()):
        text = paper.text_of(TextField.FINDING)
        if reading.family != claim.scope.family or reading.quote_end > len(text):
            continue
        quote = Quote.cut(paper, TextField.FINDING, reading.quote_start, reading.quote_end)
        return Assessment(
            stance=reading.stance,
            confidence=reading.confidence,
            quotes=() if reading.stance is Stance.NEUTRAL else (quote,),
            explanation=f"read for the family {reading.family} by {READ_BY} on {READ_ON}: {reading.because}",
            judge=REF,
        )
    return None
