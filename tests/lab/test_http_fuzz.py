"""Whatever is sent to the lab, it is never the lab that fails."""

from pathlib import Path

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from pydantic import SecretStr

from claims.clock import SystemClock
from lab.app import make_app
from lab.catalogue import Catalogue
from lab.control import Queue
from lab.ledger import Ledger
from lab.settings import LabSettings
from tests.labs import PROTOCOL, TOKEN

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> object:
    home: Path = tmp_path_factory.mktemp("fuzzed")
    given = LabSettings(data_home=home, token=SecretStr(TOKEN), protocols=PROTOCOL, cpu_slots=2)
    catalogue = Catalogue(PROTOCOL)
    ledger = Ledger(given.home, catalogue, SystemClock())
    app = make_app(given, ledger, catalogue, Queue(given))
    return schemathesis.openapi.from_asgi("/openapi.json", app)


schema = schemathesis.pytest.from_fixture("api")


@schema.parametrize()
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
def test_no_request_makes_the_lab_fail(case: schemathesis.Case) -> None:
    case.headers["Authorization"] = f"Bearer {TOKEN}"
    response = case.call()
    assert response.status_code < 500, response.text
