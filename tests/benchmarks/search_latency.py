"""How long a search of 128,140 papers takes, beside bm25s and SQLite FTS5, in one process and one run.

    python -m tests.benchmarks.search_latency

Thirty questions as long as a claim, a window of v1 dates, fifty best. The engines take turns question by question, so
that a busy moment hits all of them; CPU time says what the wall would be on an idle machine. `MirrorSource` is the same
search with its fifty papers read from the store.
"""

import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path

from tests.benchmarks.peers import Fts5, InMemoryBm25, questions, shared_papers
from tests.benchmarks.rows import SNAPSHOTS, Row, print_rows

SINCE, UNTIL, LIMIT = date(2024, 6, 1), date(2026, 8, 21), 50
ROUNDS = 5


def rows() -> list[Row]:
    """Measure."""
    from agent.sources.mirror import MirrorSource
    from claims.paper_index import PaperIndex
    from claims.search import Query
    from claims.store import Store

    if not all(path.is_file() for path in SNAPSHOTS):
        return [Row("mirror search", None, "ms", note="no shared snapshots beside the repository")]
    papers = shared_papers()
    asked = questions()
    n = len(papers)
    found: list[Row] = []
    with tempfile.TemporaryDirectory() as scratch, Store.open(f"sqlite:///{scratch}/retest.db") as store:
        build: dict[str, float] = {}
        store.put_papers(papers)
        index = PaperIndex.open(Path(scratch) / "index")
        build["tantivy"] = _timed(lambda: index.rebuild(papers))
        source = MirrorSource(store, index)
        bm25s = InMemoryBm25(papers)
        build["bm25s"] = bm25s.build_s
        fts5 = Fts5(Path(scratch) / "fts5.db", papers)
        build["SQLite FTS5"] = fts5.build_s

        def whole(text: str) -> object:
            return source.search(Query(text=text), since=SINCE, until=UNTIL, limit=LIMIT)

        engines: dict[str, Callable[[str], object]] = {
            "tantivy": lambda text: index.search(text, since=SINCE, until=UNTIL, limit=LIMIT),
            "MirrorSource": whole,
            "bm25s": lambda text: bm25s.search(text, SINCE, UNTIL, LIMIT),
            "SQLite FTS5": lambda text: fts5.search(text, SINCE, UNTIL, LIMIT),
        }
        times: dict[str, list[float]] = {name: [] for name in engines}
        cpu: dict[str, list[float]] = {name: [] for name in engines}
        for engine in engines.values():
            engine(asked[0])
        for round_ in range(ROUNDS):
            for text in asked:
                for name, engine in engines.items():
                    if name == "SQLite FTS5" and round_:
                        continue  # a third of a second each: once is enough
                    begun, cpu_begun = time.perf_counter(), time.thread_time()
                    engine(text)
                    times[name].append((time.perf_counter() - begun) * 1000)
                    cpu[name].append((time.thread_time() - cpu_begun) * 1000)
        for name, taken in times.items():
            target = "p50 <= 5 ms" if name == "tantivy" else ""
            p95 = statistics.quantiles(taken, n=20)[-1]
            note = f"p95 {p95:.1f} ms, CPU p50 {statistics.median(cpu[name]):.1f} ms"
            if name in build:
                note += f", built in {build[name]:.0f} s"
            found.append(Row(f"{name}, p50", statistics.median(taken), "ms", len(taken), target, note))
    found.append(Row("papers searched", float(n), "papers"))
    return found


def _timed(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


if __name__ == "__main__":
    print_rows("mirror search", rows())
