"""How index size, indexing time and search latency grow from 10,000 to 128,140 papers, and what 3 million would take.

    python -m tests.benchmarks.index_growth

The prediction is a straight line on log-log axes through the measured sizes (`y = a * n^b`), with the largest relative
error that it makes on them. It leaves the measured range by a factor of 23: read it as an order of magnitude. Three
million is what arXiv held in 2026.
"""

import hashlib
import math
import statistics
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from tests.benchmarks.peers import questions, shared_papers
from tests.benchmarks.rows import SNAPSHOTS, Row, print_rows
from tests.benchmarks.search_latency import LIMIT, SINCE, UNTIL

SIZES = (10_000, 20_000, 40_000, 80_000, 128_140)
PREDICTED = 3_000_000


class Growth(NamedTuple):
    """One size."""

    n: int
    mib: float
    cpu_s: float
    """to index it, all threads"""
    p50_ms: float
    """CPU time, which a busy machine changes least; a search runs in one thread"""


class Law(NamedTuple):
    """`y = a * n^b`."""

    a: float
    b: float
    worst: float
    """largest relative error on the points that it was fitted to"""

    def at(self, n: int) -> float:
        """Give y."""
        return float(self.a * n**self.b)


def measure() -> list[Growth]:
    """Index growing parts of the shared papers and search each."""
    from claims.paper_index import PaperIndex

    papers = shared_papers()
    # Both files are sorted by id: every size must be a sample of the whole, in a fixed order.
    papers.sort(key=lambda paper: hashlib.sha256(paper.id.encode()).digest())
    found = []
    for n in SIZES:
        with tempfile.TemporaryDirectory() as scratch:
            index = PaperIndex.open(Path(scratch))
            started = time.process_time()
            index.rebuild(papers[:n])
            cpu_s = time.process_time() - started
            taken = []
            for _ in range(4):
                for text in questions():
                    begun = time.thread_time()
                    index.search(text, since=SINCE, until=UNTIL, limit=LIMIT)
                    taken.append((time.thread_time() - begun) * 1000)
            found.append(Growth(min(n, len(papers)), index.disk_bytes() / 2**20, cpu_s, statistics.median(taken)))
    return found


def fit(points: list[tuple[int, float]]) -> Law:
    """Fit a power law by least squares on logarithms."""
    xs, ys = [math.log(n) for n, _ in points], [math.log(y) for _, y in points]
    slope, intercept = statistics.linear_regression(xs, ys)
    law = Law(math.exp(intercept), slope, 0.0)
    return law._replace(worst=max(abs(law.at(n) / y - 1) for n, y in points))


def rows() -> list[Row]:
    """Measure and predict."""
    if not all(path.is_file() for path in SNAPSHOTS):
        return [Row("index growth", None, "", note="no shared snapshots beside the repository")]
    grown = measure()
    found = []
    for label, unit, pick in (
        ("index on disk", "MiB", lambda g: g.mib),
        ("indexing, CPU", "s", lambda g: g.cpu_s),
        ("search p50, CPU", "ms", lambda g: g.p50_ms),
    ):
        found += [Row(label, pick(g), unit, g.n) for g in grown]
        law = fit([(g.n, pick(g)) for g in grown])
        note = f"predicted: grows as n^{law.b:.2f}, fit off by at most {law.worst:.0%} in range"
        found.append(Row(label, law.at(PREDICTED), unit, PREDICTED, "", note))
    return found


if __name__ == "__main__":
    print_rows("index growth", rows())
