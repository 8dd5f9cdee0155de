"""What a night costs as the library grows, beside asking arXiv for every claim.

    python -m tests.benchmarks.refresh_cost [--claims 10 100 1000] [--new 1000] [--papers N]

The mirror holds the shared snapshots but their newest papers; those come from an OAI-PMH server on loopback, arXiv's
page size, so that downloading costs nothing. Claims are first sentences of abstracts, and were refreshed the night
before. The judge is the local one. The other way is what tools do that keep one query a claim: `plan_queries` says how
many, arXiv asks for 3 s between them.
"""

import argparse
import random
import shutil
import tempfile
import time
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path

from agent.graph.parts import Parts
from agent.judges.local import local_judge
from agent.queries import plan_queries
from agent.refresh import NightWish, refresh
from agent.sources.mirror import catch_up, rebuild
from claims.claim import Claim
from claims.clock import SystemClock
from claims.dates import StatedDate
from claims.paper import Paper
from claims.paper_index import PaperIndex
from claims.store import Store
from tests.benchmarks.peers import shared_papers
from tests.benchmarks.rows import Row, print_rows
from tests.oai_server import OaiServer, Record

PAGE = 1300
"""Records of one page of arXiv's repository."""
GAP_S = 3.0


def claims_from(papers: Sequence[Paper], n: int) -> list[Claim]:
    """Make claims of first sentences; the same ones every time."""
    with_text = [p for p in papers if p.abstract and p.published.start < date(2026, 1, 1)]
    chosen = random.Random(1).sample(with_text, n)
    return [
        Claim(
            id=f"bench-{k:05d}-{k:06x}",
            text=(p.abstract or "").split(". ")[0][:300],
            asserted_on=StatedDate.day(date(2025, 1, 1) + timedelta(days=k % 300)),
        )
        for k, p in enumerate(chosen)
    ]


def record_of(paper: Paper, on: date) -> Record:
    """Make the record that the server lists."""
    return Record(
        paper.id,
        on,
        title=paper.title,
        abstract=paper.abstract or "",
        created=paper.published.start,
        categories=" ".join(paper.categories),
        authors=tuple((a, "") for a in paper.authors[:5]),
    )


def one_night(template: Path, claims: Sequence[Claim], fresh: Sequence[Paper], night: date) -> Row:
    """Refresh a copy of the mirror with these claims, and say what it took."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        shutil.copytree(template, home, dirs_exist_ok=True)
        index = PaperIndex.open(home / "index")
        records = [record_of(p, night) for p in fresh]
        url = f"sqlite:///{home / 'retest.sqlite3'}"
        with Store.open(url) as store, OaiServer(records, page_size=PAGE, today=night) as server:
            seen = store.last_change()
            for claim in claims:
                store.put_claim(claim)
                store.claim_refreshed(claim.id, night - timedelta(days=1), checked_to=seen, seen_to=seen, full=True)
            parts = Parts(store=store, sources={}, judge=local_judge(), clock=SystemClock())
            wish = NightWish(until=night, oai_url=server.url, lag_days=0)
            began, cpu = time.perf_counter(), time.process_time()
            digest = refresh(wish, parts, index)
            seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    queries = sum(len(plan_queries(c, [])) for c in claims)
    cost = digest.cost
    note = (
        f"{cpu:.0f} s CPU, {cost.requests} requests, {cost.pairs_judged:,} pairs judged, {cost.new_papers:,} new, "
        f"{len(digest.problems)} problems; a query a claim: {queries:,} requests, {queries * GAP_S:,.0f} s"
    )
    target = "at most 60 s" if len(claims) == 1000 else ""
    return Row(f"{len(claims):,} claims x {len(fresh):,} new papers", seconds, "s", len(claims), target, note)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--claims", type=int, nargs="+", default=[10, 100, 1000])
    parser.add_argument("--new", type=int, default=1000)
    parser.add_argument("--papers", type=int, help="Only so many papers of the larger snapshot.")
    given = parser.parse_args()
    papers = sorted(shared_papers(given.papers), key=lambda p: (p.published.start, p.id))
    old, fresh = papers[: -given.new], papers[-given.new :]
    night = max(p.published.start for p in papers) + timedelta(days=1)
    with tempfile.TemporaryDirectory() as folder:
        template = Path(folder)
        with Store.open(f"sqlite:///{template / 'retest.sqlite3'}") as store:
            store.put_papers(old)
            index = PaperIndex.open(template / "index")
            rebuild(store, index)
            catch_up(store, index)
        rows = [one_night(template, claims_from(old, n), fresh, night) for n in given.claims]
        print_rows(f"a night, {len(old):,} papers held", rows)


if __name__ == "__main__":
    main()
