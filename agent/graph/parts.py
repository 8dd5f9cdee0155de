"""What the nodes are handed: nothing here opens a connection, `agent.wiring` does."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent.judges.judge import Judge
from agent.sources.source import PaperSource
from claims.clock import Clock
from claims.experiment import Progress, ProtocolView
from claims.paper import Source
from claims.store import Store

if TYPE_CHECKING:
    from agent.lab_client import LabClient


@dataclass(frozen=True)
class Step:
    """Something that happened in a claim's thread, for a person who watches."""

    claim_id: str
    node: str
    message: str
    progress: Progress | None = None
    """of an experiment, while it is awaited"""


def unwatched(step: Step) -> None:
    """Watch nothing."""
    del step


@dataclass(frozen=True)
class Parts:
    """The concrete things that a graph works with."""

    store: Store
    sources: Mapping[Source, PaperSource]
    judge: Judge
    clock: Clock
    lab: "LabClient | None" = None
    """None when experiments are not wanted or the lab could not be had"""
    no_lab_because: str = "the lab was not asked for"
    """said in the report when `lab` is None"""
    protocols: Mapping[str, ProtocolView] | None = None
    """what the lab offers, by name; None when it was not asked"""
    approve_minutes: float = 30.0
    enter: Callable[[str, str], None] = lambda node, claim_id: None
    """called with node and claim id whenever a node begins"""
    watch: Callable[[Step], None] = unwatched
    """called with what happened"""
