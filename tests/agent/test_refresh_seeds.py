"""A night gives undecided experiments more seeds, within its budget, and says when it could not."""

import json
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from agent.cli.refresh import watching
from agent.lab_client import LabClient
from agent.refresh import plan_night
from agent.refresh.plan import why_due
from agent.refresh.seeds import undecided
from claims.experiment import ExperimentSpec, ExperimentView, Outcome, Progress, RunState, RunView, Submission
from claims.store import Store
from tests.factories import NOON, a_result, an_estimate, an_experiment
from tests.nights import Library, claim_about, paper_about

FIRST = NOON.date()
SECOND = FIRST + timedelta(days=1)
THIRD = FIRST + timedelta(days=2)
CLAIM = claim_about("curated")
DECIDED_AT = 12
"""Seeds from which the lab's experiment refutes."""


def experiment(n_seeds: int) -> ExperimentView:
    """Give the experiment as the lab shows it with so many seeds."""
    outcome = Outcome.REFUTES if n_seeds >= DECIDED_AT else Outcome.INCONCLUSIVE
    spec = ExperimentSpec(protocol="data-quantity", protocol_version=1, profile="tiny", claim_id=CLAIM.id)
    runs = tuple(
        RunView(id=f"run-{n}", spec=spec.run(n), state=RunState.SUCCEEDED, ended_at=NOON, seconds=2.5)
        for n in range(n_seeds)
    )
    result = a_result(n_seeds, outcome, primary=an_estimate(n_seeds))
    return an_experiment(CLAIM.id, id=spec.id, spec=spec, state=RunState.SUCCEEDED, runs=runs, result=result)


class Lab:
    """A lab on loopback whose seeds are measured at once; it keeps what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[int] = []
        self.n_seeds = 4
        lab = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                wanted = Submission.model_validate(json.loads(body)).n_seeds
                lab.asked.append(wanted)
                lab.n_seeds = max(lab.n_seeds, wanted)
                self._show()

            def do_GET(self) -> None:
                self._show()

            def _show(self) -> None:
                answer = experiment(lab.n_seeds).model_dump_json().encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()


@pytest.fixture
def lab() -> Iterator[Lab]:
    made = Lab()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def library(sqlite_url: str, tmp_path: Path) -> Iterator[Library]:
    with Store.open(sqlite_url) as store:
        made = Library(store, tmp_path)
        store.put_claim(CLAIM)
        made.put(paper_about("curated", "Supports", 1))
        store.put_experiment(experiment(4))
        yield made


def test_seeds_are_added_night_by_night_until_the_experiment_is_decided(library: Library, lab: Lab) -> None:
    with LabClient(lab.url) as client:
        first = library.night(FIRST, lab=client, seeds_budget=8)
        again = library.night(FIRST, lab=client, seeds_budget=8)
        second = library.at(SECOND).night(SECOND, lab=client, seeds_budget=8)
        third = library.at(SECOND + timedelta(days=1)).night(SECOND + timedelta(days=1), lab=client, seeds_budget=8)
    assert again == first
    assert lab.asked == [8, 12]
    assert [(e.outcome, e.n_seeds) for e in first.experiments] == [(Outcome.INCONCLUSIVE, 8)]
    assert [(e.outcome, e.is_decided) for e in second.experiments] == [(Outcome.REFUTES, True)]
    assert (first.cost.seeds, second.cost.seeds, third.cost.seeds) == (4, 4, 0)
    assert (first.cost.lab_seconds, second.cost.lab_seconds, third.cost.lab_seconds) == (10.0, 10.0, 0.0)
    assert any(e.kind == "experiment" for e in library.store.evidence(CLAIM.id))


def test_no_seed_is_asked_for_beyond_the_budget(library: Library, lab: Lab) -> None:
    with LabClient(lab.url) as client:
        digest = library.night(FIRST, lab=client, seeds_budget=3)
    assert (lab.asked, digest.cost.seeds) == ([], 0)


def test_an_experiment_whose_arms_cannot_differ_gets_no_more_seeds(library: Library, lab: Lab) -> None:
    seen = experiment(4)
    assert seen.result is not None
    library.store.put_experiment(
        seen.model_copy(update={"result": seen.result.model_copy(update={"is_saturated": True})})
    )
    with LabClient(lab.url) as client:
        digest = library.night(FIRST, lab=client, seeds_budget=8)
    assert (lab.asked, digest.cost.seeds) == ([], 0)


def test_an_experiment_that_was_run_anew_under_a_later_version_gets_no_more_seeds(library: Library, lab: Lab) -> None:
    old = experiment(4)
    spec = old.spec.model_copy(update={"protocol_version": 2})
    new = experiment(DECIDED_AT).model_copy(update={"id": spec.id, "spec": spec})
    assert [view.id for view in undecided([old])] == [old.id]
    assert undecided([old, new]) == []
    library.store.put_experiment(new)
    with LabClient(lab.url) as client:
        assert library.night(FIRST, lab=client, seeds_budget=8).problems == ()
    assert lab.asked == []


def test_a_lab_that_is_gone_is_said_and_the_claim_is_decided_all_the_same(library: Library) -> None:
    with LabClient("http://127.0.0.1:9") as client:
        digest = library.night(FIRST, lab=client, seeds_budget=8)
    assert [p.where for p in digest.problems] == ["the lab"]
    assert len(library.store.verdicts(CLAIM.id)) == 1


def test_a_claim_whose_experiment_is_undecided_does_not_wait_for_claims_without_one(library: Library, lab: Lab) -> None:
    other = claim_about("aged")
    library.store.put_claim(other)
    with LabClient(lab.url) as client:
        for day in (FIRST, SECOND, THIRD):
            library.at(day).night(day, lab=client, seeds_budget=8, max_claims=1)
    assert lab.asked == [8, 12]
    assert len(library.store.verdicts(other.id)) == 1


def test_an_undecided_experiment_is_a_reason_to_go_over_its_claim_where_seeds_can_be_had(library: Library) -> None:
    library.night(FIRST)
    (due,) = plan_night(library.store, SECOND, seeds=8).due
    assert (due.why, due.urgent) == (("1 of its experiments undecided",), True)
    assert why_due(library.store, SECOND) == {CLAIM.id: due.why}
    assert not plan_night(library.store, SECOND, seeds=0).due[0].urgent
    library.store.put_experiment(experiment(DECIDED_AT))
    assert why_due(library.store, SECOND) == {CLAIM.id: (f"once a night; nothing held is new since {FIRST}",)}


def test_without_a_lab_the_digest_says_which_experiments_wait(library: Library) -> None:
    digest = library.night(FIRST, seeds_budget=8)
    assert [(p.where, "no lab in this test" in p.what) for p in digest.problems] == [("the lab", True)]


class Talking(LabClient):
    """A lab that tells of a training step before it is done."""

    def wait(
        self,
        experiment_id: str,
        on_progress: Callable[[Progress], None] | None = None,
        timeout_s: float | None = None,
    ) -> ExperimentView:
        assert on_progress is not None and timeout_s is not None
        told = {"seed": 5, "arm": "curated", "phase": "train", "step": 37, "steps": 120, "seconds_left": 14.0}
        on_progress(Progress.model_validate({"experiment_id": experiment_id, "state": "running", "at": NOON} | told))
        return super().wait(experiment_id, timeout_s=timeout_s)


def test_a_night_shows_how_far_its_seeds_are_while_it_waits(
    library: Library, lab: Lab, capsys: pytest.CaptureFixture[str]
) -> None:
    with (
        Talking(lab.url) as client,
        watching(library.store, undecided(library.store.experiments()), debug=False) as watch,
    ):
        library.night(FIRST, lab=client, seeds_budget=8, watch=watch)
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith("experiment: seed 5 · curated · train · step 37/120 · about 14 s left")
    assert line.startswith(CLAIM.text[:30])


def test_a_night_without_undecided_experiments_shows_nothing(
    library: Library, lab: Lab, capsys: pytest.CaptureFixture[str]
) -> None:
    library.store.put_experiment(experiment(DECIDED_AT))
    with (
        Talking(lab.url) as client,
        watching(library.store, undecided(library.store.experiments()), debug=False) as watch,
    ):
        library.night(FIRST, lab=client, seeds_budget=8, watch=watch)
    assert capsys.readouterr().err == ""
