"""Everything that is held about one claim at one moment: what a report, a page and a chat answer are drawn from.

Papers are `Paper` objects that a source gave, never strings: what no source holds cannot be printed as a paper.
"""

from datetime import datetime

from pydantic import BaseModel, ConfigDict

from claims.claim import Claim
from claims.evidence import Evidence, PaperEvidence
from claims.experiment import ExperimentView
from claims.grounding import Grounding
from claims.inquiry import Inquiry
from claims.paper import Paper
from claims.search import SearchRecord
from claims.verdict import Verdict


class HeldVerdict(BaseModel):
    """A verdict with the moment it was recorded, as of the last day that confirmed it."""

    model_config = ConfigDict(frozen=True)

    id: str
    verdict: Verdict
    """as decided last: later days may have confirmed it, each with a later `as_of` and what was then unsure"""
    recorded_at: datetime
    """when it was first held"""
    confirmed_at: datetime | None = None
    """when it was last decided again and stayed; None when it never was"""
    supersedes: str | None = None


class Dossier(BaseModel):
    """One claim with all its ground."""

    model_config = ConfigDict(frozen=True)

    claim: Claim
    history: tuple[HeldVerdict, ...] = ()
    """oldest first"""
    evidence: tuple[Evidence, ...] = ()
    """current stance per paper and judge rank, experiments included"""
    superseded: tuple[PaperEvidence, ...] = ()
    """stances on earlier texts of those papers, where a revision brought another one"""
    papers: dict[str, Paper] = {}
    """every paper that evidence, an anchor or a grounding names, by id"""
    experiments: tuple[ExperimentView, ...] = ()
    no_experiment_because: str | None = None
    """why there is none: `no protocol`, `--no-lab`, lab gone"""
    groundings: tuple[Grounding, ...] = ()
    searches: tuple[SearchRecord, ...] = ()

    @property
    def current(self) -> HeldVerdict | None:
        """The newest verdict, or None when the claim was never decided."""
        return self.history[-1] if self.history else None


class InquiryDossier(BaseModel):
    """An inquiry with the dossiers of its claims."""

    model_config = ConfigDict(frozen=True)

    inquiry: Inquiry | None
    """None for a report over claims that share no document"""
    claims: tuple[Dossier, ...]
    groundings: tuple[Grounding, ...] = ()
    """of anchors that no claim could be tied to"""
    papers: dict[str, Paper] = {}
    """papers named by those groundings"""
    as_of: datetime
    generated_at: datetime
