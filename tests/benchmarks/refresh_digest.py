"""A real digest: the labelled development claims, the mirror up to a day, and what came after it harvested that night.

    python -m tests.benchmarks.refresh_digest [--split 2026-07-01] [--out FILE]

Prints which verdicts the night changed, and how many verdicts agree with the labels before and after.
"""

import argparse
import json
import tempfile
import time
from collections import Counter
from datetime import date, timedelta
from pathlib import Path

from agent.graph.parts import Parts
from agent.judges.local import local_judge
from agent.refresh import NightWish, refresh
from agent.sources.mirror import rebuild
from claims.claim import Anchor, Claim
from claims.clock import SystemClock
from claims.dates import StatedDate
from claims.paper_index import PaperIndex
from claims.report.digest import render_digest
from claims.store import Store
from tests.benchmarks.peers import shared_papers
from tests.benchmarks.refresh_cost import PAGE, record_of
from tests.benchmarks.rows import SHARED, Row, print_rows
from tests.oai_server import OaiServer

DEV = SHARED / "bench" / "dev.jsonl"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--split", type=date.fromisoformat, default=date(2026, 7, 1))
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
            parts = Parts(store=store, sources={}, judge=local_judge(), clock=SystemClock())

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
                f"a night over {len(fresh):,} papers of {given.split} and later, {n} labelled claims",
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
