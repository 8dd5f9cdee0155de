"""Texts as vectors: the words in which the agent asks the lab's sentence encoder."""

import base64
from enum import StrEnum
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from claims.served import ServedModel

MOST_TEXTS = 24
"""Texts in one question: below what a lab reads at most by default (256 KiB), whatever script they are in."""
MOST_CHARACTERS = 2400
"""Of a text. arXiv's abstracts have at most 1,920, and most encoders look at 256 or 512 tokens."""

Floats = NDArray[np.float32]


class Side(StrEnum):
    """What a text is in a search; encoders that were trained with two prompts tell them apart."""

    QUERY = "query"
    """what is looked for"""
    DOCUMENT = "document"
    """what may be found"""


class Texts(BaseModel):
    """Texts that are encoded together."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    side: Side
    texts: tuple[Annotated[str, StringConstraints(min_length=1, max_length=MOST_CHARACTERS)], ...] = Field(
        min_length=1, max_length=MOST_TEXTS
    )


class Vectors(BaseModel):
    """What the encoder made of each text, in their order."""

    model_config = ConfigDict(frozen=True)

    model: ServedModel
    vectors: tuple[str, ...]
    """each of length 1, as base64 of little-endian 16-bit floats"""


def packed(vector: Floats) -> bytes:
    """Write a (width,) vector of length 1 as 16-bit floats: half the room, and similarities keep three places."""
    return vector.astype("<f2").tobytes()


def unpacked(held: bytes) -> Floats:
    """Read what `packed` wrote. Raises ValueError when it is no such thing."""
    vector = np.frombuffer(held, dtype="<f2").astype(np.float32)
    if not vector.size or not np.isfinite(vector).all():
        raise ValueError(f"{len(held)} bytes that are no vector")
    return vector


def as_text(held: bytes) -> str:
    """Write a packed vector into JSON."""
    return base64.b64encode(held).decode("ascii")


def from_text(text: str) -> bytes:
    """Read a packed vector out of JSON. Raises ValueError."""
    return base64.b64decode(text, validate=True)
