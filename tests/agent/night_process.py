"""A process of the service, to be killed or run beside others.

    python -m tests.agent.night_process URL HOME DAY [PLACE:N [OAI_URL GAP_S]]

It asks for the night of DAY, takes part in it until it is over, and prints the digest. Every pair that the judge reads
is written to `HOME/judged.txt`, every claim that is done to `HOME/done.txt` with this process's id. With `PLACE:N` it
dies by SIGKILL when that place is entered for the N-th time. With OAI_URL the night harvests from there, and besides
every claim asks there once, as anything that asks arXiv would: at the shared pace.
"""

import os
import signal
import socket
import sys
import threading
from datetime import date
from pathlib import Path

import httpx

from agent.graph.parts import Parts
from agent.refresh import NightWish
from agent.refresh.state import holder
from agent.service.desk import Desk, Order
from agent.service.queue import NightQueue
from agent.service.roll import Roll
from agent.sources.pacing import shared_pace
from agent.wiring import Lab
from claims.clock import SystemClock
from claims.paper_index import PaperIndex
from claims.store import Store
from tests.nights import StatedJudge


def main(url: str, home: Path, day: date, place: str, n: int, oai_url: str, gap_s: float, lease_s: float) -> None:
    left = [n]
    lock = threading.Lock()

    def enter(node: str, claim_id: str) -> None:
        with lock:
            left[0] -= node == place
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)
        if node == "mark":
            with (home / "done.txt").open("a") as done:
                done.write(f"{claim_id} {os.getpid()}\n")
        if node == "match" and oai_url:
            pace()
            httpx.get(oai_url, params={"verb": "Identify", "pid": str(os.getpid())})

    with Store.open(url) as store:
        pace = shared_pace(store, "arxiv", gap_s)
        judge = StatedJudge(home / "judged.txt")
        parts = Parts(store=store, sources={}, judge=judge, clock=SystemClock(), enter=enter)
        desk = Desk(
            lambda judge: parts,
            PaperIndex.open(home / "index"),
            lambda order: NightWish(until=order.until, harvest=order.harvest, oai_url=oai_url, papers_per_claim=60),
            pace=pace,
            lab=lambda: _no_lab(),
        )
        queue_url = url if url.startswith("postgresql") else f"sqlite:///{home / 'nights.sqlite3'}"
        with NightQueue(queue_url, desk, Roll(store, holder(), lease_s=lease_s), poll_s=0.2) as queue:
            digest = queue.wait(queue.call(Order(until=day, harvest=bool(oai_url))))
    print(digest.model_dump_json(exclude={"cost"}))


def _no_lab() -> Lab:
    raise AssertionError("no claim has an experiment")


if __name__ == "__main__":
    if os.environ.get("NIGHT_HOST"):
        socket.gethostname = lambda: os.environ["NIGHT_HOST"]  # stands for another machine
    given = [*sys.argv[1:], *["never:1", "", "0"][len(sys.argv) - 4 :]]
    where, _, count = given[3].partition(":")
    lease_s = float(os.environ.get("NIGHT_LEASE_S", "90"))
    main(given[0], Path(given[1]), date.fromisoformat(given[2]), where, int(count), given[4], float(given[5]), lease_s)
