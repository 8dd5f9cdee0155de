"""The last nodes: decide from what is held, and record the verdict beside the older ones."""

from datetime import date

from agent.graph.parts import Parts, Step
from agent.graph.state import State
from claims.verdict import Verdict, decide


def decide_claim(state: State, parts: Parts) -> dict[str, object]:
    """Apply the verdict rule to all evidence that is held, whichever pass found it."""
    parts.enter("decide", state["claim_id"])
    verdict = current_verdict(state, parts)
    parts.watch(Step(state["claim_id"], "decide", f"{verdict.kind}: {verdict.reason}"))
    return {"verdict": verdict.kind.value}


def record(state: State, parts: Parts) -> dict[str, object]:
    """Append the verdict; the same evidence under the same rule writes nothing new."""
    parts.enter("record", state["claim_id"])
    held = parts.store.record_verdict(current_verdict(state, parts))
    return {"verdict_id": held.id}


def current_verdict(state: State, parts: Parts) -> Verdict:
    """Decide from the store; pure given what is held."""
    claim = parts.store.claim(state["claim_id"])
    evidence = parts.store.evidence(claim.id, superseded=True)
    return decide(claim, evidence, date.fromisoformat(state["job"]["as_of"]))
