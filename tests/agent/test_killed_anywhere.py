"""A run that is killed with SIGKILL at any node goes on from there, and ends where an undisturbed one ends."""

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from claims.evidence import JudgeName
from claims.inquiry import parse_inquiry
from claims.library import example_inquiry
from claims.store import Store
from tests.agent.killed_run import CLAIMS, WITH_LAB

pytestmark = pytest.mark.slow

KILLED = -9
ROOT = Path(__file__).parents[2]


def run(home: Path, node: str, n: int = 1) -> subprocess.CompletedProcess[str]:
    home.mkdir(exist_ok=True)
    return subprocess.run(
        [sys.executable, "-m", "tests.agent.killed_run", str(home), node, str(n)],
        capture_output=True,
        text=True,
        timeout=240,
        cwd=ROOT,
        env=os.environ
        | {
            "RETEST_LAB_PROTOCOLS": "tests.agent.killed_run:QuickDataQuantity",
            "PYTHONPATH": str(ROOT),
        },
    )


def final_state(home: Path) -> list[object]:
    """What is held at the end, without the moments at which it was written."""
    with Store.open(f"sqlite:///{home / 'retest.sqlite3'}") as store:
        return [
            {
                "evidence": sorted(e.id for e in store.evidence(claim.id, everything=True)),
                "verdicts": [held.verdict.model_dump(mode="json") for held in store.verdicts(claim.id)],
                "searches": sorted({(s.source, s.query, s.n_found) for s in store.searches(claim.id)}),
                "groundings": sorted(
                    json.dumps(g.model_dump(mode="json")) for g in store.groundings(claim_id=claim.id)
                ),
            }
            for claim in parse_inquiry(example_inquiry()).claims[:CLAIMS]
        ]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("undisturbed")
    ended = run(home, "never")
    assert ended.returncode == 0, ended.stderr
    return home


@pytest.mark.parametrize(
    ("node", "n"),
    [
        ("ground", 1),
        ("plan", 2),
        ("search", 1),
        ("search", 4),
        ("screen", 1),
        ("weigh", 1),
        ("weigh", 4),
        ("judged", 2),
        ("choose", 1),
        ("approve", 2),
        ("decide", 1),
        ("record", 2),
    ],
)
def test_a_run_killed_at_any_node_ends_as_an_undisturbed_one(
    node: str, n: int, undisturbed: Path, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    killed = run(home, node, n)
    assert killed.returncode == KILLED, f"{node} was not entered {n} times: {killed.stdout}{killed.stderr}"
    stored = stored_papers(home)
    read_before = len((home / "judged.txt").read_text().splitlines()) if (home / "judged.txt").exists() else 0

    ended = run(home, "never")

    assert ended.returncode == 0, ended.stderr
    assert final_state(home) == final_state(undisturbed)
    read_after = (home / "judged.txt").read_text().splitlines()[read_before:]
    assert not set(read_after) & stored, "a paper whose stance was stored was judged again"
    assert max(Counter(read_after).values(), default=1) == 1


@pytest.fixture(scope="module")
def undisturbed_with_lab(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("undisturbed-with-lab")
    (home / WITH_LAB).touch()
    ended = run(home, "never")
    assert ended.returncode == 0, ended.stderr
    return home


@pytest.mark.parametrize("node", ["dispatch", "await_run"])
def test_a_run_killed_around_its_experiment_sends_it_once_and_ends_as_an_undisturbed_one(
    node: str, undisturbed_with_lab: Path, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / WITH_LAB).touch()
    killed = run(home, node)
    assert killed.returncode == KILLED, f"{node} was not entered: {killed.stdout}{killed.stderr}"

    ended = run(home, "never")

    assert ended.returncode == 0, ended.stderr
    assert final_state(home) == final_state(undisturbed_with_lab)
    with Store.open(f"sqlite:///{home / 'retest.sqlite3'}") as store:
        (experiment,) = store.experiments()
    assert [run.attempts for run in experiment.runs] == [1, 1]


def stored_papers(home: Path) -> set[str]:
    if not (home / "retest.sqlite3").exists():
        return set()
    with Store.open(f"sqlite:///{home / 'retest.sqlite3'}") as store:
        return {
            f"{claim.id} {evidence.paper_id}"
            for claim in store.claims()
            for evidence in store.evidence(claim.id, everything=True)
            if evidence.kind == "paper" and evidence.assessment.judge.name is JudgeName.LOCAL
        }


def test_a_second_run_with_the_same_settings_judges_nothing_again(undisturbed: Path) -> None:
    before = (undisturbed / "judged.txt").read_text()
    held = final_state(undisturbed)

    ended = run(undisturbed, "never")

    assert ended.returncode == 0, ended.stderr
    assert (undisturbed / "judged.txt").read_text() == before
    assert [claim["verdicts"] for claim in final_state(undisturbed)] == [claim["verdicts"] for claim in held]  # type: ignore[index]
