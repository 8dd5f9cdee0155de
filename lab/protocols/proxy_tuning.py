"""Does tuning at decoding time keep knowledge better than tuning the weights? After arXiv:2401.08565.

Facts are planted in a large and a small base. Tuning teaches a chat format on questions about some people; the others
are asked about afterwards: in the notation of pre-training, to see what was kept, and in the chat format.
"""

from typing import Any, ClassVar, Self

from pydantic import Field, model_validator

from claims.experiment import Measurement, PreRegistration
from lab import measure
from lab.models import Loaded
from lab.protocols.design import ALPHA, HUB, MAX_SEEDS, Contrast, Design, Parameters, check_heads
from lab.protocols.workbench import Workbench, accuracy
from lab.worlds import facts
from lab.worlds.task import Item, as_examples, exact, stream


class ProxyTuningParameters(Parameters):
    """Sizes of the world and of the small pair."""

    n_people: int = Field(default=100, ge=4, le=100)
    """half of them are tuned on, the others asked about"""
    n_talked_of: int = Field(default=8, ge=1, le=32)
    """further people, about whom users talk in pre-training"""
    share_talk: float = Field(default=0.15, ge=0, lt=1)
    """of pre-training"""
    small_width: int = Field(default=32, ge=8, le=1024)
    small_layers: int = Field(default=2, ge=1, le=32)
    small_model: str = "tiny"
    """a second, smaller hub model with the same tokenizer, where `model` is not `tiny`"""
    small_revision: str = ""
    strength: float = Field(default=1.0, ge=0)
    """alpha of the steering; 1 in the paper"""
    max_new_tokens: int = Field(default=5, ge=3, le=4096)

    @model_validator(mode="after")
    def _heads_divide_the_small_width(self) -> Self:
        check_heads("small_width", self.small_width, self.heads)
        return self


_SMALLEST = 0.05
_BOUND = 0.2


class ProxyTuning(Design):
    """A large base steered by a tuned and an untuned small one, against the large one tuned itself."""

    name = "proxy-tuning"
    version = 2
    """2: facts kept is primary; in 1, which pilots ran, held-out questions in the chat format were (lab/LOG.md)"""
    title = "Tuning at decoding time against tuning the weights"
    family = "Decoding-time (proxy) tuning closes the alignment gap and keeps knowledge better than weight fine-tuning."
    registration: ClassVar[PreRegistration] = PreRegistration(
        hypothesis="Steering a base with a small tuned model aligns it and keeps what it knows; tuning its weights on "
        "the same data costs knowledge.",
        prediction="Facts that the proxy-tuned base still tells minus those that the directly tuned one does lie above "
        "0.05.",
        arms=("base", "direct", "direct-again", "proxy-tuned", "small-tuned"),
        primary_metric="facts kept",
        contrast="proxy-tuned - direct",
        smallest_effect=_SMALLEST,
        smallest_effect_because="The paper's own gains on knowledge tasks are a few points; five is about the item "
        "error of one seed.",
        alpha=ALPHA,
        max_seeds=MAX_SEEDS,
        equalised="Data and steps: the small model behind the proxy and the large one tuned directly see the same "
        "questions, in as many steps at the same rate; the proxy spends less on training and more on decoding.",
        positive_control="proxy-tuned - base in the share of replies that have the chat format: a proxy that aligns "
        "nothing would keep every fact, and prove nothing.",
        null_arm="direct-again - direct in facts kept: the same questions in another order.",
        threats=(
            "Knowledge is a few hundred planted facts, each stated often; real knowledge has a long tail.",
            "The small model is a fraction of the large one in weights but has met the same facts.",
            "One strength of steering, as in the paper; others are not tried.",
            "Keeping is easy for who changes little: format, and held-out questions that need both, stand beside.",
        ),
        departs_from="arXiv:2401.08565 section 3 steers 13B and 70B models with 7B chat models and scores GSM8K, "
        "TriviaQA, TruthfulQA and others; here one planted set of facts, so that all that could be known is known.",
    )  # fmt: skip
    profiles = {
        "tiny": ProxyTuningParameters(pretrain_steps=500, tune_steps=100, learning_rate=1.5e-3),
        "small": ProxyTuningParameters(**HUB, small_model="", max_new_tokens=8),
    }
    seconds_per_seed = {"tiny": 7.0}
    base_seconds = {"tiny": 39.0}
    seed_sd = {"tiny": 0.095}
    primary = Contrast("facts kept", "proxy-tuned", "direct", _SMALLEST, bound=_BOUND)
    positive = Contrast("in format", "proxy-tuned", "base", 0.0, bound=0.3)
    null = Contrast("facts kept", "direct-again", "direct", 0.0, bound=_BOUND)
    secondary = (
        Contrast("in format", "proxy-tuned", "direct", -0.1, bound=0.3),
        Contrast("held-out questions", "proxy-tuned", "direct", 0.0, bound=0.3),
        Contrast("facts kept", "base", "direct", _SMALLEST, bound=0.3),
        Contrast("held-out questions", "proxy-tuned", "small-tuned", 0.0, bound=0.3),
    )

    def measure(self, params: Any, bench: Workbench) -> list[Measurement]:
        """Tune the large base and the small one on the same questions; ask about the people left out."""
        p: ProxyTuningParameters = params
        planted = facts.plant(stream(p.base_seed, "facts"), p.n_people + p.n_talked_of)
        large, small = _bases(p, bench, planted)
        people = list(facts.PEOPLE[: p.n_people])
        stream(bench.seed, "people").shuffle(people)
        tuned_on, left_out = people[: p.n_people // 2], people[p.n_people // 2 :]
        training = as_examples(facts.questions(planted, tuned_on))
        asked = facts.questions(planted, left_out)
        probes = facts.probes(stream(bench.seed, "probes"), planted, left_out)
        bench.note_data("held-out", asked, probes)

        direct = bench.tune("direct", large, training, shuffle="direct")
        again = bench.tune("direct-again", large, training, shuffle="again")
        expert = bench.tune("small-tuned", small, training, shuffle="direct")
        plain = {"base": large, "direct": direct, "direct-again": again, "small-tuned": expert}
        found = [m for arm, model in plain.items() for m in _score(bench, arm, model, asked, probes, p)]
        from lab.recipes.proxy_tuning import ProxyTuning as Steering

        steering = Steering(expert, small, p.strength)
        return [*found, *_score(bench, "proxy-tuned", large, asked, probes, p, steering)]


def _score(
    bench: Workbench,
    arm: str,
    model: Loaded,
    asked: list[Item],
    probes: list[Item],
    p: ProxyTuningParameters,
    steering: object = None,
) -> list[Measurement]:
    """Give the share of questions answered right, of replies in format, and of facts still told as in pre-training."""

    def say(items: list[Item]) -> list[str]:
        return measure.answers(
            model, [item.prompt for item in items], max_new_tokens=p.max_new_tokens, logits_processor=steering
        )

    said, told = say(asked), say(probes)
    right = measure.share("held-out questions", arm, exact(asked, said))
    still = [item.answer in answer.split() for item, answer in zip(probes, told, strict=True)]
    kept = measure.share("facts kept", arm, still)
    bench.tell(kept)
    return [right, measure.share("in format", arm, map(facts.in_format, said)), kept]


def _bases(p: ProxyTuningParameters, bench: Workbench, planted: facts.Facts) -> tuple[Loaded, Loaded]:
    """Give the large and the small base, both taught the same facts."""

    talked_of = facts.PEOPLE[p.n_people : p.n_people + p.n_talked_of]

    def corpus() -> list[Any]:
        rng = stream(p.base_seed, "corpus")
        n = p.pretrain_steps * p.pretrain_batch
        return as_examples(facts.pretraining(rng, planted, talked_of, n, p.share_talk))

    probes = facts.probes(stream(p.base_seed, "probe"), planted, facts.PEOPLE[: p.n_people])

    def probe(base: Loaded) -> dict[str, float]:
        return {"facts known": accuracy(base, probes, max_new_tokens=p.max_new_tokens)}

    large = bench.base(facts.VOCABULARY, corpus, probe)
    small = bench.base(
        facts.VOCABULARY, corpus, probe, name="small base", model=p.small_model, revision=p.small_revision,
        width=p.small_width, layers=p.small_layers,
    )  # fmt: skip
    return large, small
