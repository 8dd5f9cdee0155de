"""How long an answer takes without a model, with 1,000 claims held: `python -m tests.benchmarks.chat_latency`.

Every answer is whole, from question to text. Wall and CPU milliseconds of this process; the cold figure is
`retest ask` in a process of its own, beside a bare `python -c pass`. The floor beside it is what reading all claims
and one dossier takes, with nothing said about them. Target: at most 300 ms an answer.
"""

import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from agent.chat.answer import ask
from claims.clock import FrozenClock
from claims.evidence import Stance
from claims.store import Store
from claims.verdict import decide
from tests.benchmarks.rows import Row, print_rows
from tests.factories import NOON, a_claim, a_paper, paper_evidence

N_CLAIMS = 1_000
N_PAPERS = 4_000
PER_CLAIM = 40
TARGET_MS = "<= 300 ms"
CLOCK = FrozenClock(NOON)
METHODS = "distillation pruning routing quantisation curriculum replay merging prefix adapter retrieval".split()
OBJECTS = "translation summarisation planning coding arithmetic dialogue retrieval tagging ranking captioning".split()
EFFECTS = "improves harms saturates on transfers to forgets destabilises matches halves doubles biases".split()
QUESTIONS = (
    "Does {0} still hold?",
    "Since when, and what changed it: {0}",
    "What is the strongest work against {0} in the last six months?",
    "What did our own experiment say on {0} and how sure is it?",
    "What is untested about {0}?",
    "Compare {0} with {1}",
    "What would change your mind about {0}?",
    "Cite {0} for me",
    "Is coffee with oat milk healthier than tea?",
    "What is untested?",
)


def fill(store: Store) -> list[str]:
    """Put claims, papers, stances and verdicts into a store, and give the claims' subjects."""
    chosen = random.Random(1)
    subjects = [f"{METHODS[n % 10]} {EFFECTS[n // 10 % 10]} {OBJECTS[n // 100]} in setting{n}" for n in range(N_CLAIMS)]
    papers = [
        a_paper(f"{2401 + n % 12 + 100 * (n % 2)}.{n + 1:05d}", authors=(f"Ada Only{n}",), abstract="We find it. " * 80)
        for n in range(N_PAPERS)
    ]
    store.put_papers(papers)
    stances = [Stance.SUPPORTS, Stance.CONTRADICTS, Stance.QUALIFIES, *[Stance.NEUTRAL] * 5]
    for n, subject in enumerate(subjects):
        claim = a_claim(f"claim-{n:06d}", text=f"{subject.capitalize()} for small models.", anchors=())
        store.put_claim(claim)
        picked = chosen.sample(papers, PER_CLAIM)
        store.add_evidence(paper_evidence(p, chosen.choice(stances), claim_id=claim.id) for p in picked)
        store.record_verdict(decide(claim, store.evidence(claim.id), NOON.date()))
    return subjects


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Give wall and CPU milliseconds of one call."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return (time.perf_counter() - wall) * 1000, (time.process_time() - cpu) * 1000


def p95(values: list[float]) -> float:
    """Give the 95th percentile."""
    return statistics.quantiles(values, n=20)[-1]


def main() -> None:
    """Fill a store, ask it every kind of question, and print."""
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/retest.sqlite3"
        with Store.open(url, clock=CLOCK) as store:
            subjects = fill(store)
            chosen = random.Random(2)
            rows: list[Row] = []
            everything: list[tuple[float, float]] = []
            ask(store, "Does it hold?", CLOCK)
            for question in QUESTIONS:
                taken = []
                for _ in range(10):
                    text = question.format(*chosen.sample(subjects, 2))
                    taken.append(timed(lambda text=text: ask(store, text, CLOCK).text()))  # type: ignore[misc]
                everything += taken
                wall, cpu = ([t[i] for t in taken] for i in (0, 1))
                note = f"p95 {p95(wall):.0f} ms wall, {statistics.median(cpu):.0f} ms CPU p50"
                rows.append(Row(question.format("X", "Y")[:48], statistics.median(wall), "ms p50", 10, TARGET_MS, note))
            floor = [timed(lambda: (store.claims(), store.dossier("claim-000500"))) for _ in range(20)]
            for name, taken in (("all questions", everything), ("floor: read all claims and one dossier", floor)):
                wall, cpu = ([t[i] for t in taken] for i in (0, 1))
                note = f"p95 {p95(wall):.0f} ms wall, {statistics.median(cpu):.0f} ms CPU p50, {p95(cpu):.0f} p95"
                rows.append(Row(name, statistics.median(wall), "ms p50", len(taken), TARGET_MS, note))
        env = {**os.environ, "RETEST_HOME": folder, "PYTHONPATH": str(Path(__file__).parents[2])}
        command = "from agent.cli.main import main; main()"
        for name, arguments in (
            ("cold: retest ask, one process", ["-c", command, "ask", f"Does {subjects[7]} still hold?"]),
            ("cold: bare python -c pass", ["-c", "pass"]),
        ):
            cold = [
                timed(lambda a=arguments: subprocess.run([sys.executable, *a], capture_output=True, env=env))[0]  # type: ignore[misc]
                for _ in range(5)
            ]
            rows.append(Row(name, statistics.median(cold), "ms p50", 5))
        print_rows(f"Answers without a model, {N_CLAIMS:,} claims, {N_CLAIMS * PER_CLAIM:,} stances", rows)


if __name__ == "__main__":
    main()
