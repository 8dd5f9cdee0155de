"""The durable and the perishable part of a claim's sentence. Pure and deterministic; no model is asked."""

from typing import NamedTuple


class Parts(NamedTuple):
    """A claim's sentence, taken apart."""

    durable: str
    """the sentence without what ages first"""
    perishable: tuple[str, ...]
    """thresholds, named models, sizes, dates, in the order of the sentence"""


def split(text: str) -> Parts:
    """Take a claim's sentence apart."""
    return Parts(text, ())
