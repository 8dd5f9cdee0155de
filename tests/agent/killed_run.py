"""A `retest run` without its command line that dies at a chosen place: `python -m tests.agent.killed_run HOME NODE N`.

It dies by SIGKILL when NODE is entered for the N-th time; `judged` dies after the judge gave a batch of stances and
before they are stored. With NODE `never` it runs to its end. Every paper that the judge reads is written to
`judged.txt`.
"""

import os
import signal
import sys
import threading
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

from agent.graph.parts import Parts
from agent.judges.local import local_judge
from agent.main_job import Wish, run_inquiry
from agent.settings import Settings
from agent.wiring import open_checkpoints, open_lab, open_sources, open_store
from claims.claim import Claim
from claims.clock import SystemClock
from claims.evidence import Assessment
from claims.inquiry import parse_inquiry
from claims.library import example_inquiry
from claims.paper import Paper
from tests.lab.protocol_for_tests import FastProtocol

CLAIMS = 2
"""Claims of the shipped inquiry that are run: two, so that one dies while another is at work."""


WITH_LAB = "with-lab"
"""A file of this name in the home asks for a lab and an experiment."""


class QuickDataQuantity(FastProtocol):
    """Stands in for the shipped protocol of that name, and measures at once."""

    name = "data-quantity"


class Killer:
    """Counts what is entered, and kills this process at the chosen count."""

    def __init__(self, node: str, n: int) -> None:
        self._node, self._left, self._lock = node, n, threading.Lock()

    def __call__(self, node: str, claim_id: str) -> None:
        with self._lock:
            if node == self._node:
                self._left -= 1
                if self._left == 0:
                    os.kill(os.getpid(), signal.SIGKILL)


class LoggedJudge:
    """The local judge, with a line in a file for each paper that it has read."""

    def __init__(self, log: Path, killer: Killer) -> None:
        self._judge = local_judge()
        self.ref, self.at_once = self._judge.ref, self._judge.at_once
        self._log, self._killer = log, killer

    def assess(self, claim: Claim, papers: Sequence[Paper]) -> list[Assessment]:
        given = self._judge.assess(claim, papers)
        with self._log.open("a") as log:
            log.writelines(f"{claim.id} {paper.id}\n" for paper in papers)
        self._killer("judged", claim.id)
        return given


def main(home: Path, node: str, n: int) -> None:
    killer = Killer(node, n)
    settings = Settings(home=home)
    clock = SystemClock()
    inquiry = parse_inquiry(example_inquiry())
    use_lab = (home / WITH_LAB).exists()
    with (
        open_store(settings, clock) as store,
        open_checkpoints(settings) as saver,
        open_lab(settings, wanted=use_lab) as lab,
    ):
        parts = Parts(
            store=store,
            sources=open_sources("library", store, settings),
            judge=LoggedJudge(home / "judged.txt", killer),
            clock=clock,
            lab=lab.client,
            no_lab_because=lab.why_not,
            protocols=lab.protocols,
            enter=killer,
        )
        wish = Wish(
            as_of=date(2026, 8, 21),
            sources=tuple(parts.sources),
            use_lab=use_lab,
            seeds=2,
            yes=True,
            only=tuple(claim.id for claim in inquiry.claims[:CLAIMS]),
        )
        done = run_inquiry(inquiry, wish, replace(parts), saver, locks=home / "locks")
    for outcome in done.outcomes:
        print(outcome.claim_id, outcome.state.get("verdict"), outcome.error or "")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
