"""A real digest: the labelled development claims, the mirror up to a day, and what came after it harvested that night.

    python -m tests.benchmarks.refresh_digest [--judge labels] [--split 2026-01-01] [--out FILE]

Prints which verdicts the night changed, and how many verdicts agree with the labels before and after. The local judge
calls hardly a stance, so that by default the labels themselves judge: then the table measures finding, matching and
deciding alone. A paper without a label for a claim is one on which that judge abstains.
"""

import argparse
import json
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from agent.graph.parts import Parts
from agent.judges.judge import Judge
from agent.judges.local import local_judge
from agent.refresh import NightWish, refresh
from agent.sources.mirror import rebuild
from claims.claim import Anchor, Claim
from claims.clock import SystemClock
from claims.dates import StatedDate
from claims.evidence import Assessment, JudgeName, JudgeRef, Quote, Stance
from claims.paper import Paper, TextField
from claims.paper_index import PaperIndex
from claims.report.digest import render_digest
from claims.store import Store
from tests.benchmarks.peers import shared_papers
from tests.benchmarks.refresh_cost import PAGE, record_of
from tests.benchmarks.rows import SHARED, Row, print_rows
from tests.oai_server import OaiServer

DEV = SHARED / "bench" / "dev.jsonl"


class LabelJudge:
    """Gives each labelled pair its label with the labelled quote, and abstains on every other pair."""

    ref = JudgeRef(name=JudgeName.LOCAL, version="labels")
    at_once = 120

    def __init__(self, rows: dict[str, dict[str, Any]]) -> None:
        self._labels = {(id, e["arxiv_id"]): e for id, row in rows.items() for e in row["evidence"]}

    def assess(self, claim: Claim, papers: Sequence[Paper]) -> list[Assessment]:
        return [self._one(paper, self._labels.get((claim.id, paper.id))) for paper in papers]

    def _one(self, paper: Paper, label: dict[str, Any] | None) -> Assessment:
        if label is None:
            return Assessment(
                stance=Stance.NEUTRAL, confidence=0.5, unsure=True, leaning=Stance.NEUTRAL, judge=self.ref
            )
        stance = Stance(label["stance"])
        quotes = (_quote(paper, label["quote"]),) if stance is not Stance.NEUTRAL else ()
        return Assessment(stance=stance, confidence=1.0, quotes=quotes, explanation=label["note"], judge=self.ref)


def _quote(paper: Paper, words: str) -> Quote:
    field = next(f for f in (TextField.ABSTRACT, TextField.TITLE) if words in paper.text_of(f))
    start = paper.text_of(field).index(words)
    return Quote.cut(paper, field, start, start + len(words))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--judge", choices=("labels", "local"), default="labels")
    parser.add_argument("--split", type=date.fromisoformat, default=date(2026, 1, 1))
    parser.add_argument("--out", type=Path, help="Write the digest as Markdown.")
    given = parser.parse_args()
    if not DEV.is_file():
        print(f"no labelled claims at {DEV}")
        return
    rows = [json.loads(line) for line in DEV.read_text(encoding="utf-8").splitlines()]
    labels = {f"{row['claim_id']}-{n:06x}": row["verdict"] for n, row in enumerate(rows)}
    claims = [
        Claim(
            id=id,
            text=row["text"],
            asserted_on=StatedDate.parse(row["asserted_on"]),
            anchors=tuple(Anchor(arxiv_id=i) for i in row["anchors"]),
        )
        for id, row in zip(labels, rows, strict=True)
    ]
    by_labels = given.judge == "labels"
    papers = shared_papers()
    fresh = [p for p in papers if p.published.start >= given.split]
    last = max(p.published.start for p in papers)
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        with Store.open(f"sqlite:///{home / 'retest.sqlite3'}") as store:
            store.put_papers(p for p in papers if p.published.start < given.split)
            index = PaperIndex.open(home / "index")
            rebuild(store, index)
            for claim in claims:
                store.put_claim(claim)
            judge: Judge = LabelJudge(dict(zip(labels, rows, strict=True))) if by_labels else local_judge()
            parts = Parts(store=store, sources={}, judge=judge, clock=SystemClock())

            def agreeing() -> float:
                kinds = {id: store.verdicts(id)[-1].verdict.kind.value for id in labels}
                return sum(kinds[id] == labels[id] for id in labels)

            refresh(NightWish(until=given.split - timedelta(days=1), harvest=False), parts, index)
            before = agreeing()
            records = [record_of(p, p.published.start) for p in fresh]
            with OaiServer(records, page_size=PAGE, today=last + timedelta(days=1)) as server:
                began = time.perf_counter()
                digest = refresh(NightWish(until=last, oai_url=server.url), parts, index)
                seconds = time.perf_counter() - began
            n = len(claims)
            held = [e for id in labels for e in store.evidence(id) if e.kind == "paper"]
            stands = sum(e.assessment.stance != "neutral" for e in held)
            unsure = sum(e.assessment.unsure for e in held)
            kinds = Counter(store.verdicts(id)[-1].verdict.kind.value for id in labels)
            print_rows(
                f"a night over {len(fresh):,} papers of {given.split} and later, {n} claims, judge: {given.judge}",
                [
                    Row("the night", seconds, "s", n, note=f"{digest.cost.requests} requests"),
                    Row("pairs judged", digest.cost.pairs_judged, ""),
                    Row("stances held", len(held), "", note=f"{stands} take a stand, {unsure} unsure"),
                    Row("verdicts changed", len(digest.changes), "", n),
                    Row("verdicts as labelled, before", before, "", n),
                    Row("verdicts as labelled, after", agreeing(), "", n, note=str(dict(kinds))),
                ],
            )
            for change in digest.changes:
                label = labels[change.claim_id]
                print(f"{change.before} -> {change.after} (labelled {label}) {change.claim_id}: {change.reason}")
    if given.out is not None:
        given.out.write_text(render_digest(digest), encoding="utf-8")


if __name__ == "__main__":
    main()
