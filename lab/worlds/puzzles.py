"""Sorting puzzles with a checkable answer: `sort 4 1 9 6 ->` is answered `1 4 6 9`."""

import random
from collections import Counter
from collections.abc import Sequence

from lab.errors import InvalidSpec
from lab.worlds.task import Item, words

DIGITS = tuple(str(d) for d in range(10))
VOCABULARY = (*DIGITS, "sort", "->")


def puzzle(rng: random.Random, length: int) -> Item:
    """Draw one puzzle of so many digits."""
    digits = [rng.choice(DIGITS) for _ in range(length)]
    return Item(f"sort {' '.join(digits)} ->", " ".join(sorted(digits)), "sort")


def puzzles(rng: random.Random, n: int, length: int) -> list[Item]:
    """Give puzzles of so many digits, no two alike. Raises InvalidSpec when there are not so many."""
    if n > len(DIGITS) ** length // 2:
        raise InvalidSpec(f"there are not {n} puzzles of {length} digits unlike each other")
    found: dict[str, Item] = {}
    while len(found) < n:
        item = puzzle(rng, length)
        found.setdefault(item.prompt, item)
    return list(found.values())


def verify(item: Item, answer: str) -> bool:
    """Tell whether an answer is the puzzle's digits in order: the external verifier."""
    return words(answer) == item.answer


def agree(answers: Sequence[str], group: int) -> list[bool]:
    """Tell for each answer whether more than half of its group gave it: verification by one's own agreement.

    answers: groups of `group` answers to one puzzle each, one after the other.
    """
    kept = []
    for start in range(0, len(answers), group):
        said = answers[start : start + group]
        counts = Counter(said)
        kept += [2 * counts[answer] > len(said) for answer in said]
    return kept
