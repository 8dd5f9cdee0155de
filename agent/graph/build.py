"""The drawing of a claim's thread, and nothing else."""

from functools import partial

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.types import RetryPolicy

from agent.errors import Retryable
from agent.graph import conclude, dispatch, find, weigh
from agent.graph.parts import Parts
from agent.graph.state import State
from claims.errors import StoreLocked

ONLY_RETRYABLE = RetryPolicy(
    max_attempts=4, initial_interval=1.0, backoff_factor=2.0, retry_on=(Retryable, StoreLocked)
)
"""LangGraph's default also retries httpx time-outs, which would send an experiment twice."""


def has_protocol(state: State) -> str:
    """Send an experiment only when a protocol was chosen and approved."""
    return "dispatch" if state.get("protocol") else "decide"


def build_graph(parts: Parts, saver: BaseCheckpointSaver[str]) -> CompiledStateGraph:  # type: ignore[type-arg]
    """Draw a claim's thread.

    ground -> plan -> search (fan-out) -> screen -> weigh (fan-out) -> choose -> approve -+-> decide -> record
                                                                                          `-> dispatch -> await_run -^
    """
    g = StateGraph(State)
    for name, node in (
        ("ground", find.ground_anchors),
        ("plan", find.plan),
        ("search", find.search),
        ("screen", find.screen),
        ("weigh", weigh.weigh),
        ("choose", dispatch.choose),
        ("approve", dispatch.approve),
        ("dispatch", dispatch.dispatch),
        ("await_run", dispatch.await_run),
        ("decide", conclude.decide_claim),
        ("record", conclude.record),
    ):
        g.add_node(name, partial(node, parts=parts), retry_policy=ONLY_RETRYABLE)
    g.add_edge(START, "ground")
    g.add_edge("ground", "plan")
    g.add_conditional_edges("plan", find.to_search, ["search"])
    g.add_edge("search", "screen")
    g.add_conditional_edges("screen", weigh.to_weigh, ["weigh", "choose"])
    g.add_edge("weigh", "choose")
    g.add_edge("choose", "approve")
    g.add_conditional_edges("approve", has_protocol, ["dispatch", "decide"])
    g.add_edge("dispatch", "await_run")
    g.add_edge("await_run", "decide")
    g.add_edge("decide", "record")
    g.add_edge("record", END)
    return g.compile(checkpointer=saver)
