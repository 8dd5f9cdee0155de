"""Fixtures of the lab's tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from pydantic import SecretStr

from claims.clock import SystemClock
from lab.app import make_app
from lab.catalogue import Catalogue
from lab.control import Queue
from lab.ledger import Ledger
from lab.settings import LabSettings
from tests.labs import PROTOCOL, TOKEN


@pytest.fixture
def bare(tmp_path: Path) -> Iterator[TestClient]:
    """The application of a lab that was given no model to serve."""
    settings = LabSettings(data_home=tmp_path, token=SecretStr(TOKEN), protocols=PROTOCOL, cpu_slots=2, gpu_slots=0)
    catalogue = Catalogue(PROTOCOL)
    queue = Queue(settings)
    app = make_app(settings, Ledger(settings.home, catalogue, SystemClock()), catalogue, queue)
    yield TestClient(app, headers={"Authorization": f"Bearer {TOKEN}"}, raise_server_exceptions=False)
    queue.close()
