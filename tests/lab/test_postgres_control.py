"""The control plane on PostgreSQL, as several machines would share it."""

from pathlib import Path

import pytest

from claims.experiment import RunState
from tests.labs import LabUnderTest, kill

pytestmark = pytest.mark.slow


def test_a_run_survives_its_worker_on_postgresql_too(tmp_path: Path, empty_postgres_url: str) -> None:
    with LabUnderTest(tmp_path / "home", database_url=empty_postgres_url) as lab:
        server = lab.serve()
        sent = lab.send(3, seconds=3.0)
        lab.wait_for(lambda: len(lab.spans()) >= 2, "two of three seeds work")
        kill(server)
        lab.serve()
        view = lab.wait(sent.id)
        assert view.state is RunState.SUCCEEDED
        assert len(lab.spans()) == 3, "those that lived were attached to"
        assert not (lab.home / "lab" / "control.sqlite3").exists()
        kill(lab.processes[-1], 15)
