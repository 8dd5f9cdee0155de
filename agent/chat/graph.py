"""The conversation: a graph that reads a message, answers it or asks before it acts, and keeps the history in a thread.

    read -+-> answer -> END
          +-> show   -> END
          `-> confirm (interrupt) -+-> act -> END
                                   `-> END

State is plain data. What was said is kept as text with ids; what is held stays in the store.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, NotRequired, Protocol, TypedDict

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.types import Command, interrupt

from agent.chat.answer import HELP, ask
from agent.chat.asked import understood
from agent.chat.intents import wanted_action
from agent.chat.model import OnSentence, Turn, ask_model
from agent.chat.reply import Reply, Sentence
from agent.chat.show import shown
from agent.chat.topics import find_topic
from agent.errors import AgentError
from agent.llm import ChatModel
from claims.claim import Claim
from claims.clock import Clock
from claims.errors import InputError, NotHeld, RetestError
from claims.store import Store

MAX_TURNS = 30
"""Turns that a thread keeps; older ones are forgotten."""

MAX_SAID = 2000
"""Characters of an answer that the history keeps."""


class Actions(Protocol):
    """What the conversation may do besides answering, after a person said yes."""

    def retest(self, claim: Claim) -> str:
        """Search and weigh newer work for a claim and decide it again. Gives one line on what came of it."""
        ...

    def experiment(self, claim: Claim) -> str:
        """Run the experiment of a claim's family in the lab. Gives one line on what came of it."""
        ...


@dataclass(frozen=True)
class ChatParts:
    """What the nodes are handed."""

    store: Store
    clock: Clock
    model: ChatModel | None = None
    actions: Actions | None = None
    on_sentence: OnSentence = lambda sentence: None
    """given each sentence of an answer as soon as it may be shown"""


class Said(TypedDict):
    """One turn of the history."""

    question: str
    answer: str
    claim_ids: list[str]


class ChatState(TypedDict):
    """One conversation."""

    message: str
    turns: NotRequired[list[Said]]
    focus: NotRequired[list[str]]
    """claims that were spoken of last"""
    wish: NotRequired[dict[str, str] | None]
    """an action with its claim, to be confirmed"""
    reply: NotRequired[dict[str, Any] | None]
    """the answer to `message`"""


def build_chat(parts: ChatParts, saver: BaseCheckpointSaver[str]) -> CompiledStateGraph:  # type: ignore[type-arg]
    """Draw the conversation."""
    g = StateGraph(ChatState)
    for name, node in (("read", read), ("answer", answer), ("confirm", confirm), ("act", act)):
        g.add_node(name, partial(node, parts=parts))
    g.add_edge(START, "read")
    g.add_conditional_edges("read", after_read, ["answer", "confirm", END])
    g.add_conditional_edges("confirm", lambda state: "act" if state.get("wish") else END, ["act", END])
    g.add_edge("answer", END)
    g.add_edge("act", END)
    return g.compile(checkpointer=saver)


def after_read(state: ChatState) -> str:
    """Go on to what the message needs."""
    if state.get("wish"):
        return "confirm"
    return END if state.get("reply") else "answer"


def read(state: ChatState, parts: ChatParts) -> dict[str, object]:
    """Tell a command from a question, and find the claim that an action is about."""
    message = state["message"].strip()
    fresh: dict[str, object] = {"wish": None, "reply": None}
    if message.startswith("/"):
        word, _, rest = message[1:].partition(" ")
        action, topic = word.lower(), rest.strip()
    else:
        wanted = wanted_action(message)
        if wanted is None:
            return fresh
        action, topic = wanted
    if action == "help":
        return fresh | _keep(state, parts, [*HELP])
    if action not in ("show", "retest", "experiment"):
        return fresh | _keep(state, parts, ["No such command. There are /show, /retest, /experiment, /help and /quit."])
    claim, why = _claim(state, parts, topic)
    if claim is None:
        return fresh | _keep(state, parts, [why], held=False)
    if action == "show":
        return fresh | _kept(state, shown(parts.store, claim, parts.clock, question=message), parts)
    if parts.actions is None:
        return fresh | _keep(state, parts, ["This conversation can answer and not act: nothing was started."])
    return fresh | {"wish": {"action": action, "claim_id": claim.id}}


def answer(state: ChatState, parts: ChatParts) -> dict[str, object]:
    """Answer a question, with the model where there is one."""
    focus = state.get("focus") or []
    if parts.model is None:
        return _kept(state, ask(parts.store, state["message"], parts.clock, focus=focus), parts)
    asked = understood(parts.store, state["message"], parts.clock, focus=focus)
    turns = [Turn(t["question"], t["answer"]) for t in state.get("turns") or []]
    reply = ask_model(parts.store, asked, parts.clock, parts.model, turns=turns, on_sentence=parts.on_sentence)
    return _kept(state, reply, parts, streamed=True)


def confirm(state: ChatState, parts: ChatParts) -> dict[str, object]:
    """Ask a person before anything is started; only a plain yes starts it."""
    wish = state.get("wish") or {}
    claim = parts.store.claim(wish["claim_id"])
    what = {
        "retest": "Search and weigh newer work, and decide the claim again",
        "experiment": "Run its experiment in the lab, which may take minutes",
    }[wish["action"]]
    question = f"{what}: {claim.id}?"
    if interrupt({"question": question, **wish}) is True:
        return {}
    return {"wish": None} | _keep(state, parts, ["Not started."], claim_ids=[claim.id])


def act(state: ChatState, parts: ChatParts) -> dict[str, object]:
    """Do what was confirmed; a failure is an answer too."""
    wish = state.get("wish") or {}
    claim = parts.store.claim(wish["claim_id"])
    assert parts.actions is not None
    do: Callable[[Claim], str] = parts.actions.retest if wish["action"] == "retest" else parts.actions.experiment
    try:
        line = do(claim)
    except (AgentError, RetestError) as exc:
        line = f"It could not be done: {exc}"
    said = _keep(state, parts, [line], claim_ids=[claim.id])
    return {"wish": None} | said


def _claim(state: ChatState, parts: ChatParts, topic: str) -> tuple[Claim | None, str]:
    if not topic or topic.lower() in ("it", "this", "that", "this claim", "that claim", "the claim"):
        focus = state.get("focus") or []
        if not focus:
            return None, "Which claim? Name it by its id or its words."
        return parts.store.claim(focus[0]), ""
    try:
        return parts.store.claim(topic), ""
    except NotHeld:
        pass
    except InputError as exc:
        return None, str(exc)
    found = find_topic(parts.store, topic, parts.store.claims())
    if found.by_meaning:  # good enough to answer from, not to act on
        near = found.claims[0]
        return (
            None,
            f"I do not hold a claim in these words. The nearest is “{near.text}”; name it by its id, {near.id}.",
        )
    if not found.claims:
        return None, "I do not hold a claim on that. `retest list` shows what is held."
    return found.claims[0], ""


def _keep(
    state: ChatState, parts: ChatParts, lines: list[str], claim_ids: list[str] | None = None, *, held: bool = True
) -> dict[str, object]:
    sentences = tuple(Sentence(text=x) for x in lines)
    reply = Reply(question=state["message"], sentences=sentences, claim_ids=tuple(claim_ids or ()), held=held)
    return _kept(state, reply, parts)


def _kept(state: ChatState, reply: Reply, parts: ChatParts, *, streamed: bool = False) -> dict[str, object]:
    if not streamed:
        for sentence in reply.sentences:
            parts.on_sentence(sentence)
    said: Said = {
        "question": state["message"][:MAX_SAID],
        "answer": "\n".join(str(s) for s in reply.sentences)[:MAX_SAID],
        "claim_ids": list(reply.claim_ids),
    }
    turns = [*(state.get("turns") or []), said][-MAX_TURNS:]
    return {
        "reply": reply.model_dump(mode="json"),
        "turns": turns,
        "focus": list(reply.claim_ids) or state.get("focus") or [],
    }


class Conversation:
    """One thread of the graph, as an edge uses it."""

    def __init__(self, parts: ChatParts, saver: BaseCheckpointSaver[str], name: str) -> None:
        self._graph = build_chat(parts, saver)
        self._config: Any = {"configurable": {"thread_id": f"chat:{name}"}}

    def history(self) -> list[Said]:
        """Give the turns that the thread keeps, oldest first."""
        return list(self._graph.get_state(self._config).values.get("turns") or [])

    def say(self, message: str, *, approve: Callable[[str], bool] = lambda question: False) -> Reply:
        """Say something, and give the answer. `approve` is asked before anything is started."""
        values = self._graph.invoke({"message": message}, self._config)
        while questions := values.get("__interrupt__"):
            yes = approve(questions[0].value["question"])
            values = self._graph.invoke(Command(resume=yes), self._config)
        return Reply.model_validate(values["reply"])
