"""Do shared data and procedure make models alike, and does a heterogeneous pipeline break the floor?

After arXiv:2510.22954. Several models start from one base. They are tuned on one source by one procedure, or each on
sources of its own, passed by several validators. Their sampled answers to open prompts are compared between models.
"""

from typing import Any, ClassVar

from pydantic import Field

from claims.experiment import Measurement, PreRegistration
from lab import measure
from lab.models import Loaded
from lab.protocols.design import ALPHA, HUB, MAX_SEEDS, Contrast, Count, Design, Parameters
from lab.protocols.workbench import Workbench
from lab.worlds import open_prompts
from lab.worlds.task import Example, stream


class HomogeneityParameters(Parameters):
    """How many models, and how steep and how filtered their sources are."""

    n_models: Count = Field(default=3, ge=2)
    """in each group"""
    n_examples: Count = Field(default=200, ge=8)
    """examples of each model"""
    steepness: float = Field(default=1.2, ge=0, le=100)
    """of the sources; 1.2 gives the favourite of ten about 0.36"""
    base_steepness: float = Field(default=0.5, ge=0, le=100)
    """of the pre-training that all models share"""
    n_validators: Count = Field(default=3, ge=1)
    n_dislikes: int = Field(default=3, ge=0, le=9)
    """answers of each topic that a validator turns away"""
    samples: Count = Field(default=16, ge=2)
    """answers of each model to each prompt"""


_SMALLEST = 0.05
_BOUND = 0.15


class Homogeneity(Design):
    """Models tuned on one source against models tuned each on validated sources of its own."""

    name = "homogeneity"
    title = "Shared data and procedure against a heterogeneous pipeline"
    family = (
        "Shared data and alignment procedures homogenise models on open prompts; heterogeneity may break the floor."
    )
    registration: ClassVar[PreRegistration] = PreRegistration(
        hypothesis="Models tuned on the same source by the same procedure give the same answers to open prompts; "
        "models tuned each on validated sources of its own do not.",
        prediction="Similarity between models with shared data minus that with heterogeneous data lies above 0.05.",
        arms=("base", "shared", "shared-again", "heterogeneous", "other-source", "one-answer"),
        primary_metric="similarity",
        contrast="shared - heterogeneous",
        smallest_effect=_SMALLEST,
        smallest_effect_because="Ten valid answers chosen evenly agree by chance in 0.10 of cases; half of that is the "
        "least change of the floor worth a second pipeline.",
        alpha=ALPHA,
        max_seeds=MAX_SEEDS,
        equalised="Base, steps, and examples: every tuned model starts from one base and takes as many steps on as "
        "many examples.",
        positive_control="one-answer - base: models tuned on one answer a topic must become alike.",
        null_arm="shared-again - shared: two more draws from the same source, in another order.",
        threats=(
            "Similarity counts equal words; models of one source differ by sampling alone, as the base does.",
            "What validators turn away is drawn at random; real validators may share a taste.",
            "Topics are the same in tuning and testing: nothing is said about unseen prompts.",
            "`other-source` separates what other sources do from what validators add.",
        ),
        departs_from="arXiv:2510.22954 samples more than 70 released models on 26,000 open queries and compares "
        "embeddings; here the pipelines are made, answers are single words.",
    )  # fmt: skip
    profiles = {
        "tiny": HomogeneityParameters(pretrain_steps=250, tune_steps=60, learning_rate=1e-3),
        "small": HomogeneityParameters(**HUB),
    }
    seconds_per_seed = {"tiny": 16.0}
    base_seconds = {"tiny": 14.0}
    seed_sd = {"tiny": 0.02}
    primary = Contrast("similarity", "shared", "heterogeneous", _SMALLEST, bound=_BOUND)
    positive = Contrast("similarity", "one-answer", "base", 0.0, bound=0.3)
    null = Contrast("similarity", "shared-again", "shared", 0.0, bound=_BOUND)
    secondary = (
        Contrast("similarity", "shared", "base", 0.0, bound=_BOUND),
        Contrast("similarity", "heterogeneous", "base", 0.0, bound=_BOUND),
        Contrast("similarity", "other-source", "heterogeneous", 0.0, bound=_BOUND),
        Contrast("valid answers", "heterogeneous", "shared", 0.0, bound=_BOUND),
    )

    def measure(self, params: Any, bench: Workbench) -> list[Measurement]:
        """Tune each group's models from one base, sample their answers, compare between models of a group."""
        p: HomogeneityParameters = params
        base = _base(p, bench)
        one = open_prompts.source(stream(bench.seed, "one source"), p.steepness)
        own = [open_prompts.source(stream(bench.seed, "own source", i), p.steepness) for i in range(p.n_models)]
        judges = [
            open_prompts.validator(stream(bench.seed, "validator", i), p.n_dislikes) for i in range(p.n_validators)
        ]

        def data(arm: str, i: int) -> list[Example]:
            rng = stream(bench.seed, arm, i)
            if arm == "one-answer":
                flat = open_prompts.Source({t: r[:1] for t, r in one.ranking.items()}, 0.0)
                return open_prompts.answered(rng, [flat], p.n_examples)
            if arm.startswith("shared"):
                # One data set for the whole group: only the order of training differs between its models.
                return open_prompts.answered(stream(bench.seed, arm), [one], p.n_examples)
            if arm == "other-source":
                return open_prompts.answered(rng, [own[i]], p.n_examples)
            mixed = open_prompts.answered(rng, [own[i], own[(i + 1) % p.n_models]], 8 * p.n_examples)
            return open_prompts.passed(mixed, judges)[: p.n_examples]

        found = _compare(p, bench, "base", [base] * p.n_models)
        for arm in ("shared", "shared-again", "heterogeneous", "other-source", "one-answer"):
            n = 2 if arm == "one-answer" else p.n_models
            models = [bench.tune(f"{arm} {i}", base, data(arm, i), shuffle=f"{arm} {i}") for i in range(n)]
            found += _compare(p, bench, arm, models)
        return found


def _compare(p: HomogeneityParameters, bench: Workbench, arm: str, models: list[Loaded]) -> list[Measurement]:
    """Give the similarity between the models over all prompts, and the share of their answers that are valid."""
    items = open_prompts.prompts()
    repeated = [item.prompt for item in items for _ in range(p.samples)]
    said = [
        measure.answers(model, repeated, max_new_tokens=3, temperature=1.0, seed=bench.number("samples", arm, i))
        for i, model in enumerate(models)
    ]
    by_prompt = [[one[k * p.samples : (k + 1) * p.samples] for one in said] for k in range(len(items))]
    alike = measure.share("similarity", arm, [open_prompts.similarity(answers) for answers in by_prompt])
    valid = [
        open_prompts.is_valid(item, a)
        for item, answers in zip(items, by_prompt, strict=True)
        for o in answers
        for a in o
    ]
    bench.tell(alike)
    return [alike, measure.share("valid answers", arm, valid)]


def _base(params: HomogeneityParameters, bench: Workbench) -> Any:
    """Give the base that all models share: it answers validly, with favourites of the common corpus."""
    corpus_source = open_prompts.source(stream(params.base_seed, "corpus source"), params.base_steepness)

    def corpus() -> list[Example]:
        n = params.pretrain_steps * params.pretrain_batch
        return open_prompts.answered(stream(params.base_seed, "corpus"), [corpus_source], n)

    def probe(base: Loaded) -> dict[str, float]:
        items = open_prompts.prompts()
        said = measure.answers(base, [i.prompt for i in items], max_new_tokens=3, temperature=1.0)
        return {"valid answers": sum(map(open_prompts.is_valid, items, said)) / len(items)}

    return bench.base(open_prompts.VOCABULARY, corpus, probe)
