"""Questions about what is held, as one answer or sentence by sentence, and the grounding of cited ids."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Header, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from agent.chat.answer import told
from agent.chat.asked import MAX_QUESTION, understood
from agent.chat.model import Turn, ask_model
from agent.chat.reply import Reply
from agent.llm import ChatModel
from agent.lookups import MAX_IDS, ground_ids
from agent.web.api.words import ERRORS
from agent.web.door import ClockDep, DoorDep, SettingsDep, StoreDep
from agent.web.problems import status_of
from agent.wiring import SOURCE_CHOICES
from claims.clock import Clock
from claims.errors import InputError, RetestError
from claims.store import Store

router = APIRouter(tags=["questions"])

SILENCE_S = 10.0
"""Seconds without a word after which a comment is sent, so that nobody takes the connection for dead."""


class Question(BaseModel):
    """What is asked, and what was said before."""

    model_config = ConfigDict(extra="forbid")

    question: str = Field(min_length=1, max_length=MAX_QUESTION)
    focus: list[Annotated[str, Field(max_length=200)]] = Field(default=[], max_length=10)
    """ids of the claims that were spoken of last"""
    turns: list[Turn] = Field(default=[], max_length=20)
    """earlier questions with their answers, oldest first; only a model reads them"""
    no_llm: bool = False
    """answer from the store alone, even where a model is configured"""


class Answer(Reply):
    """An answer, also as plain text."""

    plain: str
    """the sentences with their evidence ids, the reference list and the BibTeX entries"""


class Ids(BaseModel):
    """What is to be grounded."""

    model_config = ConfigDict(extra="forbid")

    ids: list[Annotated[str, Field(max_length=200)]] = Field(min_length=1, max_length=MAX_IDS)
    """arXiv ids, in any way that they are written"""
    source: str = Field(default="auto", max_length=20)
    """`auto`, `arxiv`, `mirror` or `library`"""


class Grounded(BaseModel):
    """What became of one id."""

    id: str
    status: str
    """`ok`, `withdrawn`, `not_found`, `malformed`, `mismatch`, or `unchecked`: could not look"""
    problems: list[str]
    how: str
    looked_in: list[str]
    could_not_look: dict[str, str]
    """place to what happened there"""
    title: str | None


@router.post(
    "/ask",
    response_model=Answer,
    responses={
        **ERRORS,
        200: {"content": {"text/event-stream": {}}, "description": "the answer; streamed if so asked"},
    },
)
def ask(
    asked: Question, door: DoorDep, store: StoreDep, clock: ClockDep, accept: Annotated[str, Header()] = ""
) -> Response:
    """Answer a question. Every finding carries the ids of its evidence.

    With `Accept: text/event-stream` each sentence is sent as an event `sentence` as soon as it may be shown, and the
    whole answer as the event `answer` at the end; an event `problem` says why there is none.
    """
    model = None if asked.no_llm else door.chat_model()
    if "text/event-stream" in accept:
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return StreamingResponse(_stream(asked, store, clock, model), media_type="text/event-stream", headers=headers)
    reply = _answer(asked, store, clock, model, lambda sentence: None)
    return Response(_whole(reply), media_type="application/json")


def _answer(asked: Question, store: Store, clock: Clock, model: ChatModel | None, say: Any) -> Reply:
    read = understood(store, asked.question, clock, focus=asked.focus)
    if model is not None:
        return ask_model(store, read, clock, model, turns=asked.turns, on_sentence=say)
    reply = told(store, read, clock)
    for sentence in reply.sentences:
        say(sentence)
    return reply


def _whole(reply: Reply) -> str:
    return Answer(**dict(reply), plain=reply.text()).model_dump_json()


async def _stream(asked: Question, store: Store, clock: Clock, model: ChatModel | None) -> AsyncIterator[bytes]:
    loop = asyncio.get_running_loop()
    said: asyncio.Queue[bytes | None] = asyncio.Queue()

    def put(event: bytes | None) -> None:
        loop.call_soon_threadsafe(said.put_nowait, event)

    def work() -> None:
        try:
            whole = _whole(_answer(asked, store, clock, model, lambda s: put(_event("sentence", s.model_dump_json()))))
            put(_event("answer", whole))
        except RetestError as exc:
            problem = {"kind": type(exc).__name__, "status": status_of(exc), "detail": str(exc)}
            put(_event("problem", json.dumps(problem)))
        finally:
            put(None)

    threading.Thread(target=work, name="answer", daemon=True).start()
    while True:
        try:
            event = await asyncio.wait_for(said.get(), SILENCE_S)
        except TimeoutError:
            event = b": still here\n\n"
        if event is None:
            return
        yield event


def _event(name: str, data: str) -> bytes:
    return f"event: {name}\ndata: {data}\n\n".encode("utf-8", "replace")


@router.post("/ground", response_model=list[Grounded], responses=ERRORS)
def ground(asked: Ids, store: StoreDep, settings: SettingsDep, request: Request) -> list[dict[str, Any]]:
    """Tell of each arXiv id whether it is real. What could not be looked up is `unchecked`, never `not_found`."""
    del request
    if asked.source not in SOURCE_CHOICES:
        raise InputError(f"no source {asked.source!r}; there are {', '.join(SOURCE_CHOICES)}")
    return ground_ids(asked.ids, asked.source, store, settings)
