"""Several ranked answers made one: reciprocal rank fusion, which needs no score that two sources would share."""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

OFFSET: Final = 60.0
"""k of score = sum of weight / (k + rank): Cormack, Clarke and Buettcher 2009, section 2."""


ROUNDING: Final = 1e-9
"""Share of the largest value below which a spread is no more than what adding in another order leaves."""


class RankedAnswer(NamedTuple):
    """What one question to one source brought."""

    ids: Sequence[str]
    """best first"""
    weight: float = 1.0
    """how much it counts beside the others"""


def fuse(answers: Iterable[RankedAnswer], nearness: Mapping[str, float] | None = None) -> list[str]:
    """Give the ids of all answers, each once, best first; a tie goes by id, so that the order of answers is nothing.

    An id that one answer names twice counts where it stands first. nearness: of ids, larger is nearer; a standard
    deviation of it counts as much as one of the ranks' score, and an id without is as near as the mean.
    """
    terms: dict[str, list[float]] = defaultdict(list)
    for answer in answers:
        for rank, one in enumerate(dict.fromkeys(answer.ids), start=1):
            terms[one].append(answer.weight / (OFFSET + rank))
    scores = {one: math.fsum(some) for one, some in terms.items()}
    if nearness is not None:
        ranks = dict(zip(scores, standardised(list(scores.values())), strict=True))
        known = [one for one in scores if one in nearness]
        near = dict(zip(known, standardised([nearness[one] for one in known]), strict=True))
        scores = {one: round(ranks[one] + near.get(one, 0.0), 12) for one in scores}
    return sorted(scores, key=lambda one: (-scores[one], one))


def spread(values: Sequence[float]) -> float:
    """Give the standard deviation of some values, at least one."""
    mean = math.fsum(values) / len(values)
    return math.sqrt(math.fsum((x - mean) ** 2 for x in values) / len(values))


def standardised(values: Sequence[float]) -> list[float]:
    """Give how many standard deviations each value lies above the mean; all 0 where they are equal but for rounding."""
    if not values:
        return []
    mean, unit = math.fsum(values) / len(values), spread(values)
    if unit <= ROUNDING * max(map(abs, values)):
        return [0.0] * len(values)
    return [(x - mean) / unit for x in values]
