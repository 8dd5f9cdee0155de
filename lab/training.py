"""What every recipe's trainer shares: arguments that fit the device, and progress that is told and kept.

TRL's defaults (bf16 and gradient checkpointing) cost a tiny model on a CPU several times the time of fp32 without them;
`tests/benchmarks/lab_overhead.py` measures both. One thread is faster than two for models of this size.
"""

import time
import warnings
from pathlib import Path
from typing import Any, TypeVar

import torch
from transformers import (
    PrinterCallback,
    Trainer,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)
from transformers.utils import logging as transformers_logging

from lab.models import TINY, Loaded, copy_of
from lab.steps import Point, Steps, Tell, Trained

Arguments = TypeVar("Arguments", bound=TrainingArguments)


def arguments(kind: type[Arguments], out: Path, steps: Steps, seed: int, loaded: Loaded, **more: Any) -> Arguments:
    """Give a trainer's arguments: nothing saved, nothing sent, fp32 on a CPU and bf16 on a GPU."""
    on_gpu = loaded.model.device.type == "cuda"
    made: Arguments = kind(
        output_dir=str(out),
        max_steps=steps.steps,
        per_device_train_batch_size=steps.batch_size,
        learning_rate=steps.learning_rate,
        lr_scheduler_type="cosine",
        warmup_steps=steps.warmup_steps,
        weight_decay=0.01,
        adam_beta2=0.98,
        max_grad_norm=1.0,
        bf16=on_gpu,
        gradient_checkpointing=False,
        use_cpu=not on_gpu,
        seed=seed % 2**31,
        data_seed=seed % 2**31,
        report_to=[],
        save_strategy="no",
        logging_steps=max(1, steps.steps // 20),
        disable_tqdm=True,
        dataloader_pin_memory=False,
        **more,
    )
    return made


def settle(loaded: Loaded) -> None:
    """Quieten the libraries and choose the number of threads for a model of this size."""
    import datasets

    # TRL sets the deprecated default itself; nothing here can heed the warning.
    warnings.filterwarnings("ignore", message=".*gradient_checkpointing.*", category=FutureWarning)
    datasets.disable_progress_bars()
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    if loaded.parameters < TINY and loaded.model.device.type == "cpu":
        torch.set_num_threads(1)


def adapter(loaded: Loaded, steps: Steps) -> Any:
    """Give a LoRA configuration for a model too large to be trained whole; None for a tiny one."""
    if loaded.parameters < TINY:
        return None
    from peft import LoraConfig

    return LoraConfig(
        r=steps.lora_rank, lora_alpha=2 * steps.lora_rank, lora_dropout=0.0, target_modules="all-linear",
        task_type="CAUSAL_LM",
    )  # fmt: skip


def train(trainer: Trainer, start: Loaded, tell: Tell, arm: str, phase: str) -> Trained:
    """Run a trainer, telling its progress, and give back the model free of the trainer's hooks."""
    progress = _Progress(tell, arm, phase)
    trainer.remove_callback(PrinterCallback)
    trainer.add_callback(progress)
    began = time.monotonic()
    trainer.train()
    seconds = time.monotonic() - began
    model = trainer.model
    if hasattr(model, "merge_and_unload"):
        model = model.merge_and_unload()
    return Trained(copy_of(Loaded(model, start.tokenizer, start.origin)), progress.curve, seconds)


class _Progress(TrainerCallback):  # type: ignore[misc]  # transformers is a foreign door
    """Tells each logged step and keeps the curve."""

    def __init__(self, tell: Tell, arm: str, phase: str) -> None:
        self.curve: list[Point] = []
        self._tell = tell
        self._arm = arm
        self._phase = phase
        self._began = 0.0

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        self._began = time.monotonic()

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Any] | None = None,
        **_: Any,
    ) -> None:
        if not logs or "loss" not in logs:
            return
        loss = float(logs["loss"])
        self.curve.append(Point(state.global_step, round(loss, 5)))
        spent = time.monotonic() - self._began
        self._tell(
            arm=self._arm,
            phase=self._phase,
            step=state.global_step,
            steps=state.max_steps,
            loss=loss,
            seconds_left=spent / state.global_step * (state.max_steps - state.global_step),
        )
