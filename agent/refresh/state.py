"""How far a night got, as it is stored with the night: shared by the processes and the tries that work on it."""

import os
import socket
from datetime import date

import psutil
from pydantic import BaseModel

from claims.digest import Cost, Problem
from claims.store import Store
from claims.store.nights import HeldNight, Marks

MOST_PROBLEMS = 1000
"""That are listed one by one. Each is written with all before it: at 10,000 one more takes 36 ms, during which no other
process can write its own."""


class NightState(BaseModel):
    """What must survive a kill."""

    marks: Marks
    """where the appended tables stood when the last digest was read: what came after it is news"""
    since: date | None = None
    """the night of that digest"""
    missed: int | None = None
    """scheduled nights before this one that did not take place; None when there is no schedule"""
    end_marks: Marks | None = None
    """where they stood when this night's digest was read"""
    harvested: bool = False
    requests: int = 0
    records: int = 0
    new_papers: int = 0
    changed_papers: int = 0
    seed_targets: dict[str, int] = {}
    """experiment to the seeds that this night brings it to; fixed before it is asked for"""
    seeds: int = 0
    """that those are more than before"""
    left: int = 0
    waiting: dict[str, int] = {}
    """claim to its new papers that are near enough and were beyond what one night judges of a claim"""
    assumed: list[str] = []
    """what was taken for granted, a sentence each"""
    problems: list[Problem] = []
    """one for each place and claim, at most MOST_PROBLEMS; gone when a later try succeeds"""
    more_problems: bool = False
    """whether there were more in this round than are listed"""
    seconds: float = 0.0
    delivered: dict[str, str] = {}
    """way (webhook, mail) to the digest that was sent by it"""
    undelivered: dict[str, str] = {}
    """way to why the digest could not be sent by it"""

    def with_problem(self, problem: Problem) -> "NightState":
        """Note what could not be done, in place of what was said of the same place and claim before."""
        kept = self.without(problem).problems
        if len(kept) >= MOST_PROBLEMS:
            return self.model_copy(update={"more_problems": True})
        return self.model_copy(update={"problems": [*kept, problem]})

    def without(self, problem: Problem) -> "NightState":
        """Forget what could not be done there before."""
        kept = [p for p in self.problems if (p.where, p.claim_id) != (problem.where, problem.claim_id)]
        return self.model_copy(update={"problems": kept})

    def without_any(self, where: str) -> "NightState":
        """Forget what could not be done there before, whatever the claim."""
        return self.model_copy(update={"problems": [p for p in self.problems if p.where != where]})

    def cost(self, *, claims: int) -> Cost:
        """Say what the night took."""
        return Cost(
            requests=self.requests,
            records=self.records,
            new_papers=self.new_papers,
            changed_papers=self.changed_papers,
            claims=claims,
            left=self.left,
            seeds=self.seeds,
            seconds=round(self.seconds, 1),
        )


def state_of(night: HeldNight) -> NightState:
    """Read a night's state."""
    return NightState.model_validate_json(night.state)


def first_state(store: Store, until: date) -> NightState:
    """Give the state that the night of a day begins with: news is what came after the digest that was told last."""
    last = store.told_last(besides=until)
    marks = (state_of(last).end_marks if last else None) or store.marks()
    return NightState(marks=marks, since=next((held.night for held in store.nights(limit=1, before=until)), None))


def news_marks(store: Store, night: HeldNight) -> Marks:
    """Give the marks behind which a night's news lies: no longer what another night told while it was broken off."""
    begun = state_of(night).marks
    other = store.told_last(besides=night.night) if night.digest is None else None
    told = (state_of(other).end_marks if other else None) or {}
    return {name: max(at, told.get(name, 0)) for name, at in begun.items()}


def holder() -> str:
    """Name this process so that others on this machine can tell when it is gone."""
    me = psutil.Process()
    return f"{socket.gethostname()}|{me.pid}|{me.create_time():.2f}"


def is_gone(name: str) -> bool:
    """Tell whether a holder on this machine is no more. Of another machine's nothing is known: its time runs out."""
    host, _, rest = name.partition("|")
    pid, _, created = rest.partition("|")
    if host != socket.gethostname() or not pid.isdigit():
        return False
    if int(pid) == os.getpid() and name == holder():
        return False
    try:
        process = psutil.Process(int(pid))
        return f"{process.create_time():.2f}" != created or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
    except psutil.AccessDenied:
        return False
