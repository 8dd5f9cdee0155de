"""Does a small curated set match far more data? After LIMA (arXiv:2305.11206).

The base knows six operations on strings in a terse notation. Tuning teaches it to do them on request, in a chat
format with words that it never met. Held-out requests are scored by exact match.
"""

from typing import Any, ClassVar

from pydantic import Field

from claims.experiment import Measurement, PreRegistration
from lab.protocols.design import ALPHA, HUB, MAX_SEEDS, Contrast, Count, Design, Parameters
from lab.protocols.workbench import Workbench, accuracy
from lab.worlds import strings
from lab.worlds.task import as_examples, stream


class DataQuantityParameters(Parameters):
    """Sizes and the quality of the data."""

    n_curated: Count = Field(default=64, ge=4)
    """N: examples of the small curated set, balanced over operations, all right"""
    times: int = Field(default=10, ge=2, le=1000)
    """how much more the large sets hold"""
    share_wrong: float = Field(default=0.3, ge=0, le=1)
    """wrong answers in the noisy set"""


_MARGIN = -0.05
_BOUND = 0.3


class DataQuantity(Design):
    """N curated examples against 10N noisy ones, at equal compute."""

    name = "data-quantity"
    title = "A small curated set against far more data"
    family = "A small, carefully curated fine-tuning set matches training on far more data."
    registration: ClassVar[PreRegistration] = PreRegistration(
        hypothesis="Fine-tuning on N curated examples does as well as on many times as many of lesser quality, "
        "because tuning activates what the base can already do.",
        prediction="N curated minus many times as many noisy ones on held-out requests lies above -0.05 (it matches, "
        "or is better).",
        arms=(
            "base", "curated-quarter", "curated-half", "curated", "curated-again", "curated-10x", "noisy-10x",
        ),
        primary_metric="accuracy",
        contrast="curated - noisy-10x",
        smallest_effect=_MARGIN,
        smallest_effect_because="The claim says `matches`, so this is a margin of non-inferiority: five points are the "
        "largest loss that a reader would still call competitive, and about twice the item error of one seed.",
        alpha=ALPHA,
        max_seeds=MAX_SEEDS,
        equalised="Compute: every tuned arm takes the same number of steps of the same batch size at the same rate; "
        "small sets are gone through more often.",
        positive_control="curated - base: tuning must teach the format at all.",
        null_arm="curated-again - curated: another draw of N curated examples and another order of them.",
        threats=(
            "A toy world: one format, six exact operations, one base for all seeds.",
            "`Curated` here means right and balanced; style, which LIMA also curates, has no counterpart.",
            "Noise is another operation's answer; systematic noise could hurt more than noise that averages out.",
            "Equal steps give the small set many epochs; an early-stopped large set is not tried.",
        ),
        departs_from="arXiv:2305.11206 section 3 compares by human preference at 65B, 1,000 against 52,000 examples; "
        "section 5 ablates quality, diversity and quantity by a model's rating. Here: exact match, "
        "0.1 million parameters, a factor of ten, and quality as the share of right answers.",
    )  # fmt: skip
    profiles = {
        "tiny": DataQuantityParameters(),
        "small": DataQuantityParameters(**HUB, n_curated=256, tune_steps=300),
    }
    seconds_per_seed = {"tiny": 14.0}
    base_seconds = {"tiny": 30.0}
    seed_sd = {"tiny": 0.124}
    primary = Contrast("accuracy", "curated", "noisy-10x", _MARGIN, bound=_BOUND)
    positive = Contrast("accuracy", "curated", "base", 0.0, bound=_BOUND)
    null = Contrast("accuracy", "curated-again", "curated", 0.0, bound=_BOUND)
    secondary = (
        Contrast("accuracy", "curated", "curated-10x", _MARGIN, bound=_BOUND),
        Contrast("accuracy", "curated-10x", "noisy-10x", 0.05, bound=_BOUND),
        Contrast("accuracy", "curated", "curated-half", 0.05, bound=_BOUND),
        Contrast("accuracy", "curated-half", "curated-quarter", 0.05, bound=_BOUND),
    )

    def measure(self, params: Any, bench: Workbench) -> list[Measurement]:
        """Train the arms from one base, and score all of them on the same held-out requests."""
        p: DataQuantityParameters = params
        base = strings_base(p, bench)
        n, large = p.n_curated, p.n_curated * p.times
        # One long draw is cut into disjoint sets, so that no arm is tested on what any arm was tuned on.
        drawn = strings.requests(stream(bench.seed, "requests"), 2 * n + 2 * large + p.n_items)
        curated, again = drawn[:n], drawn[n : 2 * n]
        noisy = drawn[2 * n : 2 * n + large]
        more = drawn[2 * n + large : 2 * n + 2 * large]
        held_out = drawn[2 * n + 2 * large :]
        bench.note_data("held-out", held_out)
        sets = {
            "curated-quarter": as_examples(curated[: n // 4]),
            "curated-half": as_examples(curated[: n // 2]),
            "curated": as_examples(curated),
            "curated-again": as_examples(again),
            "curated-10x": as_examples(more),
            "noisy-10x": strings.noisy(stream(bench.seed, "noise"), noisy, p.share_wrong),
        }
        found = [bench.score("base", base, held_out)]
        for arm, examples in sets.items():
            tuned = bench.tune(arm, base, examples, shuffle=arm)
            found.append(bench.score(arm, tuned, held_out))
        return found


def strings_base(params: Parameters, bench: Workbench) -> Any:
    """Give the base that knows the operations in their terse notation."""

    def corpus() -> list[Any]:
        rng = stream(params.base_seed, "corpus")
        return as_examples(strings.native(rng, params.pretrain_steps * params.pretrain_batch))

    probes = strings.native(stream(params.base_seed, "probe"), 256)
    asked = strings.requests(stream(params.base_seed, "probe"), 256)
    return bench.base(
        strings.VOCABULARY,
        corpus,
        lambda base: {"native accuracy": accuracy(base, probes), "chat accuracy": accuracy(base, asked)},
    )
