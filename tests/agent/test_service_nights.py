"""Several real processes share a night over the queue: every claim once, one pace, and one that dies is made up for."""

import itertools
import json
import os
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, nullcontext
from datetime import date
from pathlib import Path

import pytest

from agent.graph.parts import Parts
from agent.lab_client import LabClient
from agent.refresh import NightWish
from agent.service.desk import Desk, Order
from agent.wiring import Lab
from claims.experiment import Outcome
from claims.store import Store
from tests.agent.test_refresh_killed import DAY, KILLED, NEXT, ROOT, copied, fill, final_state, judged, url_of
from tests.agent.test_refresh_seeds import CLAIM, experiment
from tests.agent.test_refresh_seeds import Lab as FakeLab
from tests.nights import SUBJECTS, Library, StatedJudge, claim_about, paper_about
from tests.oai_server import OaiServer
from tests.postgres import Cluster

pytestmark = pytest.mark.slow


def start(url: str, home: Path, *more: str, day: date = NEXT, **env: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.agent.night_process", url, str(home), day.isoformat(), *more],
        cwd=ROOT,
        env=os.environ | env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(process: subprocess.Popen[str]) -> str:
    out, err = process.communicate(timeout=180)
    assert process.returncode == 0, err[-3000:]
    return out


def done(home: Path) -> list[str]:
    return [line.split()[0] for line in (home / "done.txt").read_text().splitlines()]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("template")
    fill(url_of(home), home)
    return home


@pytest.fixture(scope="module")
def undisturbed(template: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, object], str, set[str]]:
    """What a night alone ends as, on SQLite."""
    home = copied(template, tmp_path_factory.mktemp("undisturbed") / "home")
    told = ended(start(url_of(home), home))
    assert json.loads(told)["changes"]
    assert Counter(done(home)) == Counter(claim_about(subject).id for subject in SUBJECTS)
    return final_state(url_of(home)), told, judged(home)


@pytest.fixture
def postgres_library(postgres_cluster: Cluster, tmp_path: Path) -> Iterator[tuple[str, Path]]:
    url = postgres_cluster.create_database()
    fill(url, tmp_path)
    yield url, tmp_path
    postgres_cluster.drop_database(url)


def test_a_night_over_the_queue_is_the_same_as_one_by_itself(
    template: Path, undisturbed: tuple[dict[str, object], str, set[str]], tmp_path: Path
) -> None:
    from tests.agent.test_refresh_killed import run

    home = copied(template, tmp_path / "home")
    code, told = run(url_of(home), home)
    assert code == 0
    assert (final_state(url_of(home)), told, judged(home)) == undisturbed


def test_three_processes_on_one_postgres_do_every_claim_once_at_one_pace_and_make_up_for_one_that_is_killed(
    postgres_library: tuple[str, Path], undisturbed: tuple[dict[str, object], str, set[str]]
) -> None:
    url, home = postgres_library
    gap_s = 1.0
    at: list[float] = []
    with OaiServer() as server:
        server.before_page = lambda n: at.append(time.monotonic())
        dying = start(url, home, "judged:2", server.url, str(gap_s))
        while not any("pid" in asked for asked in server.requests) and dying.poll() is None:
            time.sleep(0.05)  # it has claims in hand before the others come
        others = [start(url, home, "never:1", server.url, str(gap_s)) for _ in range(2)]
        told = [ended(process) for process in others]
        assert dying.wait(120) == KILLED
        harvests = [asked for asked in server.requests if asked["verb"] == "ListRecords"]
        asking = {asked["pid"] for asked in server.requests if "pid" in asked}
    assert (final_state(url), judged(home)) == (undisturbed[0], undisturbed[2])
    # The undisturbed night harvested nothing, and so took nothing for granted.
    assert json.loads(undisturbed[1]) in [json.loads(one) | {"assumed": []} for one in told]
    assert Counter(done(home)) == Counter(claim_about(subject).id for subject in SUBJECTS)
    assert len(harvests) == 1
    assert len(asking) >= 2, "the claims were shared"
    assert len(at) >= len(SUBJECTS) + 1
    # A busy machine may send one request late and the next ones in time; two paces would be short by whole gaps.
    assert all(at[j] - at[i] > (j - i) * gap_s - 0.9 for i, j in itertools.combinations(range(len(at)), 2))


def test_the_claims_of_a_dead_machine_are_taken_over_when_its_lease_ran_out(
    postgres_library: tuple[str, Path], undisturbed: tuple[dict[str, object], str, set[str]]
) -> None:
    url, home = postgres_library
    dead = start(url, home, "judged:2", NIGHT_HOST="elsewhere", NIGHT_LEASE_S="6")
    assert dead.wait(120) == KILLED
    told = ended(start(url, home, NIGHT_LEASE_S="6"))
    assert (final_state(url), told, judged(home)) == undisturbed


def test_a_killed_service_goes_on_where_it_was_on_sqlite(
    template: Path, undisturbed: tuple[dict[str, object], str, set[str]], tmp_path: Path
) -> None:
    home = copied(template, tmp_path / "home")
    for place in ("match:1", "judged:2", "mark:3", "tell:1"):
        assert start(url_of(home), home, place).wait(120) == KILLED
    told = ended(start(url_of(home), home))
    assert (final_state(url_of(home)), told, judged(home)) == undisturbed


def test_a_second_round_of_the_same_night_changes_nothing(
    template: Path, undisturbed: tuple[dict[str, object], str, set[str]], tmp_path: Path
) -> None:
    home = copied(template, tmp_path / "home")
    told = [ended(start(url_of(home), home)) for _ in range(2)]
    assert told == [undisturbed[1]] * 2
    assert (final_state(url_of(home)), judged(home)) == (undisturbed[0], undisturbed[2])
    assert max(Counter((home / "judged.txt").read_text().splitlines()).values()) == 1


def test_the_queue_forgets_rounds_that_are_long_over(template: Path, tmp_path: Path) -> None:
    home = copied(template, tmp_path / "home")
    ended(start(url_of(home), home))
    # The clock is real: a night of the far future takes those of today for old ones.
    far = start(url_of(home), home, day=date(2099, 1, 1))
    ended(far)
    with closing(sqlite3.connect(home / "nights.sqlite3")) as connection:
        names = [row[0] for row in connection.execute("SELECT workflow_uuid FROM workflow_status")]
    assert {name.partition("/")[0] for name in names} == {"night:2099-01-01"}


def test_a_claim_with_an_undecided_experiment_is_done_by_the_process_that_asks_the_lab(
    sqlite_url: str, tmp_path: Path
) -> None:
    other, lab = claim_about("pruned"), FakeLab()
    with Store.open(sqlite_url) as store, LabClient(lab.url) as client:
        library = Library(store, tmp_path)
        for claim in (CLAIM, other):
            store.put_claim(claim)
        library.put(paper_about("curated", "Supports", 1))
        store.put_experiment(experiment(4))
        desk = Desk(
            lambda judge: Parts(store=store, sources={}, judge=StatedJudge(), clock=store.clock),
            library.index,
            lambda order: NightWish(until=order.until, harvest=False, seeds_budget=order.seeds_budget),
            pace=lambda: None,
            lab=lambda: nullcontext(Lab(client, None, "")),
        )
        order = Order(until=DAY, harvest=False, seeds_budget=8)
        prepared = desk.prepare(order, "night:1")
        assert (prepared.at_lab, prepared.portions) == ([CLAIM.id], [[other.id]])
        assert desk.at_lab(order, "night:1", prepared.at_lab) is None
        assert desk.go_over(order, "night:1", prepared.portions[0]) is None
        digest = desk.tell(order, "night:1", prepared.left, None)
    lab.server.shutdown()
    lab.server.server_close()
    assert lab.asked == [8]
    assert [(e.outcome, e.n_seeds) for e in digest.experiments] == [(Outcome.INCONCLUSIVE, 8)]
    assert (digest.cost.claims, digest.cost.seeds, digest.problems) == (2, 4, ())
    assert digest.cost.seconds > 0
