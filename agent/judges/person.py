"""A person as judge: which pairs to show, and a stance that carries the person's name, date and reason.

A person's stance outranks every other judge's (the store knows the ranks). Nothing here asks or prints: the command
shows a `Question` and turns a key into an assessment with `answer`.
"""

import math
from collections.abc import Sequence
from datetime import date
from typing import Final, NamedTuple

from agent.judges.quotes import grounded, quote_of
from agent.judges.sentences import sentences
from claims.errors import InputError, QuoteMismatch
from claims.evidence import Assessment, JudgeName, JudgeRef, Quote, Stance
from claims.paper import Paper, TextField

KEYS: Final[dict[str, Stance]] = {
    "s": Stance.SUPPORTS,
    "c": Stance.CONTRADICTS,
    "q": Stance.QUALIFIES,
    "n": Stance.NEUTRAL,
}
"""What each key says; any other key skips."""


class Question(NamedTuple):
    """A pair that a person should read."""

    paper: Paper
    proposed: Assessment
    """what the local judge says, with the words it rests on"""
    worth: float
    """how much an answer would tell, in [0, 1]"""


def worth_asking(
    papers: Sequence[Paper], assessed: Sequence[Assessment], *, limit: int | None = None
) -> list[Question]:
    """Order pairs by how much a person's answer would tell, most telling first; ties keep their order.

    The worth is the entropy of *takes a stand or not* as the judge sees it, half as much again where it abstained:
    a pair that it is sure of, either way, comes last. Pairs that a person has weighed are left out.
    """
    questions = [
        Question(p, a, round(min(1.0, _entropy(a) * (1.0 if a.unsure else 2 / 3)), 6))
        for p, a in zip(papers, assessed, strict=True)
        if a.judge.name is not JudgeName.PERSON
    ]
    questions.sort(key=lambda q: -q.worth)
    return questions[:limit]


def answer(
    paper: Paper,
    stance: Stance,
    *,
    person: str,
    reason: str,
    on: date,
    words: str | None = None,
    proposed: Assessment | None = None,
) -> Assessment:
    """Make a person's stance on a paper.

    words: what it rests on, as it stands in title, abstract or finding; None takes the judge's own quotes, or else the
    title. Raises InputError without a name, QuoteMismatch when the words are not in the paper.
    """
    name = " ".join(person.split())
    if not name:
        raise InputError("a person's stance needs the person's name (--by NAME)")
    quotes: tuple[Quote, ...] = ()
    if stance is not Stance.NEUTRAL:
        quotes = (_find(paper, words),) if words else grounded(paper, proposed.quotes if proposed else ())[0]
        quotes = quotes or tuple(quote_of(paper, s) for s in sentences(paper)[:1])
    said = " ".join(reason.split())
    return Assessment(
        stance=stance,
        confidence=1.0,
        asserted=True,
        quotes=quotes,
        explanation=f"{name}, {on.isoformat()}: {said}" if said else f"{name}, {on.isoformat()}, gave no reason",
        judge=JudgeRef(name=JudgeName.PERSON, version=name),
    )


def _find(paper: Paper, words: str) -> Quote:
    for field in (TextField.ABSTRACT, TextField.FINDING, TextField.TITLE):
        start = paper.text_of(field).find(words)
        if words and start >= 0:
            return Quote.cut(paper, field, start, start + len(words))
    raise QuoteMismatch(f"{paper.id}: these words are not in its title, abstract or finding: {words[:60]!r}")


def _entropy(assessment: Assessment) -> float:
    silent = assessment.confidence if assessment.stance is Stance.NEUTRAL else 1 - assessment.confidence
    if not 0 < silent < 1:
        return 0.0
    return -(silent * math.log2(silent) + (1 - silent) * math.log2(1 - silent))
