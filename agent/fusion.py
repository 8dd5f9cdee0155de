"""Several ranked answers made one: reciprocal rank fusion, which needs no score that two sources would share."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

OFFSET: Final = 60.0
"""k of score = sum of weight / (k + rank): Cormack, Clarke and Buettcher 2009, section 2."""


class RankedAnswer(NamedTuple):
    """What one question to one source brought."""

    ids: Sequence[str]
    """best first"""
    weight: float = 1.0
    """how much it counts beside the others"""


def fuse(answers: Iterable[RankedAnswer]) -> list[str]:
    """Give the ids of all answers, each once, best first; a tie goes by id, so that the order of answers is nothing.

    An id that one answer names twice counts where it stands first.
    """
    scores: dict[str, float] = defaultdict(float)
    for answer in answers:
        for rank, one in enumerate(dict.fromkeys(answer.ids), start=1):
            scores[one] += answer.weight / (OFFSET + rank)
    return sorted(scores, key=lambda one: (-scores[one], one))
