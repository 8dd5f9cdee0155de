"""Operations on short strings of letters: a skill in a terse notation, asked for again in a chat format.

The base model learns the skill as `reverse a b c =`. Tuning teaches it to do the same when a user asks in words it has
never met (`user turn around a b c assistant`): the format is new, the ability is not. That is the situation in which
LIMA (arXiv:2305.11206, section 2) expects little data to be enough.
"""

import random
from collections.abc import Callable, Sequence

from lab.errors import InvalidSpec
from lab.worlds.task import Example, Item

LETTERS = tuple("abcdefgh")

LENGTH = 3
"""Letters in a string."""

OPERATIONS: dict[str, Callable[[Sequence[str]], list[str]]] = {
    "copy": lambda s: list(s),
    "reverse": lambda s: list(reversed(s)),
    "first": lambda s: [s[0]],
    "last": lambda s: [s[-1]],
    "next": lambda s: [LETTERS[(LETTERS.index(letter) + 1) % len(LETTERS)] for letter in s],
    "double": lambda s: [s[0], s[0]],
}
"""What each operation does to a string."""

PHRASES: dict[str, tuple[str, ...]] = {
    "copy": ("please repeat", "say again"),
    "reverse": ("turn around", "read backwards"),
    "first": ("what leads", "name the beginning"),
    "last": ("what closes", "name the end"),
    "next": ("advance each", "go one further"),
    "double": ("stutter at", "twice the head"),
}
"""How a user asks for each; none of these words occurs in pre-training."""

FILLER = tuple("this so then now here with it us ok well maybe".split())
"""Words that mean nothing in this world; pre-training strews them about."""

ENDINGS = ("=", "gives", "is")
"""What stands before an answer in pre-training."""

ALIASES: dict[str, tuple[str, ...]] = {name: (name, *(f"{name}{i}" for i in range(2, 4))) for name in OPERATIONS}
"""The names that each operation goes by in pre-training, so that the base has met many ways of asking."""

FRAME = ("user", "assistant")

VOCABULARY = tuple(
    dict.fromkeys(
        (
            *LETTERS,
            *(alias for aliases in ALIASES.values() for alias in aliases),
            *FILLER,
            *ENDINGS,
            *FRAME,
            *(word for ways in PHRASES.values() for phrase in ways for word in phrase.split()),
        )
    )
)


def native(rng: random.Random, n: int) -> list[Item]:
    """Give items in the notations of pre-training: any alias, before or after the letters, amid filler words."""
    items = []
    for _ in range(n):
        operation, letters = _draw(rng)
        alias, text = rng.choice(ALIASES[operation]), " ".join(letters)
        inner = rng.choices(FILLER, k=rng.randrange(3))
        ordered = [alias, *inner, text] if rng.random() < 0.7 else [text, *inner, alias]
        prompt = " ".join([*rng.choices(FILLER, k=rng.randrange(3)), *ordered, rng.choice(ENDINGS)])
        items.append(Item(prompt, " ".join(OPERATIONS[operation](letters)), operation))
    return items


def requests(rng: random.Random, n: int) -> list[Item]:
    """Give items as a user asks for them: no prompt twice, operations in turn, so that any stretch covers all.

    Raises InvalidSpec when there are not so many.
    """
    if n > len(LETTERS) ** LENGTH * len(OPERATIONS) * min(map(len, PHRASES.values())):
        raise InvalidSpec(f"there are not {n} requests unlike each other")
    order = list(OPERATIONS)
    items: dict[str, Item] = {}
    while len(items) < n:
        operation, letters = _draw(rng, order[len(items) % len(order)])
        prompt = f"user {rng.choice(PHRASES[operation])} {' '.join(letters)} assistant"
        items.setdefault(prompt, Item(prompt, " ".join(OPERATIONS[operation](letters)), operation))
    return list(items.values())


def noisy(rng: random.Random, items: Sequence[Item], share_wrong: float) -> list[Example]:
    """Give the items as examples of which a share has a wrong answer: another operation's, on the same letters.

    Such an answer is well formed and plausible, as a careless annotator's would be; it is never the right one.
    """
    examples = []
    for item in items:
        answer = item.answer
        if rng.random() < share_wrong:
            letters = [w for w in item.prompt.split() if w in LETTERS]
            others = {" ".join(do(letters)) for do in OPERATIONS.values()} - {item.answer}
            answer = rng.choice(sorted(others))
        examples.append(Example(item.prompt, answer))
    return examples


def _draw(rng: random.Random, operation: str | None = None) -> tuple[str, list[str]]:
    letters = [rng.choice(LETTERS) for _ in range(LENGTH)]
    return operation or rng.choice(list(OPERATIONS)), letters
