"""Does one text follow from another, contradict it, or neither? The words in which the agent asks the lab."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from claims.served import ServedModel

MOST_PAIRS = 64
"""Pairs in one question: some seconds of work on two cores for a model of 100 M parameters."""

Premise = Annotated[str, StringConstraints(min_length=1, max_length=4000)]
Hypothesis = Annotated[str, StringConstraints(min_length=1, max_length=2000)]


class Pair(BaseModel):
    """Two texts; the question is whether the second follows from the first."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    premise: Premise
    hypothesis: Hypothesis


class Question(BaseModel):
    """Pairs that are asked about together."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    pairs: tuple[Pair, ...] = Field(min_length=1, max_length=MOST_PAIRS)


class Chances(BaseModel):
    """What the model says of one pair; the three add up to 1. Not calibrated: a model's own belief."""

    model_config = ConfigDict(frozen=True)

    entailment: float = Field(ge=0, le=1)
    neutral: float = Field(ge=0, le=1)
    contradiction: float = Field(ge=0, le=1)


class Answer(BaseModel):
    """What the model says of each pair, in their order."""

    model_config = ConfigDict(frozen=True)

    model: ServedModel
    chances: tuple[Chances, ...]
