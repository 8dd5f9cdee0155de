"""What the nodes are handed: nothing here opens a connection, `agent.wiring` does."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Protocol

from agent.judges.judge import Judge
from agent.sources.source import Found, PaperSource
from claims.claim import Claim
from claims.clock import Clock
from claims.experiment import Progress, ProtocolView
from claims.paper import Paper, Source
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


class ClaimSearch(Protocol):
    """Finds what bears on a claim in one go, where a source can do better than answer questions one by one."""

    def __call__(
        self, claim: Claim, *, anchors: Sequence[Paper], since: date | None, until: date | None, limit: int
    ) -> Found:
        """Find papers, best first. Raises Retryable, Final or CouldNotLook, never gives an empty failure."""
        ...


@dataclass(frozen=True)
class Parts:
    """The concrete things that a graph works with."""

    store: Store
    sources: Mapping[Source, PaperSource]
    judge: Judge
    clock: Clock
    claim_search: Mapping[Source, ClaimSearch] = field(default_factory=dict)
    """by source; used instead of the planned questions"""
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
