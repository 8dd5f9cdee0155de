"""How long a page takes with 1,000 claims and 50,000 stances: `python -m tests.benchmarks.web_latency`.

`retest serve` in a process of its own on loopback, one client, one request after the other, over claims chosen at
random; the whole answer is read. The floor beside it is `/health`, which reads nothing. Target: a claim's page within
100 ms at the 95th percentile. The CPU time of the server beside it says what of the wall time is not other programs'.
"""

import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import psutil

from claims.clock import FrozenClock
from claims.evidence import Stance
from claims.store import Store
from claims.verdict import decide
from tests.benchmarks.chat_latency import p95
from tests.benchmarks.rows import Row, print_rows
from tests.factories import NOON, a_claim, a_paper, paper_evidence

N_CLAIMS = 1_000
N_PAPERS = 4_000
PER_CLAIM = 50
N_REQUESTS = 100
TARGET = "<= 100 ms p95"


def fill(url: str) -> None:
    """Put claims, papers, stances and verdicts into a store."""
    chosen = random.Random(1)
    papers = [
        a_paper(f"{2401 + n % 12 + 100 * (n % 2)}.{n + 1:05d}", authors=(f"Ada Only{n}",), abstract="We find it. " * 80)
        for n in range(N_PAPERS)
    ]
    stances = [Stance.SUPPORTS, Stance.CONTRADICTS, Stance.QUALIFIES, *[Stance.NEUTRAL] * 5]
    with Store.open(url, clock=FrozenClock(NOON)) as store:
        store.put_papers(papers)
        for n in range(N_CLAIMS):
            claim = a_claim(f"claim-{n:06d}", text=f"Distillation helps ranking in setting{n}.", anchors=())
            store.put_claim(claim)
            picked = chosen.sample(papers, PER_CLAIM)
            store.add_evidence(paper_evidence(p, chosen.choice(stances), claim_id=claim.id) for p in picked)
            store.record_verdict(decide(claim, store.evidence(claim.id), NOON.date()))


def measure(ask: Callable[[int], httpx.Response], server: psutil.Process) -> tuple[list[float], float, int]:
    """Give the wall milliseconds of each request, the server's CPU for one, and the bytes of the largest answer."""
    chosen = random.Random(2)
    taken, largest, before = [], 0, 0.0
    for n in range(N_REQUESTS + 5):
        if n == 5:
            before = sum(server.cpu_times()[:2])
        claim = chosen.randrange(N_CLAIMS)
        begun = time.perf_counter()
        answer = ask(claim)
        spent = (time.perf_counter() - begun) * 1000
        answer.raise_for_status()
        largest = max(largest, len(answer.content))
        if n >= 5:  # the first ones open connections and read templates
            taken.append(spent)
    return taken, (sum(server.cpu_times()[:2]) - before) * 1000 / N_REQUESTS, largest


def main() -> None:
    """Fill a store, serve it, ask for every kind of page, and print."""
    with tempfile.TemporaryDirectory() as folder:
        fill(f"sqlite:///{folder}/retest.sqlite3")
        command = [sys.executable, "-c", "from agent.cli.main import main; main()", "serve", "--port", "0", "--json"]
        env = {
            **os.environ,
            "RETEST_HOME": folder,
            "RETEST_WEB_RATE": "1000000",
            "PYTHONPATH": str(Path(__file__).parents[2]),
        }
        server = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True)
        assert server.stdout is not None
        said = ""
        while not said.strip().endswith("}"):
            said += server.stdout.readline()
        rows = []
        try:
            with httpx.Client(base_url=json.loads(said)["url"], timeout=60) as client:
                for name, path, target in (
                    ("claim page", "/claims/claim-{0:06d}", TARGET),
                    ("claim as JSON", "/api/v1/claims/claim-{0:06d}", ""),
                    ("claim's evidence as JSON", "/api/v1/claims/claim-{0:06d}/evidence?limit=100", ""),
                    ("library page, 50 of 1,000 claims", "/?q=setting{0}", ""),
                    ("list as JSON, 50 of 1,000 claims", "/api/v1/claims?sort=-evidence", ""),
                    ("floor: /health", "/health", ""),
                ):
                    ask = lambda n, path=path: client.get(path.format(n))  # noqa: E731
                    taken, cpu, largest = measure(ask, psutil.Process(server.pid))
                    note = f"p50 {statistics.median(taken):.1f} ms, CPU {cpu:.1f} ms, at most {largest / 1024:.0f} KiB"
                    rows.append(Row(name, p95(taken), "ms p95", len(taken), target, note))
        finally:
            server.terminate()
            server.wait(30)
        print_rows(f"Pages, {N_CLAIMS:,} claims, {N_CLAIMS * PER_CLAIM:,} stances", rows)


if __name__ == "__main__":
    main()
