"""What a person starts from a conversation: a re-test of one claim, and its experiment in a real lab."""

from pathlib import Path

import pytest

from agent.act import OneClaim
from agent.chat.answer import ask
from agent.graph.parts import Step
from agent.settings import Settings
from claims.claim import Claim, Scale, Scope
from claims.clock import FrozenClock
from claims.dates import StatedDate
from claims.errors import InputError
from claims.evidence import PaperEvidence
from claims.paper import Paper, Source
from claims.store import Store
from tests.arxiv_server import ArxivServer
from tests.factories import NOON, a_claim
from tests.labs import TOKEN, LabUnderTest

pytestmark = pytest.mark.slow
CLOCK = FrozenClock(NOON)


def lone_claim(family: str | None) -> Claim:
    """A claim that no inquiry has."""
    return a_claim(anchors=(), asserted_on=StatedDate.parse("2023"), scope=Scope(scale=Scale.LARGE, family=family))


def test_a_claim_of_no_inquiry_is_retested_and_says_what_could_not_be_asked(tmp_path: Path, sqlite_url: str) -> None:
    settings = Settings(
        home=tmp_path, database_url=sqlite_url, arxiv_url="http://127.0.0.1:9/api/query", arxiv_gap_s=0.0
    )
    steps: list[Step] = []
    with Store.open(sqlite_url, clock=CLOCK) as store:
        store.put_claim(lone_claim("data-quantity"))
        one = OneClaim(store, settings, CLOCK, watch=steps.append)
        line = one.retest(store.claims()[0])
        assert "Could not look in arxiv" in line
        assert "The verdict was never decided and is now" in line
        assert store.dossier(store.claims()[0].id).current is not None
        assert {"screen", "decide"} <= {step.node for step in steps}
        assert "still" in one.retest(store.claims()[0])


def test_a_paper_about_the_claim_is_weighed_before_those_that_arxiv_ranks_first_for_its_words(
    tmp_path: Path, sqlite_url: str
) -> None:
    beside = [
        Paper(
            id=f"2405.{n:05}",
            title=f"Birds of a far island {n}",
            abstract="A curated list of albatrosses and penguins, small whales, tides and storms.",
            published=StatedDate.parse("2024-05-02"),
            categories=("cs.CL",),
            source=Source.ARXIV,
        )
        for n in range(1, 21)
    ]
    on_it = beside[0].model_copy(
        update={
            "id": "2405.00099",
            "title": "Few instructions suffice",
            "abstract": "Fine-tuning language models on a small subset of selected demonstrations equals all data.",
        }
    )
    with ArxivServer([*beside, on_it]) as server, Store.open(sqlite_url, clock=CLOCK) as store:
        settings = Settings(
            home=tmp_path, database_url=sqlite_url, arxiv_url=server.url, arxiv_gap_s=0.0, papers_per_claim=20
        )
        store.put_claim(lone_claim("data-quantity"))
        OneClaim(store, settings, CLOCK).retest(store.claims()[0])
        held = store.papers([on_it.id, *(paper.id for paper in beside)])
        weighed = {e.paper_id for e in store.evidence(store.claims()[0].id) if isinstance(e, PaperEvidence)}
    assert len(held) == 21, "arXiv gave them all, in this order"
    assert on_it.id in weighed and len(weighed) == 20


def test_an_experiment_becomes_evidence_that_an_answer_cites(tmp_path: Path, sqlite_url: str) -> None:
    with LabUnderTest(tmp_path / "lab") as lab, Store.open(sqlite_url, clock=CLOCK) as store:
        lab.serve()
        with lab.client() as client:
            url = client.url
        settings = Settings(home=tmp_path / "home", database_url=sqlite_url, lab_url=url, lab_token=TOKEN)
        store.put_claim(lone_claim("fast"))
        claim = store.claims()[0]
        line = OneClaim(store, settings, CLOCK).experiment(claim, seeds=2)
        evidence = store.evidence(claim.id)
        assert [e.kind for e in evidence] == ["experiment"]
        assert evidence[0].id in line
        reply = ask(store, "What did our own experiment say?", CLOCK, focus=[claim.id])
        assert [g.evidence_id for g in reply.grounds] == [evidence[0].id]
        with pytest.raises(InputError, match="no protocol"):
            OneClaim(store, settings, CLOCK).experiment(lone_claim(None))


def test_a_lab_that_cannot_be_had_is_said_and_nothing_is_recorded(tmp_path: Path, sqlite_url: str) -> None:
    settings = Settings(home=tmp_path, database_url=sqlite_url, lab_url="http://127.0.0.1:9", lab_token=TOKEN)
    with Store.open(sqlite_url, clock=CLOCK) as store:
        store.put_claim(lone_claim("fast"))
        line = OneClaim(store, settings, CLOCK).experiment(store.claims()[0])
        assert line.startswith("No experiment was run")
        assert store.evidence(store.claims()[0].id) == []
        assert store.dossier(store.claims()[0].id).current is None
