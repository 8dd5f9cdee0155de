"""The words of every world: an item to answer, an example to learn from, and how text becomes one string.

A world is plain Python: it makes items from a random generator and verifies answers exactly. Texts are words separated
by single spaces, so that a tiny model can read them word by word and a hub model with its own tokenizer.
"""

import random
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from claims.ids import digest


class Item(NamedTuple):
    """One task with its answer."""

    prompt: str
    answer: str
    kind: str
    """what is asked, for scores by kind"""


class Example(NamedTuple):
    """One text to learn from: the loss is taken on the completion."""

    prompt: str
    completion: str


class Pair(NamedTuple):
    """One prompt with a right and a wrong completion."""

    prompt: str
    chosen: str
    rejected: str


def as_examples(items: Iterable[Item]) -> list[Example]:
    """Give items as examples with their right answers."""
    return [Example(item.prompt, item.answer) for item in items]


def words(text: str) -> str:
    """Fold white space to single spaces."""
    return " ".join(text.split())


def exact(items: Sequence[Item], answers: Sequence[str]) -> list[bool]:
    """Tell for each item whether the answer is the one right answer, white space aside."""
    return [words(answer) == item.answer for item, answer in zip(items, answers, strict=True)]


def data_digest(*parts: Iterable[tuple[str, ...]]) -> str:
    """Name data by its content and order."""
    return digest([[list(row) for row in part] for part in parts])


def stream(seed: int, *names: str | int) -> random.Random:
    """Give a random generator of its own for one purpose, so that arms never share draws by accident."""
    return random.Random(digest([seed, *names]))
