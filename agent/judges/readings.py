"""The readings that ship with the starter library, as stances on claims of their family.

A reading was given by the maintainers for a family of claims in its direction, not for one wording (`claims.family`
gives no family to a claim that denies it): it outranks the local judge and nobody else. Its ground is a sentence of our
own `finding`, which every report shows as ours and never as the paper's words.
"""

from functools import lru_cache

from claims.claim import Claim
from claims.evidence import Assessment, JudgeName, JudgeRef, Quote, Stance
from claims.ids import digest
from claims.library import READ_BY, READ_ON, Reading, papers, readings
from claims.paper import Paper, TextField


@lru_cache(maxsize=1)
def library_ref() -> JudgeRef:
    """Name the readings by who gave them, when, and their digest: any change to one is another version."""
    content = digest([reading.model_dump(mode="json") for reading in readings()]).removeprefix("sha256:")[:8]
    return JudgeRef(name=JudgeName.LIBRARY, version=f"{READ_BY}, {READ_ON.isoformat()}, {content}")


@lru_cache(maxsize=1)
def _by_paper() -> dict[str, tuple[str | None, list[Reading]]]:
    found: dict[str, tuple[str | None, list[Reading]]] = {paper.id: (paper.finding, []) for paper in papers()}
    for reading in readings():
        found[reading.paper_id][1].append(reading)
    return found


def library_reading(claim: Claim, paper: Paper) -> Assessment | None:
    """Give the shipped reading of a paper on a claim; None when there is none, or another finding is held than ships.

    Its confidence is the readers' own belief; nothing calibrated it.
    """
    finding, given = _by_paper().get(paper.id, (None, []))
    if finding is None or paper.finding != finding:
        return None
    for reading in given:
        if reading.family != claim.scope.family:
            continue
        quote = Quote.cut(paper, TextField.FINDING, reading.quote_start, reading.quote_end)
        return Assessment(
            stance=reading.stance,
            confidence=reading.confidence,
            quotes=() if reading.stance is Stance.NEUTRAL else (quote,),
            explanation=f"read for the family {reading.family} by {READ_BY} on {READ_ON}: {reading.because}",
            judge=library_ref(),
        )
    return None
