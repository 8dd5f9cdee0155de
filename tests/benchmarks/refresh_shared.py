"""What several processes make of one night on one PostgreSQL, and what a night's shared parts cost there.

    python -m tests.benchmarks.refresh_shared [--claims 300] [--papers 20000] [--new 500] [--processes 1 2 3]

Claims are first sentences of abstracts, refreshed the night before; the newest papers came in since. The judge is the
local one, nothing is harvested. Every process is a real one, ready before the clock starts; the clock stops when the
digest is stored. PostgreSQL and all processes share this machine's cores, so more processes than cores gain nothing.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import sqlalchemy as sa

from agent.graph.parts import Parts
from agent.judges.local import local_judge
from agent.refresh import NightWish, plan_night
from agent.refresh.state import NightState, holder
from agent.service.desk import Desk, Order
from agent.service.queue import NightQueue
from agent.service.roll import Roll
from agent.sources.mirror import catch_up, rebuild
from agent.wiring import Lab
from claims.clock import SystemClock
from claims.digest import Digest, Problem
from claims.paper_index import PaperIndex
from claims.store import Store
from tests.benchmarks.peers import shared_papers
from tests.benchmarks.refresh_cost import claims_from
from tests.benchmarks.rows import Row, print_rows
from tests.postgres import database_of, running_cluster


def take_part(url: str, home: Path, day: date) -> None:
    """Be one process of a night: say that it is ready, wait for the sign, take part until the night is over."""
    with Store.open(url) as store:
        parts = Parts(store=store, sources={}, judge=local_judge(), clock=SystemClock())
        desk = Desk(
            lambda judge: parts,
            PaperIndex.open(home / "index"),
            lambda order: NightWish(until=order.until, harvest=False),
            pace=lambda: None,
            lab=_no_lab,
        )
        with NightQueue(url, desk, Roll(store, holder())) as queue:
            print("ready", flush=True)
            sys.stdin.readline()
            digest = queue.wait(queue.call(Order(until=day, harvest=False)))
            print(digest.model_dump_json(), flush=True)


def _no_lab() -> Lab:  # type: ignore[return]
    raise AssertionError("no claim has an experiment")


def one_night(url: str, home: Path, day: date, n: int) -> tuple[float, int, Digest]:
    """Let n processes share a night. Gives the seconds from the sign to the stored digest, and their connections."""
    command = [sys.executable, "-m", "tests.benchmarks.refresh_shared", "--take-part", url, str(home), day.isoformat()]
    processes = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(n)]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    with Store.open(url) as store:
        began = time.perf_counter()
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        connections = 0
        counted = sa.text("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()")
        while (held := store.night(day)) is None or held.finished_at is None:
            with store.engine.connect() as connection:
                connections = max(connections, int(connection.scalar(counted) or 0) - 1)
            time.sleep(0.05)
        seconds = time.perf_counter() - began
    told = [process.communicate(timeout=120)[0] for process in processes]
    return seconds, connections, Digest.model_validate_json(told[0])


def unit_costs(url: str, day: date, n_claims: int) -> list[Row]:
    """Time what every claim or portion of a night costs the one database."""

    def ms(work: Callable[[int], object], n: int = 50) -> float:
        took = []
        for k in range(n):
            began = time.perf_counter()
            work(k)
            took.append((time.perf_counter() - began) * 1000)
        return statistics.median(took)

    with Store.open(url) as store:
        names = [f"claim:bench-{k}" for k in range(20)]

        def lease(k: int) -> None:
            store.take_leases(names, f"bench-{k}", seconds=60, at_most=20, is_gone=lambda name: True)
            store.give_back(names, f"bench-{k}")

        claim_ids = [claim.id for claim in store.claims()[:50]]
        seen = store.last_change()
        rows = [
            Row("plan of a night", ms(lambda k: plan_night(store, day + timedelta(days=1)), 3), "ms", n_claims),
            Row("leases of 20 claims, taken and given back", ms(lease), "ms"),
            Row(
                "mark of a claim",
                ms(
                    lambda k: store.claim_refreshed(
                        claim_ids[k % len(claim_ids)], day, checked_to=seen, seen_to=seen, full=False
                    )
                ),
                "ms",
            ),
        ]
        for n in (0, 1_000, 10_000):
            problems = [Problem(where="claim", what="the budget is spent", claim_id=f"a-claim-{k}") for k in range(n)]
            night = day + timedelta(days=2 + n)
            store.begin_night(night, NightState(marks={}, problems=problems).model_dump_json())
            one = Problem(where="claim", what="the budget is spent", claim_id="another")

            def note(text: str, one: Problem = one) -> str:
                return NightState.model_validate_json(text).with_problem(one).model_dump_json()

            rows.append(
                Row(
                    f"one more problem beside {n:,}",
                    ms(lambda k, at=night, do=note: store.change_night(at, do), 9),
                    "ms",
                )  # type: ignore[misc]
            )
    return rows


def many_claims(url: str, day: date, n: int) -> list[Row]:
    """Time what a process does once a night however few claims it takes: with this many claims held."""
    with Store.open(url) as store:
        seen = store.last_change()
        words = ("alpha", "beta", "gamma", "delta")
        held = store.claims()[0]
        began = time.perf_counter()
        for k in range(n - len(store.claims())):
            claim = held.model_copy(
                update={"id": f"many-{k:06d}-{k:06x}", "text": f"{held.text} ({words[k % 4]} {k})", "anchors": ()}
            )
            store.put_claim(claim)
            store.claim_refreshed(claim.id, day, checked_to=seen, seen_to=seen, full=True)
        put_ms = (time.perf_counter() - began) / n * 1000
        tracemalloc.start()
        plan = plan_night(store, day + timedelta(days=1))
        mib = tracemalloc.get_traced_memory()[1] / 2**20
        tracemalloc.stop()
        took = []
        for _ in range(3):
            began = time.perf_counter()
            plan_night(store, day + timedelta(days=1))
            took.append((time.perf_counter() - began) * 1000)
        return [
            Row("plan of a night", statistics.median(took), "ms", len(plan.due), "", f"{mib:.0f} MiB at its peak"),
            Row("a claim put and marked", put_ms, "ms", n),
        ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--claims", type=int, default=300)
    parser.add_argument("--papers", type=int, default=20_000)
    parser.add_argument("--new", type=int, default=500)
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--planned", type=int, default=10_000, help="Also plan a night with so many claims; 0: no.")
    parser.add_argument("--take-part", nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.take_part:
        url, home, day = given.take_part
        take_part(url, Path(home), date.fromisoformat(day))
        return
    papers = sorted(shared_papers(given.papers), key=lambda p: (p.published.start, p.id))
    night = max(p.published.start for p in papers) + timedelta(days=1)
    claims = claims_from(papers, given.claims)
    with running_cluster() as cluster, tempfile.TemporaryDirectory() as folder:
        home, template = Path(folder), cluster.create_database()
        with Store.open(template) as store:
            store.put_papers(papers[: -given.new])
            seen = store.last_change()
            for claim in claims:
                store.put_claim(claim)
                store.claim_refreshed(claim.id, night - timedelta(days=1), checked_to=seen, seen_to=seen, full=True)
            store.put_papers(papers[-given.new :])
            index = PaperIndex.open(home / "index")
            rebuild(store, index)
            catch_up(store, index)
        rows, alone = [], 0.0
        url = ""
        for n in given.processes:
            url = cluster.create_database(like=database_of(template))
            seconds, connections, digest = one_night(url, home, night, n)
            rate = len(claims) / seconds
            alone = alone or rate
            note = (
                f"{seconds:.1f} s, {rate / alone:.2f} x the first, {digest.cost.pairs_judged:,} pairs judged, "
                f"{digest.cost.seconds:.0f} s of work, {len(digest.problems)} problems, {connections} connections"
            )
            rows.append(Row(f"{n} process{'es' if n > 1 else ''}", rate, "claims/s", len(claims), "", note))
        print_rows(f"a night shared, {len(papers):,} papers held, {given.new:,} of them new", rows)
        print_rows("what the shared parts cost", unit_costs(url, night, len(claims)))
        if given.planned:
            print_rows("with more claims held", many_claims(url, night, given.planned))


if __name__ == "__main__":
    main()
