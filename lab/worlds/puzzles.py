"""Sorting puzzles that can be solved and checked: the answer is exact, and checking is a task of its own.

`sort 4 1 9 6 ->` is answered `1 4 6 9`; `sort 4 1 9 6 -> 1 4 9 6 right ?` is answered `no`. A model that does both has
a generation-verification gap that can be measured.
"""

import random
from collections.abc import Sequence

from lab.worlds.task import Item, words

DIGITS = tuple(str(d) for d in range(10))
YES, NO = "yes", "no"
VOCABULARY = (*DIGITS, "sort", "->", "right", "?", YES, NO)


def puzzles(rng: random.Random, n: int, length: int) -> list[Item]:
    """Give puzzles of so many digits, no two alike. Raises ValueError when there are not so many."""
    if n > len(DIGITS) ** length // 2:
        raise ValueError(f"there are not {n} puzzles of {length} digits unlike each other")
    found: dict[str, Item] = {}
    while len(found) < n:
        digits = [rng.choice(DIGITS) for _ in range(length)]
        prompt = f"sort {' '.join(digits)} ->"
        found.setdefault(prompt, Item(prompt, " ".join(sorted(digits)), "sort"))
    return list(found.values())


def verify(item: Item, answer: str) -> bool:
    """Tell whether an answer is the puzzle's digits in order: the external verifier."""
    return words(answer) == item.answer


def as_check(item: Item, answer: str) -> Item:
    """Turn a puzzle and an answer into the question whether the answer is right."""
    return Item(f"{item.prompt} {words(answer)} right ?", YES if verify(item, answer) else NO, "check")


def mistaken(rng: random.Random, item: Item) -> str:
    """Give a wrong answer of the kinds that a model gives: two digits exchanged, or one replaced."""
    digits = item.answer.split()
    while True:
        wrong = list(digits)
        if rng.random() < 0.5:
            i, j = rng.sample(range(len(wrong)), 2)
            wrong[i], wrong[j] = wrong[j], wrong[i]
        else:
            wrong[rng.randrange(len(wrong))] = rng.choice(DIGITS)
        if wrong != digits:
            return " ".join(wrong)
        if len(set(digits)) == 1:
            return " ".join([*digits[:-1], rng.choice([d for d in DIGITS if d != digits[0]])])


def pretraining(rng: random.Random, n: int, length: int, share_checks: float) -> list[Item]:
    """Give puzzles with answers, and a share of checks, half of which are of a wrong answer."""
    items = []
    for _ in range(n):
        item = puzzles(rng, 1, length)[0]
        if rng.random() < share_checks:
            item = as_check(item, item.answer if rng.random() < 0.5 else mistaken(rng, item))
        items.append(item)
    return items


def accepted(checks: Sequence[str]) -> list[bool]:
    """Read verdicts of a model on its own answers: only a plain yes accepts."""
    return [words(said) == YES for said in checks]
