"""How fast the store is at the size the project plans for: `python -m tests.benchmarks.store_scale [URL ...]`.

With `--postgres` it also measures on a PostgreSQL of its own, beside the SQLite file.

1,000 claims, 50,000 stances, 10,000 verdicts, 24,000 searches, 20,000 papers. Times are CPU seconds of this process on
SQLite (where all the work is done in it) and wall seconds on PostgreSQL. The peer of `put_papers` is what SQLite's own
driver needs to write the same JSON documents, with nothing else done.
"""

import gc
import random
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

from claims.clock import FrozenClock
from claims.lines import read_sqlite
from claims.store import Store
from tests.factories import (
    LOCAL,
    NOON,
    a_claim,
    a_paper,
    a_search,
    a_verdict,
    an_inquiry,
    paper_evidence,
)
from tests.postgres import running_cluster

N_PAPERS = 20_000
N_CLAIMS = 1_000
PER_CLAIM = 50
N_VERDICTS = 10


def measure(url: str) -> list[tuple[str, str]]:
    """Fill an empty store at a URL and time what people wait for."""
    timer = time.process_time if url.startswith("sqlite") else time.perf_counter
    rows: list[tuple[str, str]] = []

    def rate(name: str, n: int, work: Callable[[], object]) -> None:
        start = timer()
        work()
        rows.append((name, f"{n / (timer() - start):>10,.0f} /s"))

    def latency(name: str, work: Callable[[], object], n: int = 25) -> None:
        work()
        taken = []
        for _ in range(n):
            start = timer()
            work()
            taken.append((timer() - start) * 1000)
        rows.append((name, f"{statistics.median(taken):>10.1f} ms p50 {statistics.quantiles(taken, n=20)[-1]:.1f} p95"))

    chosen = random.Random(1)
    papers = [
        a_paper(f"{2301 + n // 9000}.{n % 9000 + 1:05d}", abstract=f"Sentence {n} of it. " * 60)
        for n in range(N_PAPERS)
    ]
    claims = [a_claim(f"claim-{n:06d}") for n in range(N_CLAIMS)]
    with Store.open(url, clock=FrozenClock(NOON)) as store:
        rate("put_papers, all new", N_PAPERS, lambda: store.put_papers(papers))
        rate("put_papers, all held", N_PAPERS, lambda: store.put_papers(papers))
        rate("iter_papers", N_PAPERS, lambda: sum(1 for _ in store.iter_papers()))
        store.put_inquiry(an_inquiry(*claims[:6]))
        for claim in claims:
            store.put_claim(claim)

        def weigh() -> None:
            for claim in claims:
                store.add_evidence(paper_evidence(p, claim_id=claim.id) for p in chosen.sample(papers, PER_CLAIM))

        def decide() -> None:
            for claim in claims:
                for n in range(N_VERDICTS):
                    store.record_verdict(a_verdict(claim_id=claim.id, evidence_digest=str(n)))

        rate("add_evidence, 50 at once", N_CLAIMS * PER_CLAIM, weigh)
        rate("record_verdict", N_CLAIMS * N_VERDICTS, decide)
        for claim in claims:
            store.add_searches(
                a_search(claim.id, query=f"q{q}", searched_at=NOON + timedelta(days=d))
                for q in range(8)
                for d in range(3)
            )
        seen = store.last_change()
        for claim in claims:
            store.claim_refreshed(claim.id, NOON.date(), checked_to=seen, seen_to=seen, full=True)
        store.clock = FrozenClock(NOON + timedelta(hours=20))
        store.put_papers(p.model_copy(update={"title": "A new title"}) for p in papers[:1000])
        one, tomorrow = claims[N_CLAIMS // 2].id, NOON.date() + timedelta(days=1)
        # What this benchmark itself holds is not to be gone through by Python's collector while others are timed.
        gc.collect()
        gc.freeze()
        latency("list (overview)", store.overview)
        latency("list, with what is due", lambda: store.overview(night=tomorrow))
        latency("list, as of", lambda: store.overview(as_of=NOON))
        if url.startswith("sqlite"):
            latency("list, quick", lambda: read_sqlite(Path(url.removeprefix("sqlite:///")), None))
            latency("list, quick, what is due", lambda: read_sqlite(Path(url[len("sqlite:///") :]), None, tomorrow))
        latency("show (dossier)", lambda: store.dossier(one))
        latency("report, 6 claims", lambda: store.inquiry_dossier("inq-000000000001"))
        latency("evidence", lambda: store.evidence(one))
        latency("judged", lambda: store.judged(one, LOCAL))
        latency("reserve_slot", lambda: store.reserve_slot("x", 0.0))
    if url.startswith("sqlite"):
        documents = [(paper.id, paper.model_dump_json()) for paper in papers]
        with tempfile.TemporaryDirectory() as folder:
            bare = sqlite3.connect(Path(folder) / "bare.sqlite3")
            bare.execute("PRAGMA journal_mode = WAL")
            bare.execute("CREATE TABLE papers (id TEXT PRIMARY KEY, document TEXT)")

            def write() -> None:
                with bare:
                    bare.executemany("INSERT INTO papers VALUES (?, ?)", documents)

            rate("peer: bare sqlite3 INSERT", N_PAPERS, write)
            bare.close()
    return rows


def main() -> None:
    """Measure at the given URLs (empty databases), or at a SQLite file of its own."""
    given = [text for text in sys.argv[1:] if text != "--postgres"]
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        urls = given or [f"sqlite:///{folder}/scale.sqlite3"]
        if "--postgres" in sys.argv:
            urls.append(stack.enter_context(running_cluster()).create_database())
        for url in urls:
            print(url.split(":")[0])
            for name, value in measure(url):
                print(f"  {name:<28}{value}")


if __name__ == "__main__":
    main()
