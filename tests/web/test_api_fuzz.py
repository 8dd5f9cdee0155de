"""Whatever is sent to the API, it is never the server that fails, and every refusal has the one shape."""

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings

from agent.web.app import create_app
from tests.webs import CLOCK, TOKEN, filled, settings_for

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def schema(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    home = tmp_path_factory.mktemp("fuzzed")
    url = f"sqlite:///{home / 'retest.sqlite3'}"
    filled(url)
    web = settings_for(home, url, lab_url="http://127.0.0.1:9", web_host="0.0.0.0", web_token=TOKEN)
    app = create_app(web, CLOCK)
    schema = app.openapi()
    yield schemathesis.openapi.from_dict(schema), app
    app.state.door.close()


def test_no_request_makes_the_server_fail(schema: Any) -> None:
    described, app = schema
    described.app = app
    operations = [found.ok() for found in described.get_all_operations()]
    assert len(operations) > 30
    failed: list[str] = []
    for operation in operations:
        if operation.path == "/api/v1/ground":
            continue  # asks other servers; its own test has it with a source that answers

        @settings(max_examples=8, deadline=None, database=None, suppress_health_check=list(HealthCheck))
        @given(case=operation.as_strategy())
        def holds(case: Any) -> None:
            case.headers["Authorization"] = f"Bearer {TOKEN}"
            case.headers["Host"] = "127.0.0.1"
            if isinstance(case.body, dict):
                case.body.pop("run", None)
            response = case.call(app=app)
            assert response.status_code < 500 or response.status_code == 503, (case.method, case.path, response.text)
            if response.status_code >= 400:
                assert response.headers["content-type"][0] == "application/problem+json", (case.path, response.text)

        try:
            holds()
        except AssertionError as exc:
            failed.append(f"{operation.label}: {exc}")
    assert failed == []
