"""A person as judge: which pairs to show, and a stance that carries the person's name, date and reason.

A person's stance outranks every other judge's (the store knows the ranks). Nothing here asks or prints: the command
shows a `Question` and turns a key into an assessment with `answer`.
"""

import math
from collections.abc import Sequence
from datetime import date
from itertools import pairwise
from typing import Final, NamedTuple

from agent.judges.quotes import grounded, located, quote_of
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
    a pair that it is sure of, either way, comes last; one of which it gave no figure, though there is a text to read,
    comes first. Pairs that a person has weighed are left out.
    """
    questions = [
        Question(p, a, round(min(1.0, _entropy(p, a) * (1.0 if a.unsure else 2 / 3)), 6))
        for p, a in zip(papers, assessed, strict=True)
        if a.judge.name is not JudgeName.PERSON
    ]
    questions.sort(key=lambda q: -q.worth)
    return questions[:limit]


def weighed_by(person: str, papers: Sequence[Paper], assessed: Sequence[Assessment]) -> list[Question]:
    """Give the pairs that this person weighed, in the order given, with what was said as the proposal."""
    said = JudgeRef(name=JudgeName.PERSON, version=person)
    return [Question(p, a, 0.0) for p, a in zip(papers, assessed, strict=True) if a.judge == said]


def numbered(paper: Paper) -> list[str]:
    """Give a paper's text sentence by sentence, nothing left out, in the order of their numbers; 0 is the title."""
    pieces = [paper.title]
    for field in (TextField.ABSTRACT, TextField.FINDING):
        text = paper.text_of(field)
        starts = [s.start for s in sentences(paper) if s.field is field]
        cuts = [*(starts or [0]), len(text)]
        pieces += [piece for a, b in pairwise(cuts) if (piece := text[a:b].strip())]
    return pieces


def suggested(paper: Paper, proposed: Assessment | None) -> tuple[Quote, ...]:
    """Give the words that a stance rests on unless a person chooses others: the judge's own, or else the title."""
    quotes, _ = grounded(paper, proposed.quotes if proposed else ())
    return quotes or tuple(quote_of(paper, s) for s in sentences(paper)[:1])


def words_of(paper: Paper, words: str) -> Quote:
    """Cut out the words that a person means: a sentence by its number, or words as they stand in the text.

    Line breaks and blanks may differ, as in what was copied from a screen. Raises QuoteMismatch when there are none.
    """
    pieces = numbered(paper)
    if words.isascii() and words.isdigit():
        if int(words) >= len(pieces):
            raise QuoteMismatch(f"{paper.id}: there is no sentence {words}, the last is {len(pieces) - 1}")
        words = pieces[int(words)]
    quote = located(paper, words)
    if quote is None:
        raise QuoteMismatch(f"{paper.id}: these words are not in its title, abstract or finding: {words[:60]!r}")
    return quote


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

    words: what it rests on, see `words_of`; None takes what is `suggested`. Raises InputError without a name,
    QuoteMismatch when the words are not in the paper.
    """
    name = " ".join(person.split())
    if not name:
        raise InputError("a person's stance needs the person's name (--by NAME)")
    quotes: tuple[Quote, ...] = ()
    if stance is not Stance.NEUTRAL:
        quotes = (words_of(paper, words),) if words else suggested(paper, proposed)
    said = " ".join(reason.split())
    return Assessment(
        stance=stance,
        confidence=1.0,
        asserted=True,
        quotes=quotes,
        explanation=f"{name}, {on.isoformat()}: {said}" if said else f"{name}, {on.isoformat()}, gave no reason",
        judge=JudgeRef(name=JudgeName.PERSON, version=name),
    )


def taken_back(*, person: str, on: date) -> Assessment:
    """Make a person's word that an earlier one of theirs holds no more, so that what others say holds again."""
    return Assessment(
        stance=Stance.NEUTRAL,
        confidence=0.0,
        unsure=True,
        asserted=False,
        explanation=f"{person}, {on.isoformat()}, took it back",
        judge=JudgeRef(name=JudgeName.PERSON, version=person),
    )


def held_before(own: Sequence[Assessment], *, person: str, on: date) -> Assessment:
    """Give what holds again when a person takes back the last of their words on a paper: the one before it, or none.

    own: the person's words on this paper, oldest first. Raises InputError when there is none to take back.
    """
    if not own or own[-1].could_not_judge:
        raise InputError(f"{person} holds no stance on this paper that could be taken back")
    earlier = own[-2:-1]
    return earlier[0] if earlier and not earlier[0].could_not_judge else taken_back(person=person, on=on)


def _entropy(paper: Paper, assessment: Assessment) -> float:
    if assessment.unsure and not assessment.confidence:
        return 1.0 if paper.abstract or paper.finding else 0.0
    silent = assessment.confidence if assessment.stance is Stance.NEUTRAL else 1 - assessment.confidence
    if not 0 < silent < 1:
        return 0.0
    return -(silent * math.log2(silent) + (1 - silent) * math.log2(1 - silent))
