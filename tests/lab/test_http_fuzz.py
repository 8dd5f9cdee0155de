"""Whatever is sent to the lab, it is never the lab that fails."""

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
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
def schema(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    home = tmp_path_factory.mktemp("fuzzed")
    given_settings = LabSettings(data_home=home, token=SecretStr(TOKEN), protocols=PROTOCOL, cpu_slots=2)
    catalogue = Catalogue(PROTOCOL)
    queue = Queue(given_settings)
    app = make_app(given_settings, Ledger(given_settings.home, catalogue, SystemClock()), catalogue, queue)
    yield schemathesis.openapi.from_asgi("/openapi.json", app)
    queue.close()


def test_no_request_makes_the_lab_fail(schema: Any) -> None:
    # Operation by operation, because the pytest plug-in of schemathesis 4.32 does not know pytest 9's subtests.
    operations = [found.ok() for found in schema.get_all_operations()]
    assert len(operations) == 11
    for operation in operations:

        @settings(max_examples=15, deadline=None, database=None, suppress_health_check=list(HealthCheck))
        @given(case=operation.as_strategy())
        def holds(case: Any) -> None:
            case.headers["Authorization"] = f"Bearer {TOKEN}"
            response = case.call()
            assert response.status_code < 500, (case.method, case.path, response.text)

        holds()
