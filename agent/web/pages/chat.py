"""The conversation as a page: a form that works by itself, and the same as a stream of sentences for scripts.

Nothing is started by a message: an action is asked about first, and becomes a job when a person says yes.
"""

import logging
import re
import secrets
from collections.abc import AsyncIterator, Callable, Container
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, NamedTuple
from urllib.parse import urlencode

import anyio
import anyio.from_thread
import anyio.to_thread
from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse
from markupsafe import Markup, escape

from agent.lease import lease
from agent.web.door import Door, door_of
from agent.web.journal import JobTaken
from agent.web.pages.live import event, stream
from agent.web.render import page, part
from agent.wiring import open_checkpoints
from claims.claim import Claim
from claims.errors import InputError, NotHeld, RetestError
from claims.evidence import PaperEvidence
from claims.ids import ArxivId
from claims.report import phrases
from claims.report.html import PAGES, words
from claims.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.chat.graph import Conversation, Said
    from agent.chat.reply import Reply, Sentence

router = APIRouter()
log = logging.getLogger(__name__)

COOKIE = "retest_chat"
"""Names the conversation; it holds no more than a random name."""

COOKIE_S = 30 * 86400
MAX_MESSAGE = 4000
_THREAD = re.compile(r"[A-Za-z0-9_-]{16,40}")
_OURS = re.compile(
    r"\b(?P<evidence>ev-[0-9a-f]{12})\b|\b(?P<experiments>exp-[0-9a-f]{12})\b|\b(?P<jobs>job-[0-9a-f]{12})\b"
    r"|(?<![\w-])(?P<claims>[a-z0-9]+(?:-[a-z0-9]+){1,12}-[0-9a-f]{6})(?![\w-])"
)
"""Ids in an answer by the page that they lead to. None is there that is not held: the conversation sees to that."""

IDEAS = (
    "What is held, and what is untested?",
    "Does LIMA still hold, since when?",
    "What changed it?",
    "What is the strongest work against it in the last six months?",
    "What would change your mind?",
)


class Cited(NamedTuple):
    """A piece of evidence below an answer."""

    id: str
    title: str
    href: str
    on: str
    stance: str


class Turn(NamedTuple):
    """One question with its answer, ready to be drawn."""

    question: str
    answer: list[Markup]
    """a paragraph each"""
    cited: list[Cited]


class _Actions:
    """What the conversation may do: put up jobs."""

    def __init__(self, door: Door) -> None:
        self._door = door

    def retest(self, claim: Claim) -> str:
        """Start a re-test."""
        return self._told(lambda: self._door.jobs.start_retest(claim.id).job.id)

    def experiment(self, claim: Claim) -> str:
        """Start an experiment; a long one waits for approval."""
        return self._told(lambda: self._door.jobs.start_experiment(claim.id).job.id)

    def _told(self, start: Callable[[], str]) -> str:
        try:
            return f"Started as {start()}: its page tells how it goes."
        except JobTaken as taken:
            return f"{taken.job.id} is at work on this claim already."


class _Asking:
    """Notes what the conversation asks before it acts, and answers it."""

    def __init__(self, *, yes: bool) -> None:
        self._yes = yes
        self.question = ""

    def __call__(self, question: str) -> bool:
        self.question = "" if self._yes else question
        return self._yes


@router.get("/chat")
def chat(request: Request, confirm: str = "", ask: str = "") -> Response:
    """Show the conversation."""
    thread = _thread(request)
    door = door_of(request)
    turns = [_turn(said["question"], said["answer"], door.store) for said in _history(door, thread)]
    return _page(request, door, turns, confirm=confirm[:MAX_MESSAGE], ask=ask[:MAX_MESSAGE])


def _page(
    request: Request,
    door: Door,
    turns: list[Turn],
    *,
    confirm: str = "",
    ask: str = "",
    problem: str = "",
    status: int = 200,
) -> Response:
    return page(
        request,
        "chat.html",
        turns=turns,
        confirm=confirm,
        ask=ask,
        problem=problem,
        model=door.settings.llm,
        ideas=IDEAS if not turns else (),
        status=status,
    )


@router.post("/chat")
def say(
    request: Request,
    message: Annotated[str, Form(max_length=MAX_MESSAGE)] = "",
    yes: Annotated[bool, Form()] = False,
    no_llm: Annotated[bool, Form()] = False,
) -> Response:
    """Answer a message without a script: the page is loaded again."""
    if not message.strip():
        return RedirectResponse("/chat", 303)
    thread = _thread(request) or secrets.token_urlsafe(18)
    door = door_of(request)
    asking = _Asking(yes=yes)
    try:
        with _conversation(door, thread, with_model=not no_llm) as talk:
            talk.say(message, approve=asking)
    except RetestError as exc:
        answer = _page(request, door, [], ask=message, problem=str(exc), status=503)
        return _with_cookie(request, answer, thread)
    query = f"?{urlencode({'confirm': message})}" if asking.question else ""
    return _with_cookie(request, RedirectResponse(f"/chat{query}#ask", 303), thread)


@router.post("/chat/stream")
def say_streaming(
    request: Request,
    message: Annotated[str, Form(max_length=MAX_MESSAGE)],
    yes: Annotated[bool, Form()] = False,
    no_llm: Annotated[bool, Form()] = False,
) -> Response:
    """Answer a message sentence by sentence, as events whose data is escaped HTML."""
    if not message.strip():
        raise InputError("the message is empty")
    thread = _thread(request) or secrets.token_urlsafe(18)
    return _with_cookie(
        request, stream(_answer(door_of(request), thread, message, yes=yes, with_model=not no_llm)), thread
    )


@router.post("/chat/new")
def begin_anew(request: Request) -> Response:
    """Begin another conversation; the one so far is kept under its own name."""
    return _with_cookie(request, RedirectResponse("/chat", 303), secrets.token_urlsafe(18))


async def _answer(door: Door, thread: str, message: str, *, yes: bool, with_model: bool) -> AsyncIterator[bytes]:
    send, receive = anyio.create_memory_object_stream[bytes](200)

    def tell(name: str, data: dict[str, str]) -> None:
        anyio.from_thread.run(send.send, event(name, data))

    asking = _Asking(yes=yes)

    def told(sentence: "Sentence") -> None:
        if not asking.question:
            tell("sentence", {"html": str(_sentence(str(sentence), door.store))})

    def work() -> None:
        try:
            with _conversation(door, thread, with_model=with_model, on_sentence=told) as talk:
                reply = talk.say(message, approve=asking)
            tell("end", {"html": str(_below(reply, asking.question, message))})
        except RetestError as exc:
            tell("problem", {"html": str(Markup("<p>{}</p>").format(str(exc)))})
        except anyio.BrokenResourceError:
            log.info("nobody waits for the answer any more")

    async def run() -> None:
        async with send:
            await anyio.to_thread.run_sync(work)

    async with anyio.create_task_group() as tasks, receive:
        tasks.start_soon(run)
        async for one in receive:
            yield one


def _history(door: Door, thread: str) -> "list[Said]":
    """Read what was said; an answer that is being given to the same person stands in nobody's way."""
    from agent.chat.graph import ChatParts, Conversation

    if not thread:
        return []
    with open_checkpoints(door.settings) as saver:
        return Conversation(ChatParts(door.store, door.clock), saver, f"web-{thread}").history()


@contextmanager
def _conversation(
    door: Door,
    thread: str,
    *,
    with_model: bool,
    on_sentence: "Callable[[Sentence], None]" = lambda sentence: None,
) -> "Iterator[Conversation]":
    from agent.chat.graph import ChatParts, Conversation

    model = door.chat_model() if with_model else None
    parts = ChatParts(door.store, door.clock, model, _Actions(door), on_sentence=on_sentence)
    name = f"web-{thread}"
    with lease(door.settings.home / "locks", f"chat:{name}", wait_s=20), open_checkpoints(door.settings) as saver:
        yield Conversation(parts, saver, name)


def _thread(request: Request) -> str:
    name = request.cookies.get(COOKIE, "")
    return name if _THREAD.fullmatch(name) else ""


def _with_cookie(request: Request, answer: Response, thread: str) -> Response:
    secure = request.url.scheme == "https"
    answer.set_cookie(COOKIE, thread, max_age=COOKIE_S, path="/chat", httponly=True, samesite="lax", secure=secure)
    return answer


def _turn(question: str, answer: str, store: Store) -> Turn:
    ids = list(dict.fromkeys(m["evidence"] for m in _OURS.finditer(answer) if m["evidence"]))
    lines = [_sentence(line, store) for line in answer.split("\n")]
    return Turn(question, lines, [c for id in ids if (c := _cited(id, store))])


def _cited(id: str, store: Store) -> Cited | None:
    try:
        found = store.evidence_by_id(id)
    except NotHeld:
        return None
    href = f"/claims/{found.claim_id}#{id}"
    if not isinstance(found, PaperEvidence):
        name = f"our experiment {found.experiment_id}"
        return Cited(id, name, href, found.measured_on.isoformat(), found.outcome.value)
    papers = store.papers([found.paper_id])
    title = papers[found.paper_id].title if found.paper_id in papers else f"arXiv:{found.paper_id}"
    return Cited(id, title, href, str(found.published), phrases.said(found.assessment))


def _sentence(text: str, store: Store) -> Markup:
    """Escape an answer's line, with ids of what is held as links; whose words it is stands small before it."""
    from agent.chat.reply import MODEL

    held = store.papers({found.base for _, _, found in ArxivId.find_all(text)})
    out = Markup()
    if text.startswith(MODEL):
        out += Markup('<span class="small">{}</span> ').format(MODEL)
        text = text.removeprefix(MODEL).lstrip()
    at = 0
    for match in _OURS.finditer(text):
        out += _words(text[at : match.start()], held)
        out += Markup('<a href="/{}/{}">{}</a>').format(match.lastgroup, match[0], match[0])
        at = match.end()
    return out + _words(text[at:], held)


def _words(text: str, held: Container[str]) -> Markup:
    if not text.strip():
        return escape(" " if text else "")
    before, after = " " * text[0].isspace(), " " * text[-1].isspace()
    return escape(before) + words(text, held, to=PAGES.papers) + after


def _below(reply: "Reply", question: str, message: str) -> Markup:
    """Draw what stands below an answer; with a question, what a yes to it would send again."""
    cited = [
        Cited(
            g.evidence_id,
            g.title or f"our experiment {g.experiment_id}",
            f"/claims/{g.claim_id}#{g.evidence_id}",
            g.dated,
            g.told,
        )
        for g in reply.grounds
    ]
    return part("chat_below.html", cited=cited, bibtex=reply.bibtex, question=question, message=message)
