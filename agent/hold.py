"""Holds claims: runs each claim's thread to its end, takes up threads that a dead process left, in parallel."""

import json
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph.state import CompiledStateGraph
from langgraph.types import Command

from agent.graph.build import build_graph
from agent.graph.parts import Parts
from agent.graph.state import Job, State
from agent.lease import lease
from claims.claim import Claim
from claims.errors import RetestError
from claims.ids import digest
from claims.store import Store

log = logging.getLogger(__name__)

CLAIMS_AT_ONCE = 4
"""Threads of claims that run side by side: one may await the lab while the others weigh."""

Approve = Callable[[dict[str, Any]], bool]
"""Answers the question of a thread that waits for approval."""


class Outcome(NamedTuple):
    """How one claim's thread ended."""

    claim_id: str
    state: dict[str, Any]
    """the thread's last values; empty when it failed at once"""
    error: str | None = None
    """what stopped it; the other claims went on, and the next pass takes it up where it stopped"""

    @property
    def unjudged(self) -> str | None:
        """How many papers the judge could not judge, and why; None when it judged all."""
        reasons = "; ".join(dict.fromkeys(self.state.get("problems", [])))
        n = self.state.get("n_unjudged", 0)
        return f"could not judge {n} paper{'' if n == 1 else 's'}: {reasons}" if reasons else None


def begin_pass(store: Store, settings: dict[str, object]) -> str:
    """Name the pass: an unfinished one with the same settings is taken up, else a new one begins."""
    key = "pass:" + digest(settings).removeprefix("sha256:")[:16]
    held = json.loads(store.get_cursor(key) or '{"n": 0, "finished": true}')
    if held["finished"]:
        held = {"n": held["n"] + 1, "finished": False}
        store.set_cursor(key, json.dumps(held))
    return f"{key.removeprefix('pass:')}-{held['n']}"


def finish_pass(store: Store, pass_id: str) -> None:
    """Mark a pass as done, so that the next one starts afresh."""
    name, _, n = pass_id.rpartition("-")
    store.set_cursor(f"pass:{name}", json.dumps({"n": int(n), "finished": True}))


def hold(
    claims: Sequence[Claim],
    job: Job,
    parts: Parts,
    saver: BaseCheckpointSaver[str],
    *,
    locks: Path,
    approve: Approve = lambda question: False,
    at_once: int = CLAIMS_AT_ONCE,
) -> list[Outcome]:
    """Bring every claim's thread of this pass to its end, in the order of `claims`.

    A claim that fails is reported in its `Outcome.error` and never stops the others.
    """
    graph = build_graph(parts, saver)
    with ThreadPoolExecutor(max_workers=at_once, thread_name_prefix="claim") as pool:
        return list(pool.map(lambda claim: _hold_one(claim, job, graph, locks, approve), claims))


def _hold_one(
    claim: Claim,
    job: Job,
    graph: CompiledStateGraph,  # type: ignore[type-arg]
    locks: Path,
    approve: Approve,
) -> Outcome:
    thread_id = f"{claim.id}@{job['pass_id']}"
    try:
        with lease(locks, thread_id):
            return Outcome(claim.id, _run_thread(claim, job, graph, thread_id, approve))
    except RetestError as exc:
        log.warning("claim %s stopped: %s", claim.id, exc)
        return Outcome(claim.id, {}, str(exc))
    except Exception as exc:
        log.exception("claim %s stopped by a defect of retest", claim.id)
        return Outcome(claim.id, {}, f"a defect of retest: {type(exc).__name__}: {exc}")


def _run_thread(
    claim: Claim,
    job: Job,
    graph: CompiledStateGraph,  # type: ignore[type-arg]
    thread_id: str,
    approve: Approve,
) -> dict[str, Any]:
    config: Any = {"configurable": {"thread_id": thread_id}, "recursion_limit": 100}
    before = graph.get_state(config)
    if "verdict_id" in before.values:
        return dict(before.values)
    given: State | Command[Any] | None = None
    if (before.metadata or {}).get("step", -1) < 0:
        # Nothing but the input was saved, perhaps not all of it: it is given again. `next` cannot tell, for a thread
        # that died between a node's result and the checkpoint behind it has none either.
        given = {"claim_id": claim.id, "job": job, "found": [], "n_judged": 0, "n_unjudged": 0, "problems": []}
    while True:
        values = graph.invoke(given, config, durability="sync")
        questions = values.get("__interrupt__")
        if not questions:
            return dict(values)
        given = Command(resume=approve(questions[0].value))
