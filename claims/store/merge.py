"""What one paper is, when several sources gave a record of it.

The newer record wins; between equally new ones the more authoritative source (arXiv, then a mirror of it, then the
library), and between equals the one that came last. What the winner does not say is filled in from the other. The
library's finding is kept beside whatever else is known, and a withdrawal stays until a newer record takes it back.
"""

from claims.paper import Paper, PaperVersion, Source

_RANK = {Source.LIBRARY: 0, Source.MIRROR: 1, Source.ARXIV: 2}


def merge(held: Paper, incoming: Paper) -> Paper:
    """Join two records of one paper; merging the same record again changes nothing."""
    assert held.id == incoming.id
    best, other = (incoming, held) if _wins(incoming, held) else (held, incoming)
    withdrawn = _withdrawal(held, incoming)
    return best.model_copy(
        update={
            "authors": best.authors or other.authors,
            "published": best.published if _as_exact(best, other) else other.published,
            "updated_on": best.updated_on or other.updated_on,
            "categories": best.categories or other.categories,
            "abstract": other.abstract if best.abstract is None else best.abstract,
            "finding": held.finding if incoming.finding is None else incoming.finding,
            "versions": _versions(best, other),
            "comment": best.comment or other.comment,
            "journal_ref": best.journal_ref or other.journal_ref,
            "doi": best.doi or other.doi,
            "withdrawn": withdrawn is not None,
            "withdrawn_because": withdrawn.withdrawn_because if withdrawn else None,
        }
    )


def _wins(incoming: Paper, held: Paper) -> bool:
    if Source.LIBRARY not in (incoming.source, held.source):
        newer = _newer(incoming, held)
        if newer is not None:
            return newer is incoming
    return _RANK[incoming.source] >= _RANK[held.source]


def _newer(one: Paper, other: Paper) -> Paper | None:
    """Give the record of the later version; None when both are of the same, or one does not say."""
    if one.updated_on and other.updated_on and one.updated_on != other.updated_on:
        return one if one.updated_on > other.updated_on else other
    return None


def _withdrawal(held: Paper, incoming: Paper) -> Paper | None:
    """Give the record that says why the paper is withdrawn; None when it is not."""
    if held.withdrawn and incoming.withdrawn:
        return incoming if incoming.withdrawn_because else held
    if not held.withdrawn and not incoming.withdrawn:
        return None
    says_so, does_not = (held, incoming) if held.withdrawn else (incoming, held)
    if does_not.source is not Source.LIBRARY and _newer(does_not, says_so) is does_not:
        return None
    return says_so


def _as_exact(best: Paper, other: Paper) -> bool:
    def days(paper: Paper) -> int:
        return (paper.published.end - paper.published.start).days

    return days(best) <= days(other)


def _versions(best: Paper, other: Paper) -> tuple[PaperVersion, ...]:
    if not other.versions or best.versions == other.versions:
        return best.versions
    by_number = {v.number: v for v in other.versions} | {v.number: v for v in best.versions}
    return tuple(by_number[n] for n in sorted(by_number))
