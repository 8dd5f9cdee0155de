"""What the lab adds to training: a run beside the same training as a bare TRL script, and our step beside TRL's.

    python -m tests.benchmarks.lab_overhead [--steps 60] [--rounds 3] [--batch 64]

Targets: a run takes at most 1.1 times the bare script; a tiny CPU step at most a third of TRL's defaults.
Wall and processor seconds are both printed: on a busy machine the second is the fairer.
"""

import argparse
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from lab.worlds import strings
from lab.worlds.task import Example, as_examples


class Cost(NamedTuple):
    """What something took, in seconds."""

    wall: float
    cpu: float


def took(work: Callable[[], Any]) -> Cost:
    """Time one call."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return Cost(time.perf_counter() - wall, time.process_time() - cpu)


def middle(costs: list[Cost]) -> Cost:
    """Give the median of each."""
    return Cost(statistics.median(c.wall for c in costs), statistics.median(c.cpu for c in costs))


def bare(start: Any, examples: list[Example], steps: int, batch: int, out: Path, **settings: Any) -> None:
    """Train with TRL as a short script would, on the same rows; `settings` are what it sets."""
    import copy

    from datasets import Dataset
    from trl import SFTConfig, SFTTrainer

    model = copy.deepcopy(start.model)
    rows = []
    for example in examples:
        prompt = start.tokenizer(example.prompt)["input_ids"]
        completion = [*start.tokenizer(example.completion)["input_ids"], start.tokenizer.eos_token_id]
        rows.append({"input_ids": prompt + completion, "labels": [-100] * len(prompt) + completion})
    config = SFTConfig(
        output_dir=str(out),
        max_steps=steps,
        per_device_train_batch_size=batch,
        learning_rate=3e-3,
        report_to=[],
        save_strategy="no",
        disable_tqdm=True,
        use_cpu=True,
        max_length=None,
        dataset_kwargs={"skip_prepare_dataset": True},
        **settings,
    )
    SFTTrainer(
        model=model, args=config, train_dataset=Dataset.from_list(rows), processing_class=start.tokenizer
    ).train()


def main() -> None:
    """Print both ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--batch", type=int, default=64, help="examples a step; 64 is what tiny bases are trained with")
    options = parser.parse_args()

    import torch

    threads = torch.get_num_threads()
    from lab import models
    from lab.recipes import sft
    from lab.steps import Steps
    from lab.training import settle

    start = models.build_tiny(models.Shape(), strings.VOCABULARY, 0)
    settle(start)
    examples = as_examples(strings.requests(random.Random(0), 320))
    how = Steps(steps=options.steps, batch_size=options.batch, learning_rate=3e-3)
    quick = {"bf16": False, "gradient_checkpointing": False}

    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)

        def ours() -> None:
            sft.run(start, examples, how, seed=0, out=out, tell=lambda **_: None, arm="ours")

        def defaults() -> None:
            torch.set_num_threads(threads)
            bare(start, examples, options.steps, options.batch, out)
            torch.set_num_threads(1)

        ways: dict[str, Callable[[], None]] = {
            "lab recipe": ours,
            "bare TRL script, fp32": lambda: bare(start, examples, options.steps, options.batch, out, **quick),
            "bare TRL script, defaults": defaults,
        }
        for way in ways.values():
            way()  # warms up imports and allocators
        costs: dict[str, list[Cost]] = {name: [] for name in ways}
        for _ in range(options.rounds):
            for name, way in ways.items():
                costs[name].append(took(way))
    mean = {name: middle(several) for name, several in costs.items()}
    size, rounds = f"{start.parameters:,} parameters", f"median of {options.rounds}"
    print(f"{size}, {options.steps} steps of {options.batch} examples, {rounds}\n")
    print("| way | wall s | cpu s | wall ms a step |")
    print("|---|---|---|---|")
    for name, cost in mean.items():
        print(f"| {name} | {cost.wall:.2f} | {cost.cpu:.2f} | {1000 * cost.wall / options.steps:.1f} |")
    lab, plain, default = mean.values()
    print(f"\nrun / bare script (target at most 1.1): wall {lab.wall / plain.wall:.2f}, cpu {lab.cpu / plain.cpu:.2f}")
    print(f"step / TRL's defaults (at most 0.33): wall {lab.wall / default.wall:.2f}, cpu {lab.cpu / default.cpu:.2f}")


if __name__ == "__main__":
    main()
