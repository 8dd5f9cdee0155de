"""A night in a process of its own, to be killed or run beside others: `... killed_night URL HOME DAY [PLACE:N]`.

Every pair that the judge reads is written to `HOME/judged.txt`. With `PLACE:N` it dies by SIGKILL
when that place is entered for the N-th time.
"""

import os
import signal
import sys
from datetime import date
from pathlib import Path

from agent.graph.parts import Parts
from agent.refresh import NightWish, refresh
from claims.clock import SystemClock
from claims.paper_index import PaperIndex
from claims.store import Store
from tests.nights import StatedJudge


def main(url: str, home: Path, day: date, place: str = "never", n: int = 1) -> None:
    left = [n]

    def enter(node: str, claim_id: str) -> None:
        left[0] -= node == place
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    with Store.open(url) as store:
        parts = Parts(store=store, sources={}, judge=StatedJudge(home / "judged.txt"), clock=SystemClock(), enter=enter)
        wish = NightWish(until=day, harvest=False, papers_per_claim=60)
        digest = refresh(wish, parts, PaperIndex.open(home / "index"))
    print(digest.model_dump_json(exclude={"cost"}))


if __name__ == "__main__":
    where, _, count = (sys.argv[4] if len(sys.argv) > 4 else "never:1").partition(":")
    main(sys.argv[1], Path(sys.argv[2]), date.fromisoformat(sys.argv[3]), where, int(count))
