"""Function calls against a schema, verified exactly: names, argument names, types, values.

A call is written `call pay ( to = anna , amount = 7 )`. An answer that is no call, or that breaks the schema, is a
format error; one that fits the schema but says something else than was asked is a wrong answer. The two are told
apart, because the claim is about the first.
"""

import random
import re
from enum import StrEnum
from typing import NamedTuple

from lab.errors import InvalidSpec
from lab.worlds.task import Item, Pair, words

CITIES = tuple("paris rome oslo cairo lima delhi".split())
NAMES = tuple("anna bob carla dave erin fred".split())
NUMBERS = tuple(str(n) for n in range(1, 10))
BOOLEANS = ("true", "false")
DAYS = tuple("monday tuesday wednesday thursday friday saturday sunday".split())

TYPES: dict[str, tuple[str, ...]] = {"city": CITIES, "name": NAMES, "number": NUMBERS, "boolean": BOOLEANS, "day": DAYS}
"""The values of each type."""

SCHEMA: dict[str, dict[str, str]] = {
    "weather": {"city": "city", "days": "number"},
    "pay": {"to": "name", "amount": "number"},
    "alarm": {"hour": "number", "day": "day", "loud": "boolean"},
    "trip": {"from": "city", "goal": "city", "people": "number"},
    "invite": {"guest": "name", "where": "city", "hour": "number"},
}
"""Arguments of each function with their types; all are required."""

PHRASES: dict[str, tuple[str, ...]] = {
    "weather": ("forecast for {city} over {days} nights", "will it rain during {days} nights at {city}"),
    "pay": ("send {to} exactly {amount} coins", "i owe {amount} coins so give them {to}"),
    "alarm": ("wake me {day} when clock shows {hour} noise {loud}", "noise {loud} and up by {hour} each {day}"),
    "trip": ("we are {people} leaving {from} towards {goal}", "towards {goal} starting {from} party of {people}"),
    "invite": (
        "ask {guest} for dinner in {where} around {hour}",
        "dinner around {hour} bring {guest} table in {where}",
    ),
}
"""How a user asks; the words outside the braces do not occur in pre-training."""

_PUNCTUATION = ("call", "(", ")", "=", ",", "user", "assistant", "do", "with", "->")

VOCABULARY = tuple(
    dict.fromkeys(
        (
            *_PUNCTUATION,
            *SCHEMA,
            *(argument for arguments in SCHEMA.values() for argument in arguments),
            *(value for values in TYPES.values() for value in values),
            *(w for ways in PHRASES.values() for way in ways for w in re.sub(r"\{\w+\}", "", way).split()),
        )
    )
)


class Call(NamedTuple):
    """A call as it was read: nothing is known yet about whether it fits the schema."""

    function: str
    arguments: dict[str, str]

    def __str__(self) -> str:
        inner = " , ".join(f"{name} = {value}" for name, value in self.arguments.items())
        return f"call {self.function} ( {inner} )"


class Fault(StrEnum):
    """What is wrong with an answer; the first that applies."""

    NONE = "none"
    """the call that was asked for"""
    MALFORMED = "malformed"
    """not a call"""
    FUNCTION = "function"
    """no such function"""
    ARGUMENTS = "arguments"
    """arguments missing, unknown or twice"""
    TYPE = "type"
    """a value of another type than the schema's"""
    WRONG = "wrong"
    """fits the schema, but is not what was asked"""

    @property
    def is_format_error(self) -> bool:
        """Whether the answer breaks grammar or schema."""
        return self not in (Fault.NONE, Fault.WRONG)


_CALL = re.compile(r"call (\S+) \( (.*) \)")
_ARGUMENT = re.compile(r"(\S+) = (\S+)")


def read(text: str) -> Call | Fault:
    """Read a call. Gives MALFORMED for what is none, ARGUMENTS when an argument comes twice."""
    match = _CALL.fullmatch(words(text))
    if not match:
        return Fault.MALFORMED
    arguments: dict[str, str] = {}
    for part in match[2].split(" , "):
        pair = _ARGUMENT.fullmatch(part)
        if not pair or not pair[1].isidentifier():
            return Fault.MALFORMED
        if pair[1] in arguments:
            return Fault.ARGUMENTS
        arguments[pair[1]] = pair[2]
    return Call(match[1], arguments)


def verify(item: Item, answer: str) -> Fault:
    """Say what is wrong with an answer to an item, or NONE. The order of arguments does not matter."""
    call = read(answer)
    if isinstance(call, Fault):
        return call
    schema = SCHEMA.get(call.function)
    if schema is None:
        return Fault.FUNCTION
    if set(call.arguments) != set(schema):
        return Fault.ARGUMENTS
    if any(value not in TYPES[schema[name]] for name, value in call.arguments.items()):
        return Fault.TYPE
    right = read(item.answer)
    return Fault.NONE if call == right else Fault.WRONG


def native(rng: random.Random, n: int) -> list[Item]:
    """Give items in the notation of pre-training: `do pay with amount 7 to anna ->`, arguments in any order."""
    items = []
    for _ in range(n):
        call = _draw(rng)
        given = list(call.arguments.items())
        rng.shuffle(given)
        prompt = f"do {call.function} with {' '.join(f'{name} {value}' for name, value in given)} ->"
        items.append(Item(prompt, str(call), call.function))
    return items


def requests(rng: random.Random, n: int) -> list[Item]:
    """Give items as a user asks: no prompt twice, functions in turn. Raises InvalidSpec when there are not so many."""
    if n > 500:
        raise InvalidSpec(f"there are not {n} requests unlike each other, functions in turn")
    order = list(SCHEMA)
    items: dict[str, Item] = {}
    while len(items) < n:
        call = _draw(rng, order[len(items) % len(order)])
        prompt = f"user {rng.choice(PHRASES[call.function]).format(**call.arguments)} assistant"
        items.setdefault(prompt, Item(prompt, str(call), call.function))
    return list(items.values())


def spoil(rng: random.Random, item: Item) -> Pair:
    """Pair the right call with a wrong one: a fault of format or schema in two of three, else a wrong value."""
    call = read(item.answer)
    assert isinstance(call, Call), "an item's answer is a call"
    function, arguments = call.function, dict(call.arguments)
    name = rng.choice(list(arguments))
    kind = rng.choice(("function", "missing", "type", "name", "bracket", "value", "value", "value"))
    if kind == "function":
        function = rng.choice([f for f in SCHEMA if f != function])
    elif kind == "missing":
        del arguments[name]
    elif kind == "type":
        arguments[name] = rng.choice([v for t, vs in TYPES.items() if t != SCHEMA[function][name] for v in vs])
    elif kind == "name":
        others = sorted({a for s in SCHEMA.values() for a in s} - set(arguments))
        arguments = {(rng.choice(others) if a == name else a): v for a, v in arguments.items()}
    elif kind == "value":
        arguments[name] = rng.choice([v for v in TYPES[SCHEMA[function][name]] if v != arguments[name]])
    spoilt = str(Call(function, arguments))
    if kind == "bracket":
        spoilt = spoilt.replace(rng.choice((" (", " )", " =")), "", 1)
    return Pair(item.prompt, item.answer, spoilt)


def _draw(rng: random.Random, function: str | None = None) -> Call:
    function = function or rng.choice(list(SCHEMA))
    return Call(function, {name: rng.choice(TYPES[kind]) for name, kind in SCHEMA[function].items()})
