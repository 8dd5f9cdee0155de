"""Whatever is sent to the API, it is never the server that fails, and every refusal has the one shape."""

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.specs.openapi import checks

from agent.web.app import create_app
from claims.store import Store
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


def test_every_request_is_answered_as_it_is_described(schema: Any) -> None:
    described, app = schema
    described.app = app
    with Store.open(app.state.settings.store_url) as store:
        evidence = store.evidence("few-examples")[0].id
    known = {
        "claim": "few-examples",
        "paper": "2604.00001",
        "experiment": "exp-0123456789ab",
        "evidence": evidence,
        "inquiry": "inq-0123456789ab",
    }
    operations = [found.ok() for found in described.get_all_operations()]
    assert len(operations) > 30
    failed: list[str] = []
    answered = 0
    for operation in operations:
        if operation.path == "/api/v1/ground":
            continue  # asks other servers; its own test has it with a source that answers

        @settings(max_examples=8, deadline=None, database=None, suppress_health_check=list(HealthCheck))
        @given(case=operation.as_strategy(), is_known=st.booleans())
        def holds(case: Any, is_known: bool) -> None:
            nonlocal answered
            case.headers["Authorization"] = f"Bearer {TOKEN}"
            case.headers["Host"] = "127.0.0.1"
            if isinstance(case.body, dict):
                case.body.pop("run", None)
            if is_known:
                case.path_parameters = {name: known.get(name, value) for name, value in case.path_parameters.items()}
            response = case.call(app=app)
            assert response.status_code < 500 or response.status_code == 503, (case.method, case.path, response.text)
            answered += response.status_code < 300
            case.validate_response(
                response,
                checks=[
                    checks.status_code_conformance,
                    checks.content_type_conformance,
                    checks.response_schema_conformance,
                ],
            )

        try:
            holds()
        except (AssertionError, schemathesis.core.failures.FailureGroup) as exc:
            failed.append(f"{operation.label}: {exc}")
    assert failed == []
    assert answered > 50, "most requests were refused, which tests little"
