"""The last nodes: decide from what is held, and record the verdict beside the older ones."""

from datetime import date

from agent.graph.parts import Parts, Step
from agent.graph.state import State
from claims.verdict import Verdict, decide


def decide_claim(state: State, parts: Parts) -> dict[str, object]:
    """Apply the verdict rule to all evidence that is held, whichever pass found it."""
    parts.enter("decide", state["claim_id"])
    if is_blind(state):
        parts.watch(Step(state["claim_id"], "decide", "no verdict: nothing was judged or measured"))
        return {}
    verdict = current_verdict(state, parts)
    parts.watch(Step(state["claim_id"], "decide", f"{verdict.kind}: {verdict.reason}"))
    return {"verdict": verdict.kind.value}


def record(state: State, parts: Parts) -> dict[str, object]:
    """Append the verdict; the same evidence under the same rule writes nothing new."""
    parts.enter("record", state["claim_id"])
    if is_blind(state):
        return {"verdict_id": ""}
    held = parts.store.record_verdict(current_verdict(state, parts))
    return {"verdict_id": held.id}


def is_blind(state: State) -> bool:
    """Tell whether the judge could judge nothing of what was found, and nothing was measured.

    A verdict would then date what was held before, or an `untested`, with a day on which nobody looked.
    """
    return bool(state["problems"]) and not state["n_judged"] and not state.get("experiment_id")


def current_verdict(state: State, parts: Parts) -> Verdict:
    """Decide from the store; pure given what is held."""
    claim = parts.store.claim(state["claim_id"])
    evidence = parts.store.evidence(claim.id, superseded=True)
    return decide(claim, evidence, date.fromisoformat(state["job"]["as_of"]))
