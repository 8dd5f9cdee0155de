"""Papers whose text changed, and what is said of them with it: a stance counts from the text that brought it.

Every stance keeps the version of the text that was judged. Where the text before it was given another stance, the new
one is dated by its own version and not by the paper's first: a contradiction that a revision of this month wrote in is
a contradiction of this month. Where both texts say the same, or where no version's day is known, v1 dates it.
"""

from collections.abc import Sequence
from typing import NamedTuple

from claims.evidence import PaperEvidence, Revision


class Words(NamedTuple):
    """What one judge says of one paper and one claim."""

    current: PaperEvidence
    superseded: tuple[PaperEvidence, ...]
    """what it said of earlier texts, where the next text was given another stance; oldest first"""


def words(said: Sequence[PaperEvidence]) -> Words:
    """Tell what changed with the text. said: all that one judge said of the paper, never empty, oldest first.

    A judge that says another thing of the same text thought again: that is no revision.
    """
    current, superseded = said[0], list[PaperEvidence]()
    for item in said[1:]:
        before, revision = current, current.revised
        if item.stance is not before.stance:
            if item.paper_digest != before.paper_digest:
                superseded.append(before)
                revision = _revision(before, item)
            elif revision is not None and item.stance is revision.was:
                revision = superseded.pop().revised
        current = item.model_copy(update={"revised": revision})
    return Words(current, tuple(superseded))


def was(revision: Revision | None) -> str:
    """Say what a text before this one was said to say; empty when no revision changed the stance."""
    if revision is None:
        return ""
    text = f"version {revision.was_version}" if revision.was_version else f"{revision.was_on}"
    return f"was: {revision.was}, in the text of {text}"


def _revision(before: PaperEvidence, after: PaperEvidence) -> Revision | None:
    """Tell what a later version changed; None when it is not known to be one: another source gave another text."""
    if before.version_on is None or after.version_on is None or after.version_on <= before.version_on:
        return None
    return Revision(
        on=after.version_on,
        was=before.stance,
        was_id=before.id,
        was_version=before.version,
        was_on=before.version_on,
    )
