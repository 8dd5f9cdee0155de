"""Grounding of 226 citations that name an arXiv id, with the two shared snapshots as the only source.

    python -m tests.benchmarks.grounding [--errors]

*Fabricated* (no such paper, or the id belongs to another one), *misdescribed* and *could not check* are kept apart.
The file gives title, authors and year, no venue and no DOI: a citation that is wrong only there cannot be told from a
valid one, and is listed as such. A source that does not claim to hold everything cannot say `not found`.
"""

import gzip
import json
import lzma
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from agent.citations import read_jsonl
from agent.grounding import ground_all
from agent.sources.record import paper_of
from claims.grounding import Grounding, GroundingStatus
from claims.paper import Paper
from tests.benchmarks.rows import SHARED, SNAPSHOTS, Row
from tests.fakes import ListSource

CITED = SHARED / "data" / "grounding" / "cited_arxiv_ids.dev.jsonl"

UNSEEN = frozenset({"nonexistent_venue", "wrong_venue", "fabricated_doi"})
"""kinds that may be wrong only in a field that the file does not carry"""


class Checked(NamedTuple):
    """One citation with its label and what grounding said."""

    record: dict[str, Any]
    said: Grounding
    held: bool
    """whether the source holds the paper of that id"""

    @property
    def is_hallucinated(self) -> bool:
        return bool(self.record["label"] == "HALLUCINATED")

    @property
    def verdict(self) -> str:
        status = self.said.status
        if status in (GroundingStatus.NOT_FOUND, GroundingStatus.MALFORMED):
            return "fabricated"
        if status is GroundingStatus.MISMATCH:
            another = any(p.field == "id" and p.serious for p in self.said.problems)
            return "fabricated" if another else "misdescribed"
        return {"ok": "ok", "withdrawn": "withdrawn"}.get(status.value, "could not check")


def papers_of(ids: Iterable[str], paths: Iterable[Path] = SNAPSHOTS) -> Iterator[Paper]:
    """Read the papers of these ids out of snapshot files, streaming."""
    wanted = set(ids)
    for path in paths:
        with (gzip.open if path.suffix == ".gz" else lzma.open)(path, "rt", encoding="utf-8") as lines:
            for line in lines:
                # The id stands at the front of each record; parsing only what is wanted keeps this at a few seconds.
                if line[8:40].split('"', 1)[0] in wanted:
                    yield paper_of(json.loads(line))


def check(cited: Path = CITED) -> list[Checked]:
    """Ground every citation of the file."""
    text = cited.read_text(encoding="utf-8")
    records = [json.loads(line) for line in text.splitlines() if line.strip()]
    citations = read_jsonl(text).citations
    held = {p.id: p for p in papers_of(c.anchor.arxiv_id or "" for c in citations)}
    said = ground_all([c.anchor for c in citations], [ListSource(held.values())])
    return [Checked(r, g, (c.anchor.arxiv_id or "") in held) for r, g, c in zip(records, said, citations, strict=True)]


class Share(NamedTuple):
    """A share of citations."""

    name: str
    n: int
    of: int

    @property
    def value(self) -> float:
        return self.n / max(1, self.of)


class Figures(NamedTuple):
    """How well hallucinated citations are told from valid ones, where the paper is held."""

    n_comparable: int
    shares: tuple[Share, ...]
    """precision, recall, recall of what the file can show, false positives"""


def figures(rows: list[Checked]) -> Figures:
    """Count what was flagged among the citations whose paper is held."""
    held = [r for r in rows if r.held and r.verdict != "could not check"]
    flagged = [r for r in held if r.verdict in ("fabricated", "misdescribed")]
    right = sum(r.is_hallucinated for r in flagged)
    visible = [r for r in held if r.is_hallucinated and r.record["hallucination_type"] not in UNSEEN]
    valid = [r for r in held if not r.is_hallucinated]
    shares = (
        Share("precision", right, len(flagged)),
        Share("recall", right, sum(r.is_hallucinated for r in held)),
        Share(
            "recall without kinds that may differ only in venue or DOI",
            sum(r in flagged for r in visible),
            len(visible),
        ),
        Share("false-positive rate", sum(r in flagged for r in valid), len(valid)),
    )
    return Figures(len(held), shares)


def table(rows: list[Checked]) -> str:
    """Draw counts by label and verdict, then precision, recall and false-positive rate where the paper is held."""
    columns = ("ok", "misdescribed", "fabricated", "withdrawn", "could not check")
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for row in rows:
        kind = row.record["hallucination_type"] or "valid"
        counts[f"{kind:24} {'held' if row.held else 'not held'}"][row.verdict] += 1
    lines = [f"{'':34}" + "".join(f"{c:>16}" for c in columns)]
    lines += [f"{name:34}" + "".join(f"{counts[name][c]:>16}" for c in columns) for name in sorted(counts)]
    found = figures(rows)
    lines += ["", f"papers held and comparable: {found.n_comparable} of {len(rows)} citations"]
    lines += [f"{share.name} {share.n}/{share.of} = {share.value:.2f}" for share in found.shares]
    return "\n".join(lines)


def rows() -> list[Row]:
    """Measure what is told apart, and what is let through."""
    if not CITED.exists():
        return [Row("grounding", None, "", note="the shared citations are not here")]
    return [Row(f"grounding: {s.name}", s.value, "", s.of, note=f"{s.n} of {s.of}") for s in figures(check()).shares]


def main() -> None:
    if not CITED.exists():
        print("the shared citations are not here; nothing to measure")
        return
    rows = check()
    print(table(rows))
    if "--errors" in sys.argv:
        for row in rows:
            if row.held and (row.verdict == "ok") == row.is_hallucinated:
                print(f"\n{row.record['label']} {row.record['hallucination_type']} -> {row.verdict}: {row.said.how}")
                print(" ", {k: row.record[k] for k in ("arxiv_id", "title", "author", "year", "explanation")})
                for problem in row.said.problems:
                    print("   ", problem.field, problem.serious, problem.message)


if __name__ == "__main__":
    main()
