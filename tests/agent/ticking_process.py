"""A process that follows a schedule of every two seconds for a while: `... ticking_process URL HOME SECONDS`.

Prints the nights that it sees as asked for by the schedule, one line each.
"""

import sys
import time
from pathlib import Path
from typing import NamedTuple

from dbos import DBOS

from agent.graph.parts import Parts
from agent.refresh import NightWish
from agent.refresh.state import holder
from agent.service.desk import Desk, Order
from agent.service.queue import NightQueue
from agent.service.roll import Roll
from claims.clock import SystemClock
from claims.paper_index import PaperIndex
from claims.store import Store
from tests.nights import StatedJudge


class Often(NamedTuple):
    """In place of a timetable, which knows nothing shorter than a minute."""

    cron: str = "*/2 * * * * *"
    zone: str = "Asia/Kolkata"


def main(url: str, home: Path, seconds: float) -> None:
    with Store.open(url) as store:
        parts = Parts(store=store, sources={}, judge=StatedJudge(), clock=SystemClock())
        desk = Desk(
            lambda judge: parts,
            PaperIndex.open(home / "index"),
            lambda order: NightWish(until=order.until, harvest=False, papers_per_claim=60),
            pace=lambda: None,
            lab=lambda: (_ for _ in ()).throw(AssertionError),  # type: ignore[arg-type]
        )
        ordering = lambda day: Order(until=day, harvest=False)  # noqa: E731
        with NightQueue(
            f"sqlite:///{home / 'nights.sqlite3'}", desk, Roll(store, holder()), poll_s=0.2, ordering=ordering
        ) as queue:
            queue.follow(Often())  # type: ignore[arg-type]
            time.sleep(seconds)
            for tick in DBOS.list_workflows(name="retest_tick"):
                print(tick.workflow_id, tick.status)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), float(sys.argv[3]))
