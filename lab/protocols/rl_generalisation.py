"""Does GRPO sharpen memory and drop out of distribution? After the claim on fine-tuned models and optimisation.

The base has met constrained choices of many sizes, not for long. It is tuned on size n by imitation, and then goes
on with GRPO, or with more imitation, on size n. All are scored on n, n-1 and n+1.
"""

import math
from functools import partial
from typing import Any, ClassVar, Self

from pydantic import Field, model_validator

from claims.experiment import Measurement, PreRegistration
from lab.protocols.design import ALPHA, HUB, MAX_SEEDS, Contrast, Count, Design, Parameters
from lab.protocols.workbench import Workbench, accuracy
from lab.worlds import constraints
from lab.worlds.task import as_examples, stream


class RLGeneralisationParameters(Parameters):
    """Sizes of the problems, and how GRPO is run."""

    size: int = Field(default=4, ge=4, le=7)
    """n: numbers of a training problem"""
    n_examples: Count = Field(default=96, ge=8)
    """problems of size n that are imitated"""
    n_prompts: Count = Field(default=320, ge=8)
    """problems of size n, without answers, that GRPO samples on"""
    grpo_steps: Count = Field(default=60, ge=1)
    grpo_batch: Count = Field(default=64, ge=4)
    """answers a step"""
    group: Count = Field(default=8, ge=2)
    """answers to one problem"""
    grpo_learning_rate: float = Field(default=5e-4, gt=0, le=1)
    beta: float = Field(default=0.0, ge=0)
    """weight of the divergence from the model that GRPO starts from"""

    @model_validator(mode="after")
    def _groups_fill_the_batch(self) -> Self:
        if self.grpo_batch % self.group:
            raise ValueError(f"grpo_batch {self.grpo_batch} is no multiple of group {self.group}")
        return self


_SMALLEST = 0.03
_BOUND = 0.1


class RLGeneralisation(Design):
    """GRPO on size n after imitation: its gain on n against its gain on n-1."""

    name = "rl-generalisation"
    version = 2
    """2: GRPO is compared with its own start; in 1, which pilots ran, it was with more imitation (lab/LOG.md)"""
    title = "GRPO: gain in distribution against change out of distribution"
    family = "RL fine-tuning (GRPO) sharpens memorised templates and drops on out-of-distribution variants."
    registration: ClassVar[PreRegistration] = PreRegistration(
        hypothesis="GRPO on problems of size n gains on size n, but not on size n-1: it sharpens a template instead of "
        "teaching a procedure.",
        prediction="What GRPO gains over its start on n exceeds what it gains on n-1: half the difference lies above "
        "0.03.",
        arms=("base", "sft", "sft-longer", "sft-longer-again", "sft+grpo"),
        primary_metric="specialisation",
        contrast="sft+grpo - sft",
        smallest_effect=_SMALLEST,
        smallest_effect_because="Specialisation is (1 + accuracy on n - accuracy on n-1) / 2, so 0.03 is a gap of six "
        "points between the two gains: below that one would not speak of a drop.",
        alpha=ALPHA,
        max_seeds=MAX_SEEDS,
        equalised="Prompts and updates: after the shared imitation, each longer arm takes as many further updates on "
        "the same prompts of size n; GRPO's come from its own sampled answers and cost more compute.",
        positive_control="sft+grpo - sft in accuracy on n: GRPO must gain at all where it is trained.",
        null_arm="sft-longer-again - sft-longer: imitation in another order, in specialisation.",
        threats=(
            "n-1 is the easier problem, so all arms may sit near its ceiling; accuracies are reported beside.",
            "The base has met sizes n-1 and n+1 in pre-training, as a language model may have met any variant.",
            "GRPO's updates are few; a longer run may specialise more.",
        ),
        departs_from="The claim speaks of models fine-tuned on optimisation problems and tested with one element less; "
        "it names no paper. GRPO follows arXiv:2402.03300 section 4.1 without its divergence term. Here: one choice "
        "among n numbers, 0.13 million parameters.",
    )  # fmt: skip
    profiles = {
        "tiny": RLGeneralisationParameters(
            pretrain_steps=150, tune_steps=20, learning_rate=1e-3, n_items=400
        ),
        "small": RLGeneralisationParameters(**HUB, grpo_learning_rate=2e-5, grpo_steps=100),
    }  # fmt: skip
    seconds_per_seed = {"tiny": 10.0}
    base_seconds = {"tiny": 11.0}
    seed_sd = {"tiny": 0.022}
    primary = Contrast("specialisation", "sft+grpo", "sft", _SMALLEST, bound=_BOUND)
    saturable = ("accuracy on n", "accuracy on n-1")
    positive = Contrast("accuracy on n", "sft+grpo", "sft", 0.0, bound=0.2)
    null = Contrast("specialisation", "sft-longer-again", "sft-longer", 0.0, bound=_BOUND)
    secondary = (
        Contrast("specialisation", "sft+grpo", "sft-longer", _SMALLEST, bound=_BOUND),
        Contrast("accuracy on n-1", "sft+grpo", "sft", 0.0, bound=0.2),
        Contrast("accuracy on n+1", "sft+grpo", "sft", 0.0, bound=0.2),
    )

    def measure(self, params: Any, bench: Workbench) -> list[Measurement]:
        """Imitate, go on in two ways, and score all on three sizes."""
        p: RLGeneralisationParameters = params
        base = _base(p, bench)
        drawn = constraints.problems(stream(bench.seed, "train"), p.n_examples + p.n_prompts + p.n_items, p.size)
        examples = as_examples(drawn[: p.n_examples])
        prompts = drawn[p.n_examples : p.n_examples + p.n_prompts]
        held_out = {
            "accuracy on n": drawn[p.n_examples + p.n_prompts :],
            "accuracy on n-1": constraints.problems(stream(bench.seed, "fewer"), p.n_items, p.size - 1),
            "accuracy on n+1": constraints.problems(stream(bench.seed, "more"), p.n_items, p.size + 1),
        }
        bench.note_data("held-out", *held_out.values())
        first = bench.tune("sft", base, examples)
        imitate = partial(bench.tune, steps=p.grpo_steps, batch_size=p.grpo_batch, learning_rate=p.learning_rate / 2)
        arms = {
            "base": base,
            "sft": first,
            "sft-longer": imitate("sft-longer", first, as_examples(prompts), shuffle="more"),
            "sft-longer-again": imitate("sft-longer-again", first, as_examples(prompts), shuffle="again"),
            "sft+grpo": bench.reinforce(
                "sft+grpo", first, prompts, constraints.reward, group=p.group, beta=p.beta, max_new_tokens=2,
                steps=p.grpo_steps, batch_size=p.grpo_batch, learning_rate=p.grpo_learning_rate,
            ),
        }  # fmt: skip
        found = []
        for arm, model in arms.items():
            scores = [
                bench.score(arm, model, items, name=name, max_new_tokens=2, is_primary=False)
                for name, items in held_out.items()
            ]
            special = specialisation(scores[0], scores[1])
            bench.tell(special)
            found += [*scores, special]
        return found


def specialisation(on_n: Measurement, on_fewer: Measurement) -> Measurement:
    """Give (1 + accuracy on n - accuracy on n-1) / 2, with the item spread of both. They were asked as many items."""
    values = [one.value for one in (on_n, on_fewer) if one.value is not None]
    spreads = [one.item_sd for one in (on_n, on_fewer) if one.item_sd is not None]
    assert len(values) == len(spreads) == 2 and on_n.n == on_fewer.n, "both sizes were asked the same number of items"
    return Measurement(
        name="specialisation",
        arm=on_n.arm,
        value=(1 + values[0] - values[1]) / 2,
        n=on_n.n,
        # The items of the two sizes are drawn independently: variances add, and the half is squared.
        item_sd=math.hypot(*spreads) / 2,
    )


def _base(params: RLGeneralisationParameters, bench: Workbench) -> Any:
    """Give the base that has met problems of many sizes, under another question word, and not for long."""
    sizes = range(max(2, params.size - 2), min(8, params.size + 2) + 1)

    def corpus() -> list[Any]:
        rng = stream(params.base_seed, "corpus")
        n = params.pretrain_steps * params.pretrain_batch
        return as_examples([constraints.problem(rng, rng.choice(sizes), "?") for _ in range(n)])

    rng = stream(params.base_seed, "probe")
    probes = {size: [constraints.problem(rng, size, "?") for _ in range(200)] for size in sizes}
    return bench.base(
        constraints.VOCABULARY,
        corpus,
        lambda base: {f"size {size}": accuracy(base, items, max_new_tokens=2) for size, items in probes.items()},
    )
