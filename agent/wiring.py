"""The one place that opens connections. Everything else is handed what it needs."""

import atexit
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import date
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from agent.errors import Final, Retryable, reason
from agent.settings import Settings
from agent.sources.breaker import Breaker
from agent.sources.pacing import Pace, shared_pace
from agent.sources.several import Several
from agent.sources.source import Found, PaperSource
from claims.claim import Claim
from claims.clock import Clock, SystemClock
from claims.errors import InputError
from claims.experiment import ProtocolView
from claims.paper import Paper, Source
from claims.paper_index import PaperIndex
from claims.served import ServedModel
from claims.store import Store

if TYPE_CHECKING:
    from langgraph.checkpoint.base import BaseCheckpointSaver

    from agent.dense import Nearness
    from agent.graph.parts import ClaimSearch
    from agent.judges.judge import Judge
    from agent.lab_client import LabClient
    from agent.llm import ChatModel

SOURCE_CHOICES = ("auto", "arxiv", "mirror", "library")
JUDGE_CHOICES = ("local", "nli", "llm")

ARXIV_SLOT = "arxiv"
"""The store's row that spaces arXiv requests over all processes."""


@contextmanager
def open_store(settings: Settings, clock: Clock | None = None) -> Iterator[Store]:
    """Open the store, with its schema brought up to date."""
    with Store.open(settings.store_url, clock=clock or SystemClock()) as store:
        yield store


def pace(store: Store, settings: Settings) -> Pace:
    """Give what waits for the next slot in which arXiv may be asked, over all processes that share the store."""
    return shared_pace(store, ARXIV_SLOT, settings.arxiv_gap_s)


def open_index(settings: Settings) -> PaperIndex:
    """Open the mirror's full-text index."""
    return PaperIndex.open(settings.index_folder)


def open_sources(choice: str, store: Store, settings: Settings) -> dict[Source, PaperSource]:
    """Open the sources that a choice names, in the order in which they are asked.

    `auto` is the live API, then the mirror (where it holds anything), then the starter library.
    """
    from agent.sources.arxiv_api import ArxivSource
    from agent.sources.library import LibrarySource
    from agent.sources.mirror import MirrorSource

    if choice not in SOURCE_CHOICES:
        raise InputError(f"no source {choice!r}; there are {', '.join(SOURCE_CHOICES)}")
    wanted = [Source.ARXIV, Source.MIRROR, Source.LIBRARY] if choice == "auto" else [Source(choice)]
    opened: dict[Source, PaperSource] = {}
    for name in wanted:
        if name is Source.ARXIV:
            opened[name] = Breaker(
                ArxivSource(
                    url=settings.arxiv_url,
                    timeout_s=settings.http_timeout_s,
                    categories=settings.categories,
                    pace=pace(store, settings),
                )
            )
        elif name is Source.MIRROR:
            opened[name] = MirrorSource(store, open_index(settings))
        else:
            opened[name] = LibrarySource()
    return opened


def claim_searches(
    sources: Mapping[Source, PaperSource], store: Store, settings: Settings
) -> "dict[Source, ClaimSearch]":
    """Give the sources that can be searched for a whole claim at once: the mirror, whose index weighs single words.

    Where a sentence encoder is configured it puts what was found in order in the place of the word vectors that ship;
    when it fails during a search, these do, and the answer says so. Raises what `open_dense` raises.
    """
    from agent.retrieval import retrieve
    from agent.sources.mirror import MirrorSource

    mirror = sources.get(Source.MIRROR)
    if not isinstance(mirror, MirrorSource):
        return {}
    dense = open_dense(settings)

    def search(claim: Claim, *, anchors: Sequence[Paper], since: date | None, until: date | None, limit: int) -> Found:
        mirror.ready()
        find = partial(
            retrieve,
            claim,
            mirror.index,
            since=since,
            until=until,
            limit=limit,
            anchors=anchors,
            texts=store.papers,
        )
        note = ""
        try:
            hits = find(dense=dense)
        except (Retryable, Final) as exc:
            if dense is None:
                raise
            note = f"in the order without the sentence encoder, which failed: {reason(exc)}"
            hits = find(dense=None)
        held = store.papers([hit.paper_id for hit in hits])
        return Found([(held[hit.paper_id], hit.score) for hit in hits if hit.paper_id in held], note=note)

    return {Source.MIRROR: search}


def open_lookup(choice: str, store: Store, settings: Settings) -> Several:
    """Open what gives papers by id; with `auto` the local sources come first, so that arXiv is asked for the rest."""
    opened = open_sources(choice, store, settings)
    order = (Source.MIRROR, Source.LIBRARY, Source.ARXIV)
    return Several([opened[name] for name in order if name in opened])


def open_judge(choice: str, settings: Settings) -> "Judge":
    """Open a judge by name. Raises InputError when it is not configured."""
    if choice == "local":
        from agent.judges.local import local_judge
        from agent.judges.refitted import in_use

        return local_judge(overrides=in_use(settings.home))
    if choice == "llm":
        from agent.judges.llm import LlmJudge

        return LlmJudge(open_llm(settings))
    if choice == "nli":
        return open_nli(settings)
    raise InputError(f"no judge {choice!r}; there are {', '.join(JUDGE_CHOICES)}")


def open_nli(settings: Settings) -> "Judge":
    """Open the judge that asks the lab's NLI model; a lab of one's own is held until this process ends.

    Raises InputError when no model is configured, LabUnreachable, LabRefused when the lab serves none.
    """
    from agent.judges.nli import NliJudge

    if not settings.nli_model and not settings.lab_url:
        raise InputError("no NLI model is configured: set RETEST_NLI_MODEL to a hub id or a folder (--judge nli)")
    with ExitStack() as stack:
        judge = NliJudge(stack.enter_context(connect_lab(settings)))
        _check_served("RETEST_NLI_MODEL", settings.nli_model, judge.model)
        atexit.register(stack.pop_all().close)
    return judge


def open_dense(settings: Settings) -> "Nearness | None":
    """Open what orders a search by text vectors, None where none is configured. One for each process and model.

    Raises InputError, LabUnreachable, LabRefused when it is configured and cannot be had.
    """
    if not settings.dense_model:
        return None
    key = (settings.home, settings.lab_url, settings.dense_model)
    if key not in _DENSE:
        from agent.dense import Nearness

        with ExitStack() as stack:
            near = Nearness(stack.enter_context(connect_lab(settings)), settings.home)
            stack.callback(near.close)
            _check_served("RETEST_DENSE_MODEL", settings.dense_model, near.model)
            atexit.register(stack.pop_all().close)
        _DENSE[key] = near
    return _DENSE[key]


_DENSE: "dict[tuple[object, ...], Nearness]" = {}


def _check_served(setting: str, wanted: str | None, served: ServedModel) -> None:
    """Refuse a lab that serves another model than is configured here."""
    name = (wanted or "").split("@")[0]
    if name and served.name not in (name, Path(name).expanduser().resolve().name):
        raise InputError(f"{setting} is {name!r}, but the lab serves {served.name!r}; unset it here")


def open_llm(settings: Settings) -> "ChatModel":
    """Open the configured chat model. Raises InputError when it, or its price, is not configured."""
    from agent.llm import ChatModel, Price, parts_of

    if not settings.llm:
        raise InputError("no language model is configured: set RETEST_LLM to provider:model, such as openai:gpt-5.2")
    parts_of(settings.llm, settings.llm_url)
    prices = (settings.llm_usd_in, settings.llm_usd_out)
    if settings.llm_url and prices == (None, None):
        prices = (0.0, 0.0)
    if None in prices:
        raise InputError(
            "the budget cannot be kept without the model's price: set RETEST_LLM_USD_IN and RETEST_LLM_USD_OUT "
            "(dollars for a million tokens; 0 for a server of your own)"
        )
    return ChatModel(
        settings.llm,
        folder=settings.home,
        clock=SystemClock(),
        budget_usd=settings.budget_usd,
        price=Price(*(p or 0.0 for p in prices)),
        base_url=settings.llm_url,
        timeout_s=max(settings.http_timeout_s, 120.0),
        link_local=settings.link_local,
        key=settings.llm_key.get_secret_value() if settings.llm_key else None,
    )


@contextmanager
def open_checkpoints(settings: Settings) -> "Iterator[BaseCheckpointSaver[str]]":
    """Open the checkpoints of claims' threads: beside the SQLite file, or in the same PostgreSQL."""
    os.environ.setdefault("LANGGRAPH_STRICT_MSGPACK", "true")
    url = settings.store_url
    if url.startswith("postgresql"):
        from langgraph.checkpoint.postgres import PostgresSaver

        with PostgresSaver.from_conn_string(url.replace("postgresql+psycopg://", "postgresql://", 1)) as saver:
            saver.setup()
            yield saver
        return
    from langgraph.checkpoint.sqlite import SqliteSaver

    settings.home.mkdir(parents=True, exist_ok=True)
    with SqliteSaver.from_conn_string(str(settings.home / "checkpoints.sqlite3")) as saver:
        saver.conn.execute("PRAGMA busy_timeout = 20000")
        yield saver


class Lab(NamedTuple):
    """The lab as this command has it."""

    client: "LabClient | None"
    protocols: Mapping[str, ProtocolView] | None
    why_not: str
    """why `client` is None"""


@contextmanager
def open_lab(settings: Settings, *, wanted: bool) -> Iterator[Lab]:
    """Reach the configured lab, or start one on loopback while the block runs. A lab that cannot be had is said."""
    if not wanted:
        yield Lab(None, None, "the lab was not asked for (--no-lab)")
        return
    with ExitStack() as stack:
        try:
            client = stack.enter_context(connect_lab(settings))
            protocols = {p.name: p for p in client.protocols()}
            lab = Lab(client, protocols, "")
        except (Retryable, Final) as exc:
            lab = Lab(None, None, str(exc))
        yield lab


def find_lab(settings: Settings) -> "LabClient | None":
    """Give a client of the configured lab, or of the one that runs on this machine now; None where none does.

    The caller closes it. Nothing is started, and a configured lab is not asked whether it answers.
    """
    from agent.lab_client import LabClient
    from agent.lab_process import running_lab

    if settings.lab_url:
        token = settings.lab_token.get_secret_value() if settings.lab_token else None
        return LabClient(settings.lab_url, token, timeout_s=settings.http_timeout_s)
    return running_lab(settings.home)


@contextmanager
def connect_lab(settings: Settings) -> "Iterator[LabClient]":
    """Reach the configured lab, or start one on loopback while the block runs. Raises LabUnreachable, LabRefused."""
    from agent.lab_client import LabClient
    from agent.lab_process import local_lab

    if settings.lab_url:
        token = settings.lab_token.get_secret_value() if settings.lab_token else None
        with LabClient(settings.lab_url, token, timeout_s=settings.http_timeout_s) as client:
            yield client
        return
    models = {"RETEST_LAB_NLI_MODEL": settings.nli_model, "RETEST_LAB_DENSE_MODEL": settings.dense_model}
    with local_lab(settings.home, env={name: model for name, model in models.items() if model}) as client:
        yield client
