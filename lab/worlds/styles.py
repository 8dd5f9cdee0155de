"""Strings once more, now asked plainly but answered in a style: `reverse a b c =` is answered `sure c b a thanks`.

Pre-training holds documents of several questions, answered in one style throughout, so a model can learn to keep to
the style that it sees. The wanted style is a pair of words that pre-training never puts together.
"""

import random
from collections.abc import Sequence
from typing import NamedTuple

from lab.errors import InvalidSpec
from lab.worlds import strings
from lab.worlds.task import Example, Item

OPERATIONS = ("copy", "first", "last", "double")
"""The easier half of the operations: what is learned here is the style."""

OPENINGS = tuple("sure yes indeed well certainly gladly".split())
CLOSINGS = tuple("thanks cheers regards done bye there".split())
VOCABULARY = (*strings.LETTERS, *OPERATIONS, *OPENINGS, *CLOSINGS, "=", ";")


class Style(NamedTuple):
    """What an answer is wrapped in."""

    opening: str
    closing: str

    def wrap(self, answer: str) -> str:
        """Give the answer in this style."""
        return f"{self.opening} {answer} {self.closing}"


SHARE_SHOWN = 0.85
"""Documents of pre-training that show an answered question before the last one."""

WANTED = Style(OPENINGS[0], CLOSINGS[0])
"""The style to align to; both words are met in pre-training, but never in one answer."""


def any_style(rng: random.Random) -> Style:
    """Draw a style other than the wanted one."""
    while True:
        style = Style(rng.choice(OPENINGS), rng.choice(CLOSINGS))
        if style != WANTED:
            return style


def questions(rng: random.Random, n: int, style: Style) -> list[Item]:
    """Give questions with answers in a style: none twice, operations in turn. Raises InvalidSpec when too many."""
    if n > len(strings.LETTERS) ** strings.LENGTH * len(OPERATIONS) // 2:
        raise InvalidSpec(f"there are not {n} questions unlike each other")
    order = list(OPERATIONS)
    found: dict[str, Item] = {}
    while len(found) < n:
        item = _question(rng, order[len(found) % len(order)], style)
        found.setdefault(item.prompt, item)
    return list(found.values())


def documents(rng: random.Random, n: int, most: int) -> list[Example]:
    """Give pre-training documents: up to `most` answered questions in one style, and one more to answer in it.

    A few show none, so that answering is learned as well. The loss is on the last answer: on the random letters
    of questions it would be noise, which kept a pilot from learning anything.
    """
    examples = []
    for _ in range(n):
        style = any_style(rng)
        k = rng.randint(1, most) if rng.random() < SHARE_SHOWN else 0
        *shown, last = (_question(rng, rng.choice(OPERATIONS), style) for _ in range(k + 1))
        told = [f"{item.prompt} {item.answer} ;" for item in shown]
        examples.append(Example(" ".join([*told, last.prompt]), last.answer))
    return examples


def in_context(rng: random.Random, item: Item, pool: Sequence[Item], k: int) -> Item:
    """Put k examples from the pool before an item's question. Raises InvalidSpec when the pool has fewer others."""
    others = [other for other in pool if other.prompt != item.prompt]
    if len(others) < k:
        raise InvalidSpec(f"the pool has {len(others)} other examples, asked for {k}")
    told = [f"{other.prompt} {other.answer} ;" for other in rng.sample(others, k)]
    return item._replace(prompt=" ".join([*told, item.prompt]))


def _question(rng: random.Random, operation: str, style: Style) -> Item:
    letters = [rng.choice(strings.LETTERS) for _ in range(strings.LENGTH)]
    answer = " ".join(strings.OPERATIONS[operation](letters))
    return Item(f"{operation} {' '.join(letters)} =", style.wrap(answer), operation)
