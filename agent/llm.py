"""A chat model as we use one: any of LangChain's providers, temperature 0, answers cached, every call counted.

The model is named `provider:model` (`openai:gpt-5.2`, `anthropic:claude-...`); with a base URL it is any server that
speaks the OpenAI chat protocol (vLLM, Ollama, llama.cpp). LangChain's packages are the extra `llm`.
"""

import importlib
import json
import logging
import re
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

from agent.errors import BudgetSpent, LlmRefused, LlmUnavailable
from agent.outgoing import ForbiddenAddress, check_url, transport_for
from claims.clock import Clock
from claims.errors import InputError
from claims.ids import digest

log = logging.getLogger(__name__)


class Message(NamedTuple):
    """One turn of a conversation."""

    role: str
    """`system`, `user` or `assistant`"""
    text: str


class Price(NamedTuple):
    """What a model costs, in dollars for a million tokens."""

    tokens_in: float
    tokens_out: float

    def of(self, tokens_in: int, tokens_out: int) -> float:
        """Give the price of one call in dollars."""
        return (tokens_in * self.tokens_in + tokens_out * self.tokens_out) / 1_000_000


class Answer(NamedTuple):
    """What the model said, and what it cost."""

    text: str
    tokens_in: int
    tokens_out: int
    usd: float
    cached: bool
    """given from the cache: nothing was paid"""


def dollars(usd: float) -> str:
    """Write an amount: cents, and what is less than ten of them with two digits that count."""
    return f"${usd:.2f}" if usd >= 0.1 or usd == 0 else f"${float(f'{usd:.2g}'):.10f}".rstrip("0")


MAX_TOKENS = 4096
"""Of one answer. A model that thinks before it speaks spends most of them on thoughts."""


class ChatModel:
    """A chat model with a cache, a call log and a budget. Safe to share between threads."""

    def __init__(
        self,
        name: str,
        *,
        folder: Path,
        clock: Clock,
        budget_usd: float,
        price: Price,
        base_url: str | None = None,
        timeout_s: float = 120.0,
        max_tokens: int = MAX_TOKENS,
        link_local: bool = False,
        key: str | None = None,
    ) -> None:
        """Prepare; nothing is sent. `folder` gets `llm.sqlite3`, the cache and the log of calls.

        key: the provider's; its own environment variable counts when None. link_local: let `base_url` lead to a
        link-local or metadata address. Raises InputError when the name, the provider's package or its key is missing,
        or the address may not be called.
        """
        self.name = name
        self._budget_usd = budget_usd
        self._price = price
        self._clock = clock
        self._lock = threading.Lock()
        self._spent = 0.0
        self._takes_form = name.partition(":")[0] in ("openai", "anthropic")
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / "llm.sqlite3"
        with closing(self._connect()) as db, db:
            db.execute("CREATE TABLE IF NOT EXISTS answers (key TEXT PRIMARY KEY, answer TEXT NOT NULL)")
            db.execute(
                "CREATE TABLE IF NOT EXISTS calls (at TEXT, model TEXT, prompt TEXT, key TEXT, tokens_in INTEGER, "
                "tokens_out INTEGER, usd REAL)"
            )
        self._model = _chat_model(name, base_url, timeout_s, max_tokens, link_local=link_local, key=key)

    @property
    def spent_usd(self) -> float:
        """Dollars paid by this object; answers from the cache cost nothing."""
        return self._spent

    def ask(
        self,
        messages: Sequence[Message],
        *,
        prompt: str,
        form: Mapping[str, object] | None = None,
        is_whole: Callable[[str], bool] = lambda text: True,
    ) -> Answer:
        """Ask once. The same messages to the same model are answered from the cache.

        prompt: name and version of the prompt and its form, for the log. form: JSON schema to which the server is asked
        to keep the answer; one that refuses it is asked without, so that whoever asks still checks what comes.
        is_whole: tells whether an answer is worth keeping; another is paid for and not cached. Raises BudgetSpent
        before anything is sent when the budget is used up, LlmUnavailable (worth asking again), LlmRefused.
        """
        key = self._key(messages, prompt)
        held = self._held(key)
        if held is not None:
            return held
        self._check_budget()
        text, tokens_in, tokens_out = self._send(messages, form)
        return self._keep(key, prompt, text, tokens_in, tokens_out, whole=is_whole(text))

    def stream(self, messages: Sequence[Message], *, prompt: str) -> Iterator[str]:
        """Ask once, and give the answer piece by piece as it is written; otherwise the same as `ask`.

        An answer that broke off is paid for and not cached.
        """
        key = self._key(messages, prompt)
        held = self._held(key)
        if held is not None:
            yield held.text
            return
        self._check_budget()
        text, tokens_in, tokens_out, whole = "", 0, 0, False
        try:
            for piece in self._pieces(messages):
                usage = piece.usage_metadata or {}
                tokens_in += int(usage.get("input_tokens", 0))
                tokens_out += int(usage.get("output_tokens", 0))
                said = _text_of(piece)
                text += said
                if said:
                    yield said
            whole = True
        finally:
            # A server that counts nothing while it streams is charged by the characters: about four a token.
            if whole or text:
                tokens_in = tokens_in or sum(len(m.text) for m in messages) // 4
                self._keep(key, prompt, text, tokens_in, tokens_out or len(text) // 4, whole=whole)

    def _pieces(self, messages: Sequence[Message]) -> Iterator[Any]:
        try:
            yield from self._model.stream([(m.role, m.text) for m in messages], stream_usage=True)
        except Exception as exc:
            raise _translated(self.name, exc) from exc

    def _key(self, messages: Sequence[Message], prompt: str) -> str:
        return digest([self.name, prompt, [list(m) for m in messages]])

    def _held(self, key: str) -> Answer | None:
        with closing(self._connect()) as db:
            row = db.execute("SELECT answer FROM answers WHERE key = ?", (key,)).fetchone()
        if row is None:
            return None
        held = json.loads(row[0])
        return Answer(held["text"], held["tokens_in"], held["tokens_out"], 0.0, cached=True)

    def _check_budget(self) -> None:
        with self._lock:
            if self._spent >= self._budget_usd > 0 or (self._budget_usd == 0 and any(self._price)):
                raise BudgetSpent(f"the budget of {dollars(self._budget_usd)} is spent (RETEST_BUDGET_USD)")

    def _keep(self, key: str, prompt: str, text: str, tokens_in: int, tokens_out: int, *, whole: bool = True) -> Answer:
        usd = self._price.of(tokens_in, tokens_out)
        with self._lock:
            self._spent += usd
        with closing(self._connect()) as db, db:
            if whole:
                held = {"text": text, "tokens_in": tokens_in, "tokens_out": tokens_out}
                db.execute("INSERT OR IGNORE INTO answers VALUES (?, ?)", (key, json.dumps(held)))
            db.execute(
                "INSERT INTO calls VALUES (?, ?, ?, ?, ?, ?, ?)",
                (self._clock.now().isoformat(), self.name, prompt, key, tokens_in, tokens_out, usd),
            )
        paid = dollars(usd)
        log.info("llm call %s: %d tokens in, %d out, %s (prompt %s)", self.name, tokens_in, tokens_out, paid, prompt)
        return Answer(text, tokens_in, tokens_out, usd, cached=False)

    def _send(self, messages: Sequence[Message], form: Mapping[str, object] | None) -> tuple[str, int, int]:
        turns = [(m.role, m.text) for m in messages]
        try:
            said = self._formed(turns, form) if form and self._takes_form else self._model.invoke(turns)
        except Exception as exc:
            raise _translated(self.name, exc) from exc
        usage = said.usage_metadata or {}
        return _text_of(said), int(usage.get("input_tokens", 0)), int(usage.get("output_tokens", 0))

    def _formed(self, turns: list[tuple[str, str]], form: Mapping[str, object]) -> Any:
        try:
            return _with_form(self._model, self.name, form).invoke(turns)
        except Exception as exc:
            if getattr(exc, "status_code", None) not in _NO_FORM:
                raise
            said = self._model.invoke(turns)
            log.info("%s takes no answer form (%s); it is asked without", self.name, type(exc).__name__)
            self._takes_form = False
            return said

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(self._path, timeout=20)


def _with_form(model: Any, name: str, form: Mapping[str, object]) -> Any:
    """Bind a schema as the provider takes it: a forced tool for Anthropic, OpenAI's `response_format` for others.

    That goes past LangChain's own wrapper, which makes an error of an answer that was cut off.
    """
    if name.startswith("anthropic:"):
        return model.bind_tools([dict(form)], tool_choice=form["title"])
    asked = {"type": "json_schema", "json_schema": {"name": form["title"], "schema": dict(form), "strict": True}}
    return model.bind(extra_body={"response_format": asked})


THINKS = re.compile(r"<think(?:ing)?>", re.IGNORECASE)
THOUGHT = re.compile(r"</think(?:ing)?>", re.IGNORECASE)
"""How models that think aloud mark where their thoughts begin and end."""
_LONGEST_MARK = len("</thinking>")


def without_thoughts(pieces: Iterable[str]) -> Iterator[str]:
    """Leave a model's marked thoughts out of an answer that comes in pieces, wherever the pieces part a mark.

    Thoughts whose beginning the server did not keep cannot be told before they end, and stay.
    """
    held, thinks = "", False
    for piece in pieces:
        held += piece
        while mark := (THOUGHT if thinks else THINKS).search(held):
            if not thinks and mark.start():
                yield held[: mark.start()]
            held, thinks = held[mark.end() :], not thinks
        begun = held.rfind("<", max(0, len(held) - _LONGEST_MARK))
        sure = held if begun < 0 else held[:begun]
        if sure and not thinks:
            yield sure
        held = held[len(sure) :]
    if held and not thinks:
        yield held


def _text_of(said: Any) -> str:
    if getattr(said, "tool_calls", None):
        return json.dumps(said.tool_calls[0]["args"], ensure_ascii=False)
    text: str = said.text if isinstance(said.text, str) else said.text()
    return text


def _chat_model(
    name: str, base_url: str | None, timeout_s: float, max_tokens: int, *, link_local: bool, key: str | None
) -> Any:
    provider, model = parts_of(name)
    try:
        from langchain.chat_models import init_chat_model
    except ImportError as exc:
        raise InputError("language models need LangChain: pip install 'retest[llm]'") from exc
    options: dict[str, Any] = {"temperature": 0, "timeout": timeout_s, "max_tokens": max_tokens, "max_retries": 2}
    if key:
        options["api_key"] = key
    if base_url:
        # A server of one's own mostly wants no key, but the client insists on one.
        options |= {"base_url": base_url, "api_key": key or "none"}
        check_url(base_url, link_local=link_local)
        if provider == "openai":
            options["http_client"] = _guarded_client(base_url, link_local=link_local)
    try:
        return init_chat_model(model, model_provider=provider, **options)
    except Exception as exc:
        why = str(exc).splitlines()[0][:200]
        hint = f" Write {_likely(name, base_url)}:{name}?" if why.startswith("Unsupported provider") else ""
        raise InputError(f"RETEST_LLM={name}: {why}{hint}") from exc


class Name(NamedTuple):
    """What `RETEST_LLM` names."""

    provider: str
    model: str


def parts_of(name: str, base_url: str | None = None) -> Name:
    """Part `provider:model`. Raises InputError that says what to write instead."""
    provider, _, model = name.partition(":")
    if not provider or not model:
        written = provider or model or "gpt-5.2"
        raise InputError(
            f"RETEST_LLM={name} names no provider: write RETEST_LLM={_likely(written, base_url)}:{written} "
            "(provider:model, any provider of LangChain; `openai` for a server of your own)"
        )
    return Name(provider, model)


_MAKERS = {"claude": "anthropic", "gemini": "google_genai", "mistral": "mistralai", "command": "cohere"}


def _likely(model: str, base_url: str | None) -> str:
    """Give the provider that a model's name suggests; a server of one's own speaks OpenAI's protocol."""
    return "openai" if base_url else next((p for m, p in _MAKERS.items() if model.lower().startswith(m)), "openai")


def _guarded_client(base_url: str, *, link_local: bool) -> Any:
    """Give OpenAI's HTTP client with every connection checked; None for its own where that cannot be."""
    import openai

    # Its client is of `httpx` or of a fork, by version; the transport must be of the same library.
    library = importlib.import_module(openai.DefaultHttpxClient.__mro__[1].__module__)
    transport: Any = transport_for(base_url, library.HTTPTransport(), link_local=link_local)
    return None if transport is None else openai.DefaultHttpxClient(transport=transport)


_NO_FORM = frozenset({400, 422, 501})
"""HTTP states with which servers refuse a form that they do not know."""

_AGAIN = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
"""HTTP states after which the same question may be answered; every provider's client puts them in `status_code`."""


def _translated(name: str, exc: Exception) -> LlmUnavailable | LlmRefused:
    status = getattr(exc, "status_code", None)
    cause: BaseException | None = exc
    while cause is not None:
        if isinstance(cause, ForbiddenAddress):
            return LlmRefused(name, str(cause))
        cause = cause.__cause__ or cause.__context__
    why = " ".join(str(exc).split())[:200] or type(exc).__name__
    if isinstance(status, int) and status not in _AGAIN:
        return LlmRefused(name, why)
    if isinstance(status, int) or "onnect" in type(exc).__name__ or "imeout" in type(exc).__name__:
        return LlmUnavailable(name, why)
    return LlmRefused(name, why)
