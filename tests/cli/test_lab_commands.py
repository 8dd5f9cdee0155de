"""`retest lab` as a person and a script meet it, with a real lab that trains nothing."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.test_commands import Answer, retest
from tests.labs import TOKEN, LabUnderTest

pytestmark = pytest.mark.slow


class Lab:
    """A lab that answers, and the commands that ask it."""

    def __init__(self, lab: LabUnderTest, home: Path) -> None:
        self._home = home
        self.url = json.loads((lab.home / "lab" / "lab.json").read_text())["url"]

    def __call__(self, *args: str) -> Answer:
        return retest(self._home, "lab", *args, RETEST_LAB_URL=self.url, RETEST_LAB_TOKEN=TOKEN)

    def run(self, *args: str) -> Answer:
        return self("run", "fast", "--out", str(self._home / "report"), "--seeds", "1", *args)


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with LabUnderTest(tmp_path_factory.mktemp("lab"), gpu_slots="1") as served:
        served.serve()
        yield Lab(served, tmp_path_factory.mktemp("home"))


def limits(done: Answer) -> dict[str, object]:
    assert done.code == 0, done.err
    view = done.json
    assert isinstance(view, dict)
    found = view["runs"][0]["record"]["limits"]
    assert isinstance(found, dict)
    return found


def test_what_a_seed_may_use_is_named_on_the_command_line_and_else_left_to_the_lab(lab: Lab) -> None:
    named = limits(lab.run("--gpus", "1", "--time", "2m", "--memory", "3", "--first-seed", "7", "--json"))
    assert (named["gpus"], named["time_s"], named["memory_gib"]) == (1, 120.0, 3.0)
    usual = limits(lab.run("--json"))
    assert (usual["gpus"], usual["time_s"], usual["memory_gib"]) == (0, 1800.0, 8.0)
    shown = lab("runs").out.splitlines()
    assert [("seeds from 7" in line) for line in shown] == [False, True]


@pytest.mark.parametrize("time", ["soon", "0s", "-5m", "8000h", "4 days"])
def test_a_time_that_is_none_is_refused_with_an_example(lab: Lab, time: str) -> None:
    done = lab.run("--time", time)
    assert done.code == 2
    assert "such as 90s, 45m or 4h" in done.err


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("run", "fast", "--profile", "TINY"), "fast has no profile 'TINY'; it has tiny"),
        (("run", "fast", "--set", "x=1"), "unknown parameters ['x']"),
        (("run", "fast", "--seeds", "17"), "registered for at most 16"),
        (("run", "fast", "--gpus", "2"), "asks for 2 GPU(s); this lab has 1"),
        (("show", "nope"), "`retest lab runs` lists them"),
        (("cancel", "nope"), "`retest lab runs` lists them"),
        (("show", "exp-000000000000"), "exp-000000000000"),
        (("cancel", "exp-000000000000"), "exp-000000000000"),
    ],
)
def test_what_the_lab_cannot_take_is_the_inputs_fault_and_said_in_a_line(
    lab: Lab, args: tuple[str, ...], said: str
) -> None:
    done = lab(*args)
    assert done.code == 2, done.err
    assert said in done.err
    assert "pattern" not in done.err
    assert len(done.err.strip().splitlines()) == 1, done.err


def test_a_lab_that_refuses_the_token_could_not_be_looked_at(lab: Lab, tmp_path: Path) -> None:
    done = retest(tmp_path, "lab", "runs", RETEST_LAB_URL=lab.url, RETEST_LAB_TOKEN="another")
    assert done.code == 3
    assert "RETEST_LAB_TOKEN" in done.err
