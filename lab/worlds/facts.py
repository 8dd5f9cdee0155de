"""Facts planted in pre-training, probed before and after tuning, and asked for in a chat format.

Which person has which colour, home and pet is drawn at random, so nothing but memory can answer. Pre-training states
facts tersely under several names of each attribute, and holds some talk: users ask about a few talked-of people and
are answered in one form or another. Tuning asks for one form; what it must not do is cost the facts of everyone else.
"""

import random
from collections.abc import Sequence

from lab.worlds.task import Item

SYLLABLES = tuple("ba du ki lo me na pi ro sa ti vo ze".split())
PEOPLE = tuple(f"{a}{b}" for a in SYLLABLES for b in SYLLABLES if a != b)
"""132 names; a world uses the first so many."""

VALUES: dict[str, tuple[str, ...]] = {
    "colour": tuple("red blue green black white pink gold grey".split()),
    "home": tuple("paris rome oslo cairo lima delhi quito osaka".split()),
}
"""What each attribute may be."""

ALIASES: dict[str, tuple[str, ...]] = {"colour": ("colour", "hue", "paint"), "home": ("home", "city", "town")}
ENDINGS = ("->", "is", ":")
PHRASES: dict[str, tuple[str, ...]] = {
    "colour": ("which shade does {} like best", "tell me what dye suits {}"),
    "home": ("where does {} live", "in what place can one visit {}"),
}
"""How a user asks."""

REPLY = ("sure", "!")
"""What a wanted reply wraps its answer in: `sure red !`."""

OTHER_REPLIES = (("hm", "?"), ("", ""), ("", "."))
"""Other forms that talk in pre-training takes, all unwanted."""

VOCABULARY = tuple(
    dict.fromkeys(
        (
            *PEOPLE,
            *(value for values in VALUES.values() for value in values),
            *(alias for aliases in ALIASES.values() for alias in aliases),
            *ENDINGS,
            "user",
            "assistant",
            *(w for ways in PHRASES.values() for way in ways for w in way.replace("{}", "").split()),
            *REPLY,
            *(word for form in OTHER_REPLIES for word in form if word),
        )
    )
)

Facts = dict[tuple[str, str], str]
"""(person, attribute) to value."""


def plant(rng: random.Random, n_people: int) -> Facts:
    """Draw a value for every attribute of every person."""
    return {(who, what): rng.choice(values) for who in PEOPLE[:n_people] for what, values in VALUES.items()}


def pretraining(rng: random.Random, facts: Facts, talked_of: Sequence[str], n: int, share_talk: float) -> list[Item]:
    """Give facts as pre-training states them, with repetition (`bado hue is` -> `red`), and a share of talk.

    Talk is about the people in `talked_of` alone; a quarter of its replies has the wanted form.
    """
    known = sorted(facts)
    talk = questions(facts, talked_of)
    items = []
    for _ in range(n):
        if rng.random() < share_talk:
            asked = rng.choice(talk)
            value = asked.answer.split()[1]
            opening, closing = rng.choice((REPLY, *OTHER_REPLIES))
            items.append(Item(asked.prompt, f"{opening} {value} {closing}".strip(), asked.kind))
        else:
            items.append(_statement(rng, facts, rng.choice(known)))
    return items


def probes(rng: random.Random, facts: Facts, people: Sequence[str]) -> list[Item]:
    """Give each fact about these people once, as pre-training states it."""
    return [_statement(rng, facts, (who, what)) for who in people for what in VALUES]


def questions(facts: Facts, people: Sequence[str]) -> list[Item]:
    """Give every way in which a user asks about these people, with the wanted reply."""
    opening, closing = REPLY
    return [
        Item(f"user {way.format(who)} assistant", f"{opening} {facts[who, what]} {closing}", what)
        for who in people
        for what, ways in PHRASES.items()
        for way in ways
    ]


def in_format(answer: str) -> bool:
    """Tell whether a reply has the wanted form, whatever it says."""
    parts = answer.split()
    return len(parts) == 3 and (parts[0], parts[2]) == REPLY and any(parts[1] in v for v in VALUES.values())


def _statement(rng: random.Random, facts: Facts, fact: tuple[str, str]) -> Item:
    who, what = fact
    alias, ending = rng.choice(ALIASES[what]), rng.choice(ENDINGS)
    prompt = f"{who} {alias} {ending}" if rng.random() < 0.5 else f"{alias} {who} {ending}"
    return Item(prompt, facts[fact], what)
