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
from tests.fakes import ListSource

SHARED = Path(__file__).parents[3] / "shared" / "data"
CITED = SHARED / "grounding" / "cited_arxiv_ids.dev.jsonl"
SNAPSHOTS = (SHARED / "arxiv" / "snapshot-topical.jsonl.gz", SHARED / "arxiv" / "snapshot-more.jsonl.xz")

UNSEEN = frozenset({"nonexistent_venue", "wrong_venue", "fabricated_doi"})
"""kinds that may be wrong only in a field that the file does not carry"""


class Row(NamedTuple):
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


def check(cited: Path = CITED) -> list[Row]:
    """Ground every citation of the file."""
    text = cited.read_text(encoding="utf-8")
    records = [json.loads(line) for line in text.splitlines() if line.strip()]
    citations = read_jsonl(text).citations
    held = {p.id: p for p in papers_of(c.anchor.arxiv_id or "" for c in citations)}
    said = ground_all([c.anchor for c in citations], [ListSource(held.values())])
    return [Row(r, g, (c.anchor.arxiv_id or "") in held) for r, g, c in zip(records, said, citations, strict=True)]


def table(rows: list[Row]) -> str:
    """Draw counts by label and verdict, then precision, recall and false-positive rate where the paper is held."""
    columns = ("ok", "misdescribed", "fabricated", "withdrawn", "could not check")
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for row in rows:
        kind = row.record["hallucination_type"] or "valid"
        counts[f"{kind:24} {'held' if row.held else 'not held'}"][row.verdict] += 1
    lines = [f"{'':34}" + "".join(f"{c:>16}" for c in columns)]
    lines += [f"{name:34}" + "".join(f"{counts[name][c]:>16}" for c in columns) for name in sorted(counts)]
    held = [r for r in rows if r.held and r.verdict != "could not check"]
    flagged = [r for r in held if r.verdict in ("fabricated", "misdescribed")]
    right = sum(r.is_hallucinated for r in flagged)
    bad = sum(r.is_hallucinated for r in held)
    visible = [r for r in held if r.is_hallucinated and r.record["hallucination_type"] not in UNSEEN]
    caught = sum(r in flagged for r in visible)
    valid = [r for r in held if not r.is_hallucinated]
    false = sum(r in flagged for r in valid)
    lines += [
        "",
        f"papers held and comparable: {len(held)} of {len(rows)} citations",
        f"precision {right}/{len(flagged)} = {right / max(1, len(flagged)):.2f}",
        f"recall {right}/{bad} = {right / max(1, bad):.2f}",
        f"recall without kinds that may differ only in venue or DOI {caught}/{len(visible)} = "
        f"{caught / max(1, len(visible)):.2f}",
        f"false-positive rate {false}/{len(valid)} = {false / max(1, len(valid)):.2f}",
    ]
    return "\n".join(lines)


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
