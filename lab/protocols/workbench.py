"""Where a protocol works: it gives the base, trains arms, measures answers, and keeps what has to be on record."""

import resource
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from claims.experiment import Measurement
from lab import measure, models
from lab.models import Loaded
from lab.protocols.design import Parameters
from lab.protocols.protocol import Report
from lab.provenance import package_versions
from lab.steps import Point, Steps
from lab.worlds.task import Example, Item, Pair, data_digest, exact, stream

Probe = Callable[[Loaded], dict[str, float]]
"""Scores that show that a base learned its world."""


class Workbench:
    """The tools of one seed. Everything random takes a seed made from the run's seed and a purpose."""

    def __init__(self, params: Parameters, *, seed: int, folder: Path, report: Report, protocol: str) -> None:
        self.seed = seed
        self.folder = folder
        self._report = report
        self._params = params
        self._protocol = protocol
        self._data: dict[str, str] = {}
        self._curves: dict[str, list[Point]] = {}
        self._bases: dict[str, dict[str, Any]] = {}
        self._devices: dict[str, dict[str, str]] = {}
        self._train_seconds: dict[str, float] = {}
        self._scale = 0
        self._began = time.monotonic()
        self._base_seconds = 0.0
        self._base_since: float | None = None

    def report(self, **said: Any) -> None:
        """Tell where the run is, as `lab.protocols.protocol.Report` has it, with the time that went into bases."""
        self._report(**said, base_seconds=round(self._in_bases(), 2))

    def base(
        self,
        vocabulary: Sequence[str],
        corpus: Callable[[], Sequence[Example]],
        probe: Probe,
        *,
        name: str = "base",
        model: str | None = None,
        revision: str | None = None,
        width: int | None = None,
        layers: int | None = None,
    ) -> Loaded:
        """Give the model that the arms start from, pre-trained on the world's corpus (or taught it, for a hub model).

        Cached by the digest of everything that goes into it. `probe` scores it once, when it is built; its scores and
        the learning curve go on record. The last arguments are for a second base of another size; they default to the
        parameters.
        """
        p = self._params
        size = models.Shape(width=width or p.width, layers=layers or p.layers, heads=p.heads, context=p.context)
        steps = Steps(
            steps=p.pretrain_steps,
            batch_size=p.pretrain_batch,
            learning_rate=p.pretrain_learning_rate,
            warmup_steps=max(1, p.pretrain_steps // 20),
            lora_rank=p.lora_rank,
        )
        examples = corpus()
        source, pin = (p.model, p.revision) if model is None else (model, revision or "")

        from lab.recipes import sft

        def build() -> tuple[Loaded, dict[str, Any]]:
            start = (
                models.build_tiny(size, vocabulary, p.base_seed)
                if source == "tiny"
                else models.load_pinned(source, pin)
            )
            trained = sft.run(
                start, examples, steps, seed=p.base_seed, out=self.folder / name, tell=self.report, arm=name,
                phase="pretrain",
            )  # fmt: skip
            self.report(arm=name, phase="evaluate", message="probing the base")
            return trained.loaded, {
                "curve": [list(point) for point in trained.curve],
                "seconds": round(trained.seconds, 2),
                "probes": probe(trained.loaded),
            }

        packages = package_versions()
        recipe = {
            "built_by": 2,
            "model": source if source == "tiny" else models.identity(source, pin),
            "packages": {name: packages.get(name) for name in ("torch", "transformers", "trl", "peft")},
            # A GPU trains in another precision than a processor: the base is another one.
            "has_cuda": models.has_cuda(),
            "shape": size.model_dump(),
            "steps": steps.model_dump(),
            "seed": p.base_seed,
            "vocabulary": list(vocabulary),
            "corpus": data_digest(examples),
        }
        self._base_since = time.monotonic()
        loaded, self._bases[name] = models.cached(recipe, build)
        self._base_seconds, self._base_since = self._in_bases(), None
        self._note_model(name, loaded)
        return loaded

    def tune(
        self,
        arm: str,
        start: Loaded,
        examples: Sequence[Example],
        *,
        steps: int | None = None,
        batch_size: int | None = None,
        learning_rate: float | None = None,
        shuffle: str = "order",
    ) -> Loaded:
        """Fine-tune a copy of `start` on the examples. Arms with one `shuffle` share the order's seed."""
        from lab.recipes import sft

        how = self.steps(steps=steps, batch_size=batch_size, learning_rate=learning_rate)
        self.note_data(arm, examples)
        trained = sft.run(
            start, examples, how, seed=self.number(shuffle), out=self.folder / arm, tell=self.report, arm=arm
        )
        return self.keep(arm, trained.loaded, trained.curve, trained.seconds)

    def prefer(
        self,
        arm: str,
        start: Loaded,
        pairs: Sequence[Pair],
        *,
        beta: float,
        steps: int | None = None,
        batch_size: int | None = None,
        learning_rate: float | None = None,
    ) -> Loaded:
        """Train a copy of `start` with DPO on the pairs."""
        from lab.recipes import dpo

        how = self.steps(steps=steps, batch_size=batch_size, learning_rate=learning_rate)
        self.note_data(arm, pairs)
        trained = dpo.run(
            start, pairs, how, beta=beta, seed=self.number(arm), out=self.folder / arm, tell=self.report, arm=arm
        )
        return self.keep(arm, trained.loaded, trained.curve, trained.seconds)

    def reinforce(
        self,
        arm: str,
        start: Loaded,
        items: Sequence[Item],
        reward: Callable[[Item, str], float],
        *,
        group: int,
        beta: float,
        max_new_tokens: int,
        steps: int | None = None,
        batch_size: int | None = None,
        learning_rate: float | None = None,
    ) -> Loaded:
        """Train a copy of `start` with GRPO on its own answers to the items."""
        from lab.recipes import grpo

        how = self.steps(steps=steps, batch_size=batch_size, learning_rate=learning_rate)
        self.note_data(arm, items)
        trained = grpo.run(
            start, items, reward, how, group=group, max_new_tokens=max_new_tokens, beta=beta, seed=self.number(arm),
            out=self.folder / arm, tell=self.report, arm=arm,
        )  # fmt: skip
        return self.keep(arm, trained.loaded, trained.curve, trained.seconds)

    def steps(
        self, *, steps: int | None = None, batch_size: int | None = None, learning_rate: float | None = None
    ) -> Steps:
        """Give the tuning steps of the parameters, with what is named changed."""
        p = self._params
        return Steps(
            steps=steps or p.tune_steps,
            batch_size=batch_size or p.batch_size,
            learning_rate=learning_rate or p.learning_rate,
            lora_rank=p.lora_rank,
        )

    def keep(self, arm: str, loaded: Loaded, curve: list[Point], seconds: float) -> Loaded:
        """Put a trained arm's curve on record and give its model back."""
        self._curves.setdefault(arm, []).extend(curve)
        self._train_seconds[arm] = round(self._train_seconds.get(arm, 0.0) + seconds, 3)
        self._note_model(arm, loaded)
        return loaded

    def _in_bases(self) -> float:
        """Seconds that bases took so far; waiting for another seed that builds one is in it."""
        return self._base_seconds + (0.0 if self._base_since is None else time.monotonic() - self._base_since)

    def _note_model(self, name: str, loaded: Loaded) -> None:
        self._devices[name] = models.whereabouts(loaded)
        self._scale = max(self._scale, loaded.parameters)

    def note_data(self, arm: str, *parts: Sequence[tuple[str, ...]]) -> None:
        """Put the digest of an arm's data on record."""
        self._data[arm] = data_digest(*parts)

    def score(
        self,
        arm: str,
        loaded: Loaded,
        items: Sequence[Item],
        *,
        name: str = "accuracy",
        max_new_tokens: int = 12,
        is_primary: bool = True,
    ) -> Measurement:
        """Give the share of items that are answered exactly right, greedily.

        is_primary: whether that is the primary metric, and told as such while the run works.
        """
        said = measure.answers(loaded, [item.prompt for item in items], max_new_tokens=max_new_tokens)
        found = measure.share(name, arm, exact(items, said))
        if is_primary:
            self.tell(found)
        return found

    def tell(self, found: Measurement) -> None:
        """Show an arm's primary metric to whoever watches."""
        self.report(arm=found.arm, phase="evaluate", metric=found.value)

    def number(self, *names: str | int) -> int:
        """Give a seed for one purpose, below 2**31."""
        return stream(self.seed, self._protocol, *names).randrange(2**31)

    def record(self) -> dict[str, object]:
        """Give what is needed to run it again, and the curves."""
        usage = resource.getrusage(resource.RUSAGE_SELF)
        return {
            "parameters": self._params.model_dump(),
            "scale_params": self._scale,
            "bases": self._bases,
            "devices": self._devices,
            "data_digest": self._data,
            "curves": {arm: [list(point) for point in curve] for arm, curve in self._curves.items()},
            "train_seconds": self._train_seconds,
            "base_seconds": round(self._base_seconds, 2),
            "wall_seconds": round(time.monotonic() - self._began, 2),
            "cpu_seconds": round(usage.ru_utime + usage.ru_stime, 2),
        }


def accuracy(loaded: Loaded, items: Sequence[Item], *, max_new_tokens: int = 12) -> float:
    """Give the share of items that are answered exactly right, greedily: for probes, outside the record."""
    hits = exact(items, measure.answers(loaded, [item.prompt for item in items], max_new_tokens=max_new_tokens))
    return round(sum(hits) / len(hits), 4)
