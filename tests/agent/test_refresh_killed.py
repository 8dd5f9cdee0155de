"""A night that is killed goes on where it was; several processes share a night, and one that dies is made up for."""

import json
import random
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from claims.store import Store
from tests.factories import NOON
from tests.nights import SUBJECTS, Library, claim_about, paper_about
from tests.postgres import Cluster

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
DAY = NOON.date()
NEXT = DAY + timedelta(days=1)
KILLED = -9


def start(url: str, home: Path, place: str = "never:1") -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.agent.killed_night", url, str(home), NEXT.isoformat(), place],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(url: str, home: Path, place: str = "never:1") -> tuple[int, str]:
    process = start(url, home, place)
    out, err = process.communicate(timeout=120)
    assert process.returncode in (0, KILLED), err
    return process.returncode, out


def fill(url: str, home: Path) -> None:
    """Hold eight claims that were refreshed once, and papers that came in since."""
    with Store.open(url) as store:
        library = Library(store, home)
        for subject in SUBJECTS:
            store.put_claim(claim_about(subject))
            library.put(*(paper_about(subject, "Supports", n) for n in (1, 2)))
        library.night(DAY)
        library.at(NEXT)
        for subject in SUBJECTS:
            library.put(*(paper_about(subject, "Contradicts", n) for n in (10, 11)))
        library.put(paper_about("curated", "Supports", 1, withdrawn=True, withdrawn_because="wrong"))


def final_state(url: str) -> dict[str, object]:
    """What is held at the end, without the moments at which it was written."""
    with Store.open(url) as store:
        return {
            claim.id: (
                sorted(e.id for e in store.evidence(claim.id, everything=True)),
                [held.verdict.model_dump(mode="json") for held in store.verdicts(claim.id)],
                store.care()[claim.id]._replace(checked_to=None, seen_to=None),
            )
            for claim in store.claims()
        }


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("template")
    fill(url_of(home), home)
    return home


def url_of(home: Path) -> str:
    return f"sqlite:///{home / 'retest.sqlite3'}"


def copied(template: Path, home: Path) -> Path:
    shutil.copytree(template, home)
    return home


@pytest.fixture(scope="module")
def undisturbed(template: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, object], str, set[str]]:
    home = copied(template, tmp_path_factory.mktemp("undisturbed") / "home")
    code, told = run(url_of(home), home)
    assert code == 0
    assert json.loads(told)["changes"]
    return final_state(url_of(home)), told, judged(home)


def judged(home: Path) -> set[str]:
    lines = (home / "judged.txt").read_text().splitlines() if (home / "judged.txt").exists() else []
    return set(lines)


@pytest.mark.parametrize("place", ["match:1", "judged:2", "decide:4", "mark:5", "tell:1"])
def test_a_night_killed_anywhere_ends_as_an_undisturbed_one(
    place: str, template: Path, undisturbed: tuple[dict[str, object], str, set[str]], tmp_path: Path
) -> None:
    home = copied(template, tmp_path / "home")
    code, _ = run(url_of(home), home, place)
    assert code == KILLED
    code, told = run(url_of(home), home)
    assert code == 0
    assert (final_state(url_of(home)), told, judged(home)) == undisturbed


def test_a_night_killed_at_random_moments_ends_as_an_undisturbed_one(
    template: Path, undisturbed: tuple[dict[str, object], str, set[str]], tmp_path: Path
) -> None:
    home = copied(template, tmp_path / "home")
    rng = random.Random(5)
    kills = 0
    for _ in range(4):
        process = start(url_of(home), home)
        time.sleep(rng.uniform(0.5, 4.0))
        kills += process.poll() is None
        process.kill()
        process.communicate(timeout=60)
    code, told = run(url_of(home), home)
    print(f"{kills} kills")
    assert code == 0
    assert (final_state(url_of(home)), told, judged(home)) == undisturbed


def test_two_nights_at_once_double_nothing(
    template: Path, undisturbed: tuple[dict[str, object], str, set[str]], tmp_path: Path
) -> None:
    home = copied(template, tmp_path / "home")
    both = [start(url_of(home), home) for _ in range(2)]
    told = [process.communicate(timeout=120)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert told == [undisturbed[1]] * 2
    assert (final_state(url_of(home)), judged(home)) == (undisturbed[0], undisturbed[2])
    assert max(Counter((home / "judged.txt").read_text().splitlines()).values()) == 1


@pytest.fixture
def postgres_library(postgres_cluster: Cluster, tmp_path: Path) -> Iterator[tuple[str, Path]]:
    url = postgres_cluster.create_database()
    fill(url, tmp_path)
    yield url, tmp_path
    postgres_cluster.drop_database(url)


def test_three_processes_share_a_night_on_postgres_and_one_that_dies_is_made_up_for(
    postgres_library: tuple[str, Path], undisturbed: tuple[dict[str, object], str, set[str]]
) -> None:
    url, home = postgres_library
    dying = start(url, home, "judged:2")
    others = [start(url, home) for _ in range(2)]
    assert [process.wait(120) for process in (dying, *others)][1:] == [0, 0]
    assert (final_state(url), judged(home)) == (undisturbed[0], undisturbed[2])
    last = [process.communicate()[0] for process in others]
    assert undisturbed[1] in last
