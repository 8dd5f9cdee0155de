"""What every judge can do: say what a paper says about a claim, with byte-exact quotes and a calibrated confidence.

A judge reads the claim's text and the paper's title, abstract and finding; never a label, an id list or a clock.
"""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from claims.claim import Claim
from claims.evidence import Assessment, JudgeRef
from claims.paper import Paper


@runtime_checkable
class Judge(Protocol):
    """Gives stances."""

    ref: JudgeRef
    """name and version; stored with every stance"""
    at_once: int
    """papers that are best assessed together: what is repeated at most when a process dies"""

    def assess(self, claim: Claim, papers: Sequence[Paper]) -> list[Assessment]:
        """Say what each paper says of the claim, one assessment a paper in the same order.

        The local judge is deterministic and never fails on a text. Model judges raise `Retryable` (ask again later) or
        `Final` (recorded as *could not judge*), never an empty or neutral answer in place of a failure.
        """
        ...
