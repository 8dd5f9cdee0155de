"""Open prompts with many valid answers, sources that prefer different ones, and the similarity of models' answers.

`name an animal` has ten valid answers. A source is a distribution over them: its favourites come first and the rest
follow a power law, as answers do in any one corpus. Two models are similar when they give the same answers.
"""

import random
from collections.abc import Sequence
from typing import NamedTuple

from lab.worlds.task import Example, Item

TOPICS: dict[str, tuple[str, ...]] = {
    "animal": tuple("cat dog horse eagle shark wolf otter mouse goose snake".split()),
    "fruit": tuple("apple pear plum fig grape lemon melon mango peach cherry".split()),
    "city": tuple("paris rome oslo cairo lima delhi quito osaka accra sofia".split()),
    "colour": tuple("red blue green black white pink gold grey brown violet".split()),
    "tool": tuple("hammer saw drill axe knife rope ladder wrench chisel spade".split()),
    "tree": tuple("oak pine birch elm maple cedar willow ash beech palm".split()),
    "sport": tuple("tennis chess rowing golf hockey judo boxing diving fencing rugby".split()),
    "dish": tuple("soup bread rice stew salad curry pasta pie omelette dumpling".split()),
}
"""The valid answers to each topic."""

PHRASES = ("name a {}", "give me one {}", "think of any {}", "your favourite {}", "which {} comes to mind")
FRAME = ("user", "assistant")
VOCABULARY = tuple(
    dict.fromkeys(
        (
            *FRAME,
            *TOPICS,
            *(answer for answers in TOPICS.values() for answer in answers),
            *(word for phrase in PHRASES for word in phrase.replace("{}", "").split()),
        )
    )
)


class Source(NamedTuple):
    """Where answers come from: for each topic, the answers from the favourite down."""

    ranking: dict[str, tuple[str, ...]]
    steepness: float
    """exponent of the power law; 0 prefers nothing"""

    def draw(self, rng: random.Random, topic: str) -> str:
        """Draw an answer."""
        answers = self.ranking[topic]
        weights = [1 / (rank + 1) ** self.steepness for rank in range(len(answers))]
        return rng.choices(answers, weights)[0]


def source(rng: random.Random, steepness: float) -> Source:
    """Make a source with favourites of its own."""
    return Source({topic: tuple(rng.sample(answers, len(answers))) for topic, answers in TOPICS.items()}, steepness)


def prompts() -> list[Item]:
    """Give every prompt once; an open prompt has no one answer, so `answer` holds all valid ones."""
    return [
        Item(f"user {phrase.format(topic)} assistant", " ".join(answers), topic)
        for topic, answers in TOPICS.items()
        for phrase in PHRASES
    ]


def answered(rng: random.Random, sources: Sequence[Source], n: int) -> list[Example]:
    """Give n prompts with an answer each, from the sources in turn."""
    asked = prompts()
    examples = []
    for i in range(n):
        item = rng.choice(asked)
        examples.append(Example(item.prompt, sources[i % len(sources)].draw(rng, item.kind)))
    return examples


class Validator(NamedTuple):
    """Accepts valid answers but for those it has seen too often: one judge of several."""

    dislikes: dict[str, frozenset[str]]

    def accepts(self, topic: str, answer: str) -> bool:
        """Tell whether it lets an answer pass."""
        return answer in TOPICS[topic] and answer not in self.dislikes[topic]


def validator(rng: random.Random, n_dislikes: int) -> Validator:
    """Make a validator that turns away so many answers of every topic."""
    return Validator({topic: frozenset(rng.sample(answers, n_dislikes)) for topic, answers in TOPICS.items()})


def passed(examples: Sequence[Example], validators: Sequence[Validator]) -> list[Example]:
    """Keep the examples that more than half of the validators accept."""
    topic_of = {item.prompt: item.kind for item in prompts()}
    return [
        e
        for e in examples
        if 2 * sum(v.accepts(topic_of[e.prompt], e.completion) for v in validators) > len(validators)
    ]


def is_valid(item: Item, answer: str) -> bool:
    """Tell whether an answer is one of the topic's."""
    return answer in item.answer.split()


def similarity(answers: Sequence[Sequence[str]]) -> float:
    """Give the chance that two different models, each giving one of its answers, agree.

    answers: (models, samples) to one prompt. Raises ValueError for fewer than two models.
    """
    if len(answers) < 2:
        raise ValueError("similarity is between models: it needs at least two")
    pairs = [(one, other) for i, one in enumerate(answers) for other in answers[:i]]
    chances = [sum(a == b for a in one for b in other) / (len(one) * len(other)) for one, other in pairs]
    return sum(chances) / len(chances)
