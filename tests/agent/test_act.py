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
from claims.store import Store
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
