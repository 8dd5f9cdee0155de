"""The main job: hold the claims of an inquiry through one pass, and say what came of it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from agent.graph.find import keep_grounded
from agent.graph.parts import Parts
from agent.graph.state import Job
from agent.grounding import ground_all
from agent.hold import Approve, Outcome, begin_pass, finish_pass, hold
from claims.claim import Claim
from claims.dossier import InquiryDossier
from claims.errors import InputError
from claims.experiment import Outcome as ExperimentOutcome
from claims.inquiry import Inquiry
from claims.paper import Source

if TYPE_CHECKING:
    from langgraph.checkpoint.base import BaseCheckpointSaver

REPORT_FILES = {
    "md": "report.md",
    "html": "report.html",
    "json": "report.json",
    "csv": "evidence.csv",
    "bib": "papers.bib",
    "cff": "CITATION.cff",
}
"""Format to file name, for `--out`."""


@dataclass(frozen=True)
class Wish:
    """What a person asked of one pass."""

    as_of: date
    sources: tuple[Source, ...]
    use_lab: bool = True
    profile: str = "tiny"
    seeds: int = 8
    experiments: int = 1
    papers_per_claim: int = 120
    yes: bool = False
    only: tuple[str, ...] = field(default=())
    """claim ids; empty for all"""


class Done(NamedTuple):
    """What a pass came to."""

    inquiry: Inquiry
    outcomes: list[Outcome]
    dossier: InquiryDossier
    pass_id: str

    @property
    def could_not_look(self) -> dict[str, str]:
        """Source to what happened, for every source that could not be asked."""
        return {
            search.source.value: search.could_not_look
            for claim in self.dossier.claims
            for search in claim.searches
            if search.could_not_look
        }

    @property
    def nowhere(self) -> bool:
        """Whether no source answered a single question."""
        searches = [search for claim in self.dossier.claims for search in claim.searches]
        return bool(searches) and all(search.could_not_look for search in searches)

    @property
    def unjudged(self) -> bool:
        """Whether the judge left papers of any claim unjudged."""
        return any(outcome.unjudged for outcome in self.outcomes)

    @property
    def judged_none(self) -> bool:
        """Whether the judge was asked and judged nothing at all."""
        return self.unjudged and not any(outcome.state.get("n_judged") for outcome in self.outcomes)


def run_inquiry(
    inquiry: Inquiry,
    wish: Wish,
    parts: Parts,
    saver: "BaseCheckpointSaver[str]",
    *,
    locks: Path,
    document: str | None = None,
    approve: Approve = lambda question: False,
) -> Done:
    """Hold every claim of an inquiry through one pass. A pass that a dead process left is taken up where it stopped."""
    store = parts.store
    store.put_inquiry(inquiry, document=document)
    for claim in inquiry.claims:
        store.put_claim(claim)
    claims = chosen(inquiry.claims, wish.only)
    pass_id = begin_pass(
        store,
        {
            "inquiry": inquiry.id,
            "claims": [claim.id for claim in claims],
            "as_of": wish.as_of.isoformat(),
            "sources": [source.value for source in wish.sources],
            "judge": parts.judge.ref.model_dump(mode="json"),
            "lab": wish.use_lab,
            "profile": wish.profile,
            "seeds": wish.seeds,
        },
    )
    ground_loose_anchors(inquiry, parts, wish)
    job: Job = {
        "pass_id": pass_id,
        "as_of": wish.as_of.isoformat(),
        "sources": [source.value for source in wish.sources],
        "use_lab": wish.use_lab,
        "profile": wish.profile,
        "seeds": wish.seeds,
        "yes": wish.yes,
        "papers_per_claim": wish.papers_per_claim,
        "experiment_for": experiment_for(claims, parts, wish.experiments),
    }
    outcomes = hold(claims, job, parts, saver, locks=locks, approve=approve)
    if not any(outcome.error for outcome in outcomes):
        finish_pass(store, pass_id)
    return Done(inquiry, outcomes, read_dossier(inquiry, parts, wish.as_of), pass_id)


def chosen(claims: Sequence[Claim], only: Sequence[str]) -> list[Claim]:
    """Keep the claims that were asked for, by id or unique prefix. Raises InputError for one that is not there."""
    if not only:
        return list(claims)
    kept: list[Claim] = []
    for wanted in only:
        found = [claim for claim in claims if claim.id.startswith(wanted)]
        if len(found) != 1:
            has = ", ".join(claim.id for claim in (found or claims))
            raise InputError(f"--claim {wanted!r} names {len(found)} claims of this inquiry; it has {has}")
        kept.append(found[0])
    return kept


def experiment_for(claims: Sequence[Claim], parts: Parts, at_most: int) -> list[str]:
    """Choose the claims whose experiment this pass may start: undecided ones first, in the inquiry's order."""
    protocols = parts.protocols or {}
    fit = [claim for claim in claims if claim.scope.family in protocols]

    def is_decided(claim: Claim) -> bool:
        return any(
            view.result and view.result.outcome in (ExperimentOutcome.SUPPORTS, ExperimentOutcome.REFUTES)
            for view in parts.store.experiments(claim.id)
        )

    return [claim.id for claim in sorted(fit, key=is_decided)[:at_most]]


def ground_loose_anchors(inquiry: Inquiry, parts: Parts, wish: Wish) -> None:
    """Ground the anchors that no claim could be tied to; the others are grounded in their claim's thread."""
    tied = {anchor.arxiv_id for claim in inquiry.claims for anchor in claim.anchors}
    loose = [anchor for anchor in inquiry.anchors if anchor.arxiv_id not in tied]
    if loose:
        sources = [parts.sources[name] for name in wish.sources]
        groundings = ground_all(loose, sources)
        keep_grounded(groundings, sources, parts)
        parts.store.put_groundings(inquiry.id, groundings)


def read_dossier(inquiry: Inquiry, parts: Parts, as_of: date) -> InquiryDossier:
    """Read what is now held about the inquiry, for a report dated `as_of`."""
    dossier = parts.store.inquiry_dossier(inquiry.id)
    return dossier.model_copy(update={"as_of": end_of(as_of), "generated_at": parts.clock.now()})


def end_of(day: date) -> datetime:
    """Give the last second of a day in UTC."""
    return datetime.combine(day, time(23, 59, 59), tzinfo=UTC)
