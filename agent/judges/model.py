"""The fitted numbers of the local judge: probabilities from features, and the thresholds below which it abstains."""

import gzip
import json
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Final

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from agent.judges import encoder, features, passage
from agent.judges.features import Floats
from agent.word_vectors import shipped_word_vectors
from claims.errors import InputError
from claims.evidence import Stance

STANCES: Final = (Stance.NEUTRAL, Stance.SUPPORTS, Stance.CONTRADICTS, Stance.QUALIFIES)
"""The order of every array of probabilities here."""
ENCODER_NAMES: Final = tuple(f"encoder: {name}" for name in encoder.NAMES)
"""What the encoder says of a pair, where a model uses it."""
NEVER: Final = 1.01
"""A threshold that no probability reaches: the stance is never given."""
CLIP: Final = 6.0
"""Standard deviations beyond which a feature tells nothing more; bounds what a hostile text can do."""


class Linear(BaseModel):
    """A linear model over named numbers."""

    model_config = ConfigDict(frozen=True)

    names: tuple[str, ...]
    mean: tuple[float, ...]
    scale: tuple[float, ...]
    weights: tuple[tuple[float, ...], ...]
    """(outputs, numbers)"""
    bias: tuple[float, ...]

    def scores(self, x: Floats) -> Floats:
        """Give (rows, outputs) scores of (rows, numbers)."""
        z = np.clip((x - np.array(self.mean)) / np.array(self.scale), -CLIP, CLIP)
        out: Floats = z @ np.array(self.weights).T + np.array(self.bias)
        return out


class LocalModel(BaseModel):
    """What the local judge was fitted to, as shipped or as refitted with a person's labels."""

    model_config = ConfigDict(frozen=True)

    version: str
    """changes whenever an answer could"""
    word_vectors: str = ""
    """version of the word vectors that its numbers were made with"""
    selector: Linear
    """over `passage.NAMES`: which sentences tell most"""
    screen: Linear | None = None
    """over `features.NAMES`: one score; pairs below `screen_from` are neutral and never reach the encoder"""
    screen_from: float = 0.0
    stance: Linear
    """over `features.NAMES`, and `ENCODER_NAMES` where the encoder is used: four scores in the order of `STANCES`"""
    thresholds: dict[Stance, float]
    """probability from which a stance is given; `NEVER` where none had the wanted precision"""
    unsure_from: float
    """probability of taking a stand from which an answer of neutral is marked unsure"""

    @property
    def uses_encoder(self) -> bool:
        """Whether pairs that pass the screen are read by the encoder."""
        return self.stance.names == features.NAMES + ENCODER_NAMES

    def probabilities(self, x: Floats) -> Floats:
        """Give each stance's probability: (pairs, numbers) to (pairs, stances)."""
        scores = self.stance.scores(x)
        e = np.exp(scores - scores.max(axis=1, keepdims=True))
        shares: Floats = e / e.sum(axis=1, keepdims=True)
        return shares

    def passes(self, x: Floats) -> list[bool]:
        """Tell which pairs go on to the encoder: (pairs, cheap numbers)."""
        if self.screen is None:
            return [True] * len(x)
        return [bool(s >= self.screen_from) for s in self.screen.scores(x)[:, 0]]


@lru_cache(maxsize=1)
def shipped_model() -> LocalModel:
    """Load the model that ships with the package."""
    return LocalModel.model_validate(
        json.loads(gzip.decompress(files("agent.judges").joinpath("model/local.json.gz").read_bytes()))
    )


def load_model(overrides: Path | None = None) -> LocalModel:
    """Load a refitted model from a file, or the one that ships. Raises InputError for a file that is not one."""
    if overrides is None:
        return shipped_model()
    try:
        model = LocalModel.model_validate(json.loads(overrides.read_bytes()))
    except (OSError, ValueError, ValidationError) as exc:
        raise InputError(f"{overrides} is no model of the local judge ({exc}); `retest judge fit` makes one") from exc
    known = (features.NAMES, features.NAMES + ENCODER_NAMES)
    other_vectors = model.word_vectors != shipped_word_vectors().version
    if model.stance.names not in known or model.selector.names != passage.NAMES or other_vectors:
        raise InputError(f"model {model.version} was fitted on other features; refit it (`retest judge fit`)")
    if model.uses_encoder and model.screen is None:
        raise InputError(f"model {model.version} does not say which pairs its encoder reads; refit it")
    return model
