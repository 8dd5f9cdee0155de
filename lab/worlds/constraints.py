"""Constrained choice of size n: take the largest number that the cap allows. Verified by trying all.

`cap 5 : 3 8 4 2 best` is answered `4`: `8` is larger but not allowed. The size n is how many numbers there are to
choose from. Training uses one n; n-1 and n+1 are the out-of-distribution variants.
"""

import math
import random
from typing import NamedTuple

from lab.errors import InvalidSpec
from lab.worlds.task import Item

DIGITS = tuple(str(d) for d in range(1, 10))
SIZES = range(2, len(DIGITS))
"""Sizes that can be asked for."""

VOCABULARY = (*DIGITS, "cap", ":", "best", "?")


class Problem(NamedTuple):
    """A cap and the numbers to choose from."""

    cap: int
    numbers: tuple[int, ...]

    def __str__(self) -> str:
        return f"cap {self.cap} : {' '.join(map(str, self.numbers))}"


def problem(rng: random.Random, size: int, ending: str) -> Item:
    """Draw a problem that has an answer; `kind` is its size."""
    while True:
        drawn = Problem(rng.randint(1, 9), tuple(rng.sample(range(1, 10), size)))
        best = solve(drawn)
        if best is not None:
            return Item(f"{drawn} {ending}", str(best), str(size))


def problems(rng: random.Random, n: int, size: int) -> list[Item]:
    """Give problems of one size, no two alike. Raises InvalidSpec for a size or number that cannot be had."""
    if size not in SIZES:
        raise InvalidSpec(f"a problem has {SIZES.start} to {SIZES.stop - 1} numbers, got {size}")
    if n > 9 * math.perm(9, size) // 2:
        raise InvalidSpec(f"there are not {n} problems of {size} numbers unlike each other")
    found: dict[str, Item] = {}
    while len(found) < n:
        item = problem(rng, size, "best")
        found.setdefault(item.prompt, item)
    return list(found.values())


def solve(problem: Problem) -> int | None:
    """Give the largest allowed number, or None when the cap allows none."""
    return max((number for number in problem.numbers if number <= problem.cap), default=None)


def read(prompt: str) -> Problem:
    """Read a problem back from its prompt. Raises ValueError for another text."""
    words = prompt.split()
    if len(words) < 5 or words[0] != "cap" or words[2] != ":" or not all(w in DIGITS for w in (words[1], *words[3:-1])):
        raise ValueError(f"not a problem: {prompt!r}")
    return Problem(int(words[1]), tuple(map(int, words[3:-1])))


def reward(item: Item, answer: str) -> float:
    """Give 1 for the best number, 0.2 for another that is there and allowed, 0 for anything else."""
    if answer == item.answer:
        return 1.0
    asked = read(item.prompt)
    return 0.2 if any(str(number) == answer and number <= asked.cap for number in asked.numbers) else 0.0
