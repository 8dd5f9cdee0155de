"""What every door answers alike, in shapes that scripts depend on: the command line, the web API and MCP."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from agent.grounding import ground_all
from agent.settings import Settings
from agent.wiring import open_sources
from claims.claim import Anchor
from claims.clock import Clock
from claims.dossier import InquiryDossier
from claims.errors import InputError, MalformedId
from claims.grounding import Grounding
from claims.ids import ArxivId
from claims.inquiry import Inquiry
from claims.paper import Paper
from claims.store import Store

MAX_IDS = 100
"""Ids that one question may ground."""


def inquiry_document(read: Inquiry) -> dict[str, Any]:
    """Give a parsed inquiry in the shape that scripts depend on."""
    return {
        "id": read.id,
        "question": read.question,
        "claims": [
            {
                "id": claim.id,
                "text": claim.text,
                "asserted_on": str(claim.asserted_on),
                "stated_dates": [str(claim.asserted_on)],
                "anchors": [anchor.model_dump(mode="json") for anchor in claim.anchors],
                "ungrounded": not any(anchor.arxiv_id for anchor in claim.anchors),
                "family": claim.scope.family,
                "note": claim.note,
                "line": claim.line,
            }
            for claim in read.claims
        ],
        "anchors": [anchor.model_dump(mode="json") for anchor in read.anchors],
        "tasks": [task.model_dump(mode="json") for task in read.tasks],
        "notes": [note.model_dump(mode="json") for note in read.notes],
        "questions": [question.model_dump(mode="json") for question in read.questions],
        "body": read.model_dump(mode="json")["body"],
        "flag_ungrounded": read.flag_ungrounded,
        "warnings": [warning.model_dump(mode="json") for warning in read.warnings],
    }


def grounding_document(name: str, g: Grounding, papers: Mapping[str, Paper]) -> dict[str, Any]:
    """Give one grounding in the shape that scripts depend on."""
    paper = papers.get(g.paper_id or "")
    return {
        "id": name,
        "status": g.status.value,
        "problems": [p.model_dump(mode="json") for p in g.problems],
        "paper": paper.model_dump(mode="json", exclude={"abstract", "finding"}) if paper else None,
        "how": g.how,
        "looked_in": list(g.looked_in),
        "could_not_look": g.could_not_look,
    }


def ground_ids(ids: Sequence[str], source: str, store: Store, settings: Settings) -> list[dict[str, Any]]:
    """Tell of each id whether it is real: ok, withdrawn, not_found, malformed, or unchecked (could not look).

    Raises InputError for another source, and for no or too many ids.
    """
    if not 0 < len(ids) <= MAX_IDS:
        raise InputError(f"give 1 to {MAX_IDS} ids, got {len(ids)}")
    anchors = []
    for text in ids:
        try:
            found = ArxivId.parse(text)
            anchors.append(Anchor(arxiv_id=found.base, stated_version=found.version))
        except MalformedId:
            anchors.append(Anchor(malformed_id=text[:80]))
    groundings = ground_all(anchors, list(open_sources(source, store, settings).values()))
    papers = store.papers([g.paper_id for g in groundings if g.paper_id])
    return [
        {
            "id": text,
            "status": g.status.value,
            "problems": [p.message for p in g.problems],
            "how": g.how,
            "looked_in": list(g.looked_in),
            "could_not_look": g.could_not_look,
            "title": papers[g.paper_id].title if g.paper_id in papers else None,
        }
        for text, g in zip(ids, groundings, strict=True)
    ]


def dossier_of(store: Store, what: str | None, clock: Clock, *, as_of: datetime | None = None) -> InquiryDossier:
    """Read the dossier of an inquiry (`inq-...`), of one claim, or of everything. Raises NotHeld."""
    if what and what.startswith("inq-"):
        return store.inquiry_dossier(what, as_of=as_of)
    inquiries = store.inquiries()
    if what is None and len(inquiries) == 1:
        return store.inquiry_dossier(inquiries[0].id, as_of=as_of)
    ids = [store.claim(what).id] if what else [claim.id for claim in store.claims()]
    now = clock.now()
    return InquiryDossier(
        inquiry=None,
        claims=tuple(store.dossiers(ids, as_of=as_of)),
        as_of=as_of or now,
        generated_at=now,
    )
