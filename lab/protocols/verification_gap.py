"""Is self-improvement bounded by the generation-verification gap? After arXiv:2412.02674.

A base solves puzzles poorly. In each round it samples answers to puzzles without a key, some of them are kept, and it
is tuned on those. What keeps them differs: agreement among its own answers, an exact verifier, or nothing.
"""

from collections.abc import Callable
from typing import Any, ClassVar

from pydantic import Field

from claims.experiment import Measurement, PreRegistration
from lab import measure
from lab.models import Loaded
from lab.protocols.design import ALPHA, HUB, MAX_SEEDS, Contrast, Count, Design, Parameters
from lab.protocols.workbench import Workbench, accuracy
from lab.worlds import puzzles
from lab.worlds.task import Example, Item, as_examples, stream


class VerificationGapParameters(Parameters):
    """Rounds and samples."""

    length: int = Field(default=5, ge=3, le=8)
    """digits of a puzzle"""
    rounds: int = Field(default=2, ge=1, le=20)
    n_puzzles: Count = Field(default=160, ge=4)
    """puzzles without a key in each round"""
    samples: Count = Field(default=6, ge=2)
    """answers to each"""
    temperature: float = Field(default=0.7, gt=0)


Keep = Callable[[list[str], list[Item]], list[bool]]
"""Which of its own answers a model is tuned on."""

_SMALLEST = 0.05
_BOUND = 0.15


class VerificationGap(Design):
    """Rounds of self-training on self-verified answers, against externally verified ones, against all."""

    name = "verification-gap"
    title = "Self-improvement with its own and with an external verifier"
    family = "Self-improvement is bounded by the generation-verification gap and needs external validation."
    registration: ClassVar[PreRegistration] = PreRegistration(
        hypothesis="A model that filters its own answers gains no more than its filter is better than its answers; an "
        "external verifier lifts that bound.",
        prediction="After the same rounds, external minus self-verified accuracy lies above 0.05.",
        arms=("base", "unfiltered", "unfiltered-again", "self-verified", "externally-verified"),
        primary_metric="accuracy",
        contrast="externally-verified - self-verified",
        smallest_effect=_SMALLEST,
        smallest_effect_because="Five points after all rounds are what the paper's models gain in one or two rounds; "
        "less would not make anyone build a verifier.",
        alpha=ALPHA,
        max_seeds=MAX_SEEDS,
        equalised="Puzzles, samples and steps: every arm samples as many answers to the same puzzles in each round and "
        "takes as many steps; filters leave different numbers of answers to learn from.",
        positive_control="externally-verified - unfiltered: a perfect filter must help at all.",
        null_arm="unfiltered-again - unfiltered: the same round with other samples.",
        threats=(
            "Self-verification is agreement among samples; a model asked to judge its answers may verify differently. "
            "A pilot with judging learned in pre-training stayed at chance (lab/LOG.md).",
            "Few rounds: a plateau is only seen in the gain per round.",
            "The external verifier is exact, as no verifier of open tasks is.",
        ),
        departs_from="arXiv:2412.02674 sections 3 and 4 measure the gap of hub models from 0.5B to 72B by reweighting, "
        "without training in most experiments, and verify by prompting; here every round trains, and the filter is "
        "agreement.",
    )  # fmt: skip
    profiles = {
        "tiny": VerificationGapParameters(
            pretrain_steps=60, pretrain_batch=48, tune_steps=40, learning_rate=1e-3, batch_size=32
        ),
        "small": VerificationGapParameters(**HUB, tune_steps=60),
    }
    seconds_per_seed = {"tiny": 13.0}
    base_seconds = {"tiny": 7.0}
    seed_sd = {"tiny": 0.042}
    primary = Contrast("accuracy", "externally-verified", "self-verified", _SMALLEST, bound=_BOUND)
    positive = Contrast("accuracy", "externally-verified", "unfiltered", 0.0, bound=0.2)
    null = Contrast("accuracy", "unfiltered-again", "unfiltered", 0.0, bound=_BOUND)
    secondary = (
        Contrast("accuracy", "self-verified", "unfiltered", 0.0, bound=_BOUND),
        Contrast("accuracy", "self-verified", "base", 0.0, bound=_BOUND),
        Contrast("kept answers right", "self-verified", "unfiltered", 0.0, bound=0.3),
        Contrast("accuracy after round 1", "externally-verified", "base", 0.0, bound=_BOUND, minus_metric="accuracy"),
    )

    def measure(self, params: Any, bench: Workbench) -> list[Measurement]:
        """Run each arm's rounds on the same puzzles, scoring after each."""
        p: VerificationGapParameters = params
        base = _base(p, bench)
        drawn = puzzles.puzzles(stream(bench.seed, "puzzles"), p.rounds * p.n_puzzles + p.n_items, p.length)
        held_out, unlabelled = drawn[: p.n_items], drawn[p.n_items :]
        bench.note_data("held-out", held_out)
        arms: dict[str, Keep] = {
            "unfiltered": lambda said, _items: [True] * len(said),
            "unfiltered-again": lambda said, _items: [True] * len(said),
            "self-verified": lambda said, _items: puzzles.agree(said, p.samples),
            "externally-verified": lambda said, items: list(map(puzzles.verify, items, said)),
        }
        found = [bench.score("base", base, held_out, max_new_tokens=p.length + 1)]
        for arm, keep in arms.items():
            found += _rounds(p, bench, arm, base, keep, unlabelled, held_out)
        return found


def _rounds(
    p: VerificationGapParameters,
    bench: Workbench,
    arm: str,
    model: Loaded,
    keep: Keep,
    unlabelled: list[Item],
    held_out: list[Item],
) -> list[Measurement]:
    """Sample, keep, tune, score; again. The first round's filter is measured, as there all arms still are the base."""
    found = []
    for number in range(1, p.rounds + 1):
        items = [i for i in unlabelled[(number - 1) * p.n_puzzles : number * p.n_puzzles] for _ in range(p.samples)]
        said = measure.answers(
            model, [item.prompt for item in items], max_new_tokens=p.length + 1, temperature=p.temperature,
            seed=bench.number("samples", "again" if arm == "unfiltered-again" else "", number),
        )  # fmt: skip
        kept = keep(said, items)
        examples = [Example(i.prompt, a) for i, a, k in zip(items, said, kept, strict=True) if k and a]
        right = [puzzles.verify(i, a) for i, a, k in zip(items, said, kept, strict=True) if k]
        if number == 1:
            found.append(measure.share("kept answers right", arm, right))
            found.append(measure.share("answers kept", arm, kept))
        if examples:
            model = bench.tune(arm, model, examples, shuffle=f"round {number} {'again' if 'again' in arm else ''}")
        last = number == p.rounds
        name = "accuracy" if last else f"accuracy after round {number}"
        found.append(bench.score(arm, model, held_out, name=name, max_new_tokens=p.length + 1))
    return found


def _base(params: VerificationGapParameters, bench: Workbench) -> Loaded:
    """Give the base that solves puzzles poorly: it was not trained for long."""

    def corpus() -> list[Example]:
        rng = stream(params.base_seed, "corpus")
        return as_examples(
            puzzles.puzzle(rng, params.length) for _ in range(params.pretrain_steps * params.pretrain_batch)
        )

    probes = puzzles.puzzles(stream(params.base_seed, "probe"), 200, params.length)
    return bench.base(puzzles.VOCABULARY, corpus, lambda base: {"solves": accuracy(base, probes)})
