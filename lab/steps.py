"""The words of training: how long and how fast, what comes back, and who is told. Importing it costs no torch."""

from collections.abc import Callable
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from lab.models import Loaded

Tell = Callable[..., None]
"""Takes the progress of a run, as `lab.protocols.protocol.Report` does (which lies above this file on the map)."""


class Steps(BaseModel):
    """How long and how fast to train. All arms of a protocol that are equal in compute share one."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    steps: int = Field(ge=1)
    batch_size: int = Field(ge=1)
    """examples a step"""
    learning_rate: float = Field(gt=0)
    warmup_steps: int = Field(default=5, ge=0)
    lora_rank: int = Field(default=16, ge=1)
    """only for models too large to be trained whole"""


class Point(NamedTuple):
    """One point of a learning curve."""

    step: int
    loss: float


class Trained(NamedTuple):
    """What a recipe gives back."""

    loaded: Loaded
    curve: list[Point]
    seconds: float
    """wall time of the training loop"""
