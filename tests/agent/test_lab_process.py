"""A lab of one's own: shared by those who use a data folder, gone with the last of them, found again after a kill."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from agent.errors import LabUnreachable
from agent.lab_process import local_lab, running_lab
from claims.experiment import ExperimentSpec, RunState, Submission
from tests.labs import PROTOCOL, LabUnderTest, until

pytestmark = pytest.mark.slow

ENVIRONMENT = {"RETEST_LAB_PROTOCOLS": PROTOCOL, "RETEST_LAB_POLL_S": "0.2", "RETEST_LAB_CPU_SLOTS": "2"}
KILLED = """
import os, signal, sys
from pathlib import Path
from agent.lab_process import local_lab
from claims.experiment import ExperimentSpec, Submission
params = {"seconds": 4.0, "mark": sys.argv[2]}
with local_lab(Path(sys.argv[1]), env=%r) as lab:
    lab.submit(Submission(spec=ExperimentSpec(protocol="fast", protocol_version=1, params=params), n_seeds=1))
    while not os.path.exists(sys.argv[2]):
        pass
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_two_users_of_one_folder_share_a_lab_that_ends_with_the_last(tmp_path: Path) -> None:
    note = tmp_path / "lab" / "lab.json"
    with local_lab(tmp_path, env=ENVIRONMENT) as first:
        pid = json.loads(note.read_text())["pid"]
        with local_lab(tmp_path, env=ENVIRONMENT) as second:
            assert second.url == first.url
            spec = ExperimentSpec(protocol="fast", protocol_version=1)
            assert second.wait(second.submit(Submission(spec=spec, n_seeds=2)).id).state is RunState.SUCCEEDED
        assert psutil.pid_exists(pid), "the first still uses it"
        assert first.get(spec.id).state is RunState.SUCCEEDED
        found = running_lab(tmp_path)
        assert found is not None
        found.close()
    assert running_lab(tmp_path) is None
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    assert not note.exists()


def test_a_killed_agent_leaves_its_run_alive_and_the_next_one_finds_it(tmp_path: Path) -> None:
    home = LabUnderTest(tmp_path / "home")
    with home:
        command = [sys.executable, "-c", KILLED % ENVIRONMENT, str(home.home), str(home.mark)]
        done = subprocess.run(command, timeout=120, cwd=Path.cwd(), env={**os.environ, "PYTHONPATH": str(Path.cwd())})
        assert done.returncode == -signal.SIGKILL
        spec = home.spec(seconds=4.0)
        with local_lab(home.home, env=ENVIRONMENT) as lab:
            view = lab.wait(spec.id)
        assert (view.state, view.runs[0].attempts, len(home.spans())) == (RunState.SUCCEEDED, 1, 1)
        until(lambda: not home.marked(), "nothing is left")


def test_a_folder_that_cannot_be_used_is_said(tmp_path: Path) -> None:
    (tmp_path / "lab").write_text("not a folder")
    with pytest.raises(LabUnreachable, match="cannot be used"), local_lab(tmp_path, needs_torch=False):
        pass


def test_a_lab_that_cannot_start_says_why(tmp_path: Path) -> None:
    wrong = {**ENVIRONMENT, "RETEST_LAB_PROTOCOLS": "no.such:Thing"}
    with pytest.raises(LabUnreachable, match=r"no\.such"), local_lab(tmp_path, env=wrong):
        pass
