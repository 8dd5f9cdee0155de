"""A home with something on every page of the web door, hostile texts included, and a server over it for browsers."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path

import uvicorn

from agent.settings import Settings
from agent.web.app import create_app
from agent.web.journal import JobKind, Journal
from claims.claim import Anchor, Claim, Scope
from claims.clock import Clock, FrozenClock
from claims.digest import Change, Contrary, Cost, Digest, ExperimentNews, Ground, Problem, Withdrawal
from claims.evidence import Evidence, PaperEvidence, Quote, Stance
from claims.experiment import ExperimentSpec, ExperimentView, Outcome, RunSpec, RunState, RunView
from claims.inquiry import Inquiry, ParseWarning, ResearchQuestion, Task
from claims.paper import TextField
from claims.store import Store
from claims.verdict import VerdictKind, decide
from tests.chat_store import fill
from tests.dossiers import experiment, full, paper, weighed
from tests.factories import NOON

HOSTILE = (
    "</script><script>window.pwned=1</script><img src=x onerror=window.pwned=1> <svg/onload=window.pwned=1> "
    '"onmouseover="window.pwned=1 javascript:window.pwned=1 {{ 7*7 }} \u202egnp.exe\u2066 zero\u200bwidth '
    "arXiv:2699.12345"
)
"""Put wherever a paper, a model or an inquiry may put a text."""

CLAIM = "few-examples"
HOSTILE_CLAIM = "hostile-claim-000001"
HOSTILE_PAPER = "2603.00009"
RUNNING = ExperimentSpec(protocol="data-quantity", protocol_version=1, profile="small", claim_id=CLAIM)
NIGHT = date(2026, 8, 20)


def furnish(home: Path, url: str) -> str:
    """Fill a home, and give the id of the job that waits for approval."""
    clock = FrozenClock(NOON)
    with Store.open(url, clock=FrozenClock(NOON - timedelta(days=500))) as store:
        _what_was_held_before(store)
        store.clock = clock
        made = fill(store)
        _hostile(store)
        store.put_experiment(_running())
        _night(store, made.claims[0].claim)
    return _waiting(home)


def _what_was_held_before(store: Store) -> None:
    made = full()
    assert made.inquiry is not None
    first = made.claims[0]
    store.put_inquiry(made.inquiry)
    held: list[Evidence] = []
    for item, back in ((None, 400), (first.evidence[2], 200), (first.evidence[0], 60)):
        at = NOON - timedelta(days=back)
        store.clock = FrozenClock(at)
        if item is not None:
            held.append(item)
            store.put_papers([first.papers[item.paper_id]] if isinstance(item, PaperEvidence) else [])
            store.add_evidence([item])
        store.record_verdict(decide(first.claim, held, at.date()))


def _hostile(store: Store) -> None:
    bad = paper(
        HOSTILE_PAPER,
        "2026-03-02",
        title=HOSTILE,
        authors=(HOSTILE, "Bo Li"),
        abstract=f"Before it. We show {HOSTILE} Behind it.",
        comment=HOSTILE,
        journal_ref=HOSTILE,
    )
    text = bad.abstract or ""
    quote = Quote(field=TextField.ABSTRACT, start=11, text=text[11 : len(text) - 11])
    asked = Claim.model_validate(
        {
            "id": HOSTILE_CLAIM,
            "text": HOSTILE,
            "asserted_on": "2024",
            "anchors": (Anchor(stated_title=HOSTILE),),
            "note": HOSTILE,
            "scope": Scope(family="data-quantity"),
            "inquiry_id": "inq-00000000bad1",
            "line": 3,
        }
    )
    inquiry = Inquiry(
        id="inq-00000000bad1",
        question=HOSTILE,
        claims=(asked,),
        anchors=asked.anchors,
        tasks=(Task(number=1, text=HOSTILE, line=5),),
        questions=(ResearchQuestion(letter="a", text=HOSTILE, line=6),),
        warnings=(ParseWarning(line=9, text=HOSTILE, why="belongs to no section"),),
    )
    evidence = weighed(bad, Stance.CONTRADICTS, claim_id=HOSTILE_CLAIM, quote=quote)
    said = evidence.assessment.model_copy(update={"explanation": HOSTILE})
    evidence = evidence.model_copy(update={"assessment": said})
    store.put_papers([bad, paper("cs/0112017", "2001-12-11", title="An early paper")])
    store.put_inquiry(inquiry, document=HOSTILE)
    store.add_evidence([evidence])
    store.record_verdict(decide(asked, [evidence], NOON.date()))
    store.put_experiment(
        experiment(
            HOSTILE_CLAIM,
            id="exp-00000000bad1",
            state=RunState.FAILED,
            result=None,
            runs=(
                RunView(
                    id="run-00000000bad1",
                    spec=RunSpec(protocol="data-quantity", protocol_version=1, profile="tiny", seed=0),
                    state=RunState.FAILED,
                    attempts=2,
                    seconds=3.2,
                    error=HOSTILE,
                    record={"code_commit": HOSTILE, "packages": {"torch": "2"}},
                ),
            ),
        )
    )


def _running() -> ExperimentView:
    runs = tuple(
        RunView(
            id=RUNNING.run(seed).id,
            spec=RUNNING.run(seed),
            state=RunState.SUCCEEDED if seed < 2 else RunState.RUNNING if seed == 2 else RunState.QUEUED,
            attempts=1 if seed < 3 else 0,
            started_at=NOON if seed < 3 else None,
            seconds=412.0 if seed < 2 else None,
        )
        for seed in range(6)
    )
    return experiment(id=RUNNING.id, spec=RUNNING, state=RunState.RUNNING, result=None, runs=runs, seconds_left=1500.0)


def _night(store: Store, claim: Claim) -> None:
    ground = Ground(
        evidence_id="ev-000000000001",
        paper_id=HOSTILE_PAPER,
        title=HOSTILE,
        said="contradicts",
        confidence=0.9,
        judge="local",
        quote=HOSTILE,
        quoted_from=TextField.ABSTRACT,
    )
    digest = Digest(
        night=NIGHT,
        since=NIGHT - timedelta(days=2),
        judge="local 3",
        changes=(
            Change(
                claim_id=claim.id,
                claim=claim.text,
                before=VerdictKind.STANDS,
                after=VerdictKind.OVERTURNED,
                confidence=0.87,
                reason="Independent contradictions outweigh the support: 1 voice for it, 2 voices against it.",
                because=(ground,),
            ),
        ),
        contrary=(Contrary(claim_id=HOSTILE_CLAIM, claim=HOSTILE, verdict=VerdictKind.STANDS, grounds=(ground,)),),
        experiments=(
            ExperimentNews(
                experiment_id="exp-0123456789ab",
                claim_id=claim.id,
                protocol="data-quantity",
                outcome=Outcome.SUPPORTS,
                is_decided=True,
                n_seeds=6,
                reason="The interval lies above the smallest effect of 0.05.",
            ),
        ),
        withdrawals=(Withdrawal(paper_id="2601.00004", title=HOSTILE, withdrawn=True, claim_ids=(claim.id,)),),
        problems=(Problem(where="arXiv", what="throttled (HTTP 429)"),),
        cost=Cost(requests=4, records=812, claims=4, new_papers=310, pairs_judged=76, unsure=9, seconds=12.5),
    )
    for night, told in (
        (NIGHT - timedelta(days=2), Digest(night=NIGHT - timedelta(days=2), judge="local 3", cost=Cost(claims=4))),
        (NIGHT, digest),
    ):
        store.begin_night(night, "{}")
        store.change_night(night, lambda state: state, digest=told.model_dump_json())


def _waiting(home: Path) -> str:
    journal = Journal(home / "web.sqlite3", FrozenClock(NOON))
    question = "protocol data-quantity with 24 seeds takes about 96 minutes; the limit without asking is 30 minutes."
    wish = {"profile": "small", "seeds": 24}
    return journal.wait_for_approval(JobKind.EXPERIMENT, CLAIM, wish, question + " Start it?").id


@contextmanager
def serving(settings: Settings, clock: Clock | None = None) -> Iterator[str]:
    """Serve the pages on a free port of loopback, and give the address."""
    bound = socket.socket()
    bound.bind(("127.0.0.1", 0))
    config = uvicorn.Config(
        create_app(settings, clock), log_level="warning", lifespan="on", timeout_graceful_shutdown=1, ws="none"
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]}, daemon=True)
    thread.start()
    until = time.monotonic() + 60
    while not server.started:
        assert thread.is_alive() and time.monotonic() < until, "the server did not start"
        time.sleep(0.02)
    try:
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(20)
