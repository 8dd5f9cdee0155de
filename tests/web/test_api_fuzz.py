"""Whatever is sent to the API or asked of a page, it is never the server that fails; a refusal has the one shape."""

import re
from collections.abc import Iterator
from inspect import ismodule
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.specs.openapi import checks

from agent.web import api, pages
from agent.web.app import create_app
from agent.web.journal import JobKind
from claims.store import Store
from tests.webs import CLOCK, TOKEN, browsing, filled, settings_for

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


EXTREMES = (
    "9" * 20,
    "-" + "9" * 20,
    "9" * 5000,
    "-1",
    "1e5",
    "",
    "\0",
    "0001-01-01",
    "9999-12-31",
    "%",
    "\u00e9" * 500,
)


def test_no_extreme_of_a_readings_parameter_makes_the_server_fail(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    url = f"sqlite:///{tmp_path / 'retest.sqlite3'}"
    filled(url)
    routes = [
        (f"{prefix}{route.path}", route.dependant)
        for prefix, package in (("", pages), ("/api/v1", api))
        for module in vars(package).values()
        if ismodule(module) and hasattr(module, "router")
        for route in module.router.routes
        if "GET" in route.methods
    ]
    answered = 0
    with browsing(settings_for(tmp_path, url, lab_url="http://127.0.0.1:9"), raise_server_exceptions=False) as client:
        jobs = client.app.state.door.jobs  # type: ignore[attr-defined]
        job, _ = jobs._journal.add(JobKind.RETEST, "few-examples", ["few-examples"], {})
        jobs.cancel(job.id)
        known = {"claim": "few-examples", "paper": "2604.00001", "job": job.id, "format": "md"}

        def address(path: str, **odd: str) -> str:
            return re.sub(
                r"\{(\w+)(:path)?\}",
                lambda m: quote(odd.get(m[1], known.get(m[1].removesuffix("_id"), "x")), safe=""),
                path,
            )

        for path, takes in routes:
            for field in takes.path_params:
                for value in (EXTREMES[0], "\0", "%"):
                    asked = address(path, **{field.name: value})
                    assert client.get(asked).status_code < 500, asked[:200]
            for field in [*takes.query_params, *(f for d in takes.dependencies for f in d.query_params)]:
                for value in EXTREMES:
                    status = client.get(address(path), params={field.alias: value}).status_code
                    assert status < 500 or status == 503, (address(path), field.alias, value[:40])
                    answered += status == 200
    assert not [r for r in caplog.records if r.exc_info or "err-" in r.getMessage()], "a stream broke off"
    assert answered > 100, "most requests were refused, which tests little"


def test_a_page_beyond_the_last_is_the_last(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'retest.sqlite3'}"
    filled(url)
    with browsing(settings_for(tmp_path, url)) as client:
        first = client.get("/papers?all=1").text
        assert "papers, newest first" in first
        assert client.get(f"/papers?all=1&page={'9' * 20}").text == first
