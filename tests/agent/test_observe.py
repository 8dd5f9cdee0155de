"""What operators see: log lines with ids and without secrets, metrics scraped over HTTP, traces sent over HTTP."""

import io
import json
import logging
import urllib.request
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from agent.observe.logs import set_up_logs
from agent.observe.metrics import Standing, serving_metrics
from agent.observe.secrets import HIDDEN, Redactor, known_secrets
from agent.observe.spans import current_ids, span
from agent.observe.traces import sending_traces, tracing
from agent.settings import load_settings
from claims.errors import InputError, StoreLocked
from claims.store import Store
from tests.collector import collector
from tests.factories import NOON
from tests.nights import Library, StatedJudge, claim_about, paper_about
from tests.oai_server import OaiServer, Record

NIGHT = NOON.date()
CLAIM = claim_about("curated")
PASSWORD, TOKEN, KEY = "pass/word+1", "token-of-the-lab", "sk-of-the-provider"


@pytest.fixture
def library(sqlite_url: str, tmp_path: Path) -> Iterator[Library]:
    with Store.open(sqlite_url) as store:
        made = Library(store, tmp_path)
        store.put_claim(CLAIM)
        made.put(paper_about("curated", "Supports", 1), paper_about("curated", "Neutral", 2))
        yield made


@pytest.fixture
def logged() -> Iterator[io.StringIO]:
    """What is logged, while logging is set up anew; as before afterwards."""
    names = (None, "agent", "claims", "lab", "dbos")
    kept = [(log, log.handlers[:], log.level, log.propagate) for log in map(logging.getLogger, names)]
    yield io.StringIO()
    for log, handlers, level, propagate in kept:
        log.handlers, log.level, log.propagate = handlers, level, propagate
        log.setLevel(level)


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_ids_hold_inside_a_span_and_end_with_it() -> None:
    with span("night", night="2026-08-21"), span("claim", claim="a"):
        assert current_ids() == {"night": "2026-08-21", "claim": "a"}
        with pytest.raises(ZeroDivisionError), span("claim", claim="b"):
            assert current_ids()["claim"] == "b"
            raise ZeroDivisionError
        assert current_ids()["claim"] == "a"
    assert current_ids() == {}


def test_a_night_logs_its_decisions_with_the_ids_of_night_claim_and_paper(
    library: Library, logged: io.StringIO
) -> None:
    set_up_logs(load_settings(log="json"), stream=logged)
    library.night(NIGHT)
    told = lines(logged.getvalue())
    assert all(line["logger"].startswith("agent") and line["at"].endswith("+00:00") for line in told)
    (judged,) = [line for line in told if "paper" in line]
    assert (judged["night"], judged["claim"], judged["paper"]) == (str(NIGHT), CLAIM.id, "2401.00001")
    assert judged["message"] == "2401.00001: supports"
    assert any(line["message"] == f"{CLAIM.id}: undecided -> stands" for line in told)


@pytest.mark.parametrize("way", ["plain", "json"])
def test_no_secret_is_logged_wherever_it_turns_up(
    way: str, logged: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    settings = load_settings(
        log=way,
        lab_token=TOKEN,
        smtp_password=PASSWORD,
        database_url="postgresql://ada:pg-password@db.example.org/retest",
    )
    set_up_logs(settings, stream=logged)
    log = logging.getLogger("agent.test")
    log.warning("url %s, token %s", settings.store_url, TOKEN)
    log.warning("in an id", extra={"ids": {"run": f"x-{KEY}"}})
    log.warning("encoded pass%2Fword%2B1 and another's postgresql://bob:his-own@elsewhere/x")
    logging.getLogger("dbos").warning("cannot connect to %s", settings.store_url)
    try:
        raise StoreLocked(f"login with {PASSWORD!r} failed")
    except StoreLocked:
        log.exception("a traceback")
    text = logged.getvalue()
    assert not [s for s in (PASSWORD, "pass%2Fword%2B1", TOKEN, KEY, "pg-password", "his-own") if s in text]
    assert text.count(HIDDEN) >= 5
    assert "a traceback" in text
    assert "db.example.org" in text
    assert way == "plain" or len(lines(text)) == 5


def test_what_is_no_secret_is_left_alone() -> None:
    redact = Redactor({"abc", "hunter22"})
    assert redact("abc hunter22 https://example.org:8080/a@b") == f"abc {HIDDEN} https://example.org:8080/a@b"
    assert TOKEN in known_secrets(load_settings(lab_token=TOKEN))


def scrape(port: int) -> dict[str, float]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
        text = answer.read().decode()
    found = [line.rpartition(" ") for line in text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in found}


def test_metrics_are_scraped_over_http(library: Library) -> None:
    def standing() -> Standing:
        kinds = [line.kind or "undecided" for line in library.store.overview()]
        return Standing(claims={kind: kinds.count(kind) for kind in kinds}, waiting=3, last_night_at=None, problems=0)

    with serving_metrics("127.0.0.1", 0, standing) as port:
        before = scrape(port)
        library.night(NIGHT)
        with pytest.raises(InputError), span("judge"):
            raise InputError("no")
        after = scrape(port)
    assert before['retest_claims{verdict="undecided"}'] == 1
    assert after['retest_claims{verdict="stands"}'] == 1
    assert (after["retest_store_up"], after["retest_portions_waiting"]) == (1, 3)
    assert after['retest_step_seconds_count{step="claim"}'] == 1
    assert after['retest_step_facts_total{fact="papers",step="judge"}'] == 2
    assert after['retest_step_facts_total{fact="changed",step="decide"}'] == 1
    assert after['retest_step_failures_total{step="judge"}'] == 1
    with pytest.raises(OSError):
        scrape(port)


def test_a_store_that_does_not_answer_is_a_metric_and_no_broken_scrape() -> None:
    def standing() -> Standing:
        raise StoreLocked("locked")

    with serving_metrics("127.0.0.1", 0, standing) as port:
        found = scrape(port)
        assert found["retest_store_up"] == 0
        assert not any(name.startswith("retest_claims") for name in found)
        with pytest.raises(InputError, match="RETEST_METRICS_PORT"), serving_metrics("127.0.0.1", port, standing):
            pass


def attributes(one: Any) -> Mapping[str, object]:
    return {a.key: a.value.string_value or a.value.int_value for a in one.attributes}


def test_a_night_is_one_trace_of_harvest_request_match_judge_and_decide(library: Library) -> None:
    second = NIGHT + timedelta(days=1)
    paper = paper_about("curated", "Contradicts", 3)
    record = Record(paper.id, second, title=paper.title, abstract=paper.abstract or "", created=second)
    library.night(NIGHT)
    with (
        collector() as (url, got),
        OaiServer([record], today=second + timedelta(days=1)) as server,
        sending_traces(url, Redactor()),
    ):
        library.at(second).night(second, StatedJudge(), oai_url=server.url)
    by_id = {one.span_id: one for one in got}
    parents = {one.name: by_id[one.parent_span_id].name for one in got if one.parent_span_id}
    assert parents == {
        "harvest": "night",
        "request": "harvest",
        "claim": "night",
        "match": "claim",
        "judge": "claim",
        "decide": "claim",
    }
    assert len({one.trace_id for one in got}) == 1
    (judge,) = [one for one in got if one.name == "judge"]
    assert attributes(judge)["retest.claim"] == CLAIM.id
    assert attributes(judge)["retest.night"] == str(second)
    assert attributes(judge)["retest.papers"] == 1


def test_processes_that_share_a_round_share_a_trace_and_errors_keep_their_secrets() -> None:
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    traces = []
    for round in ("night:2026-08-21", "night:2026-08-21", "night:2026-08-22"):
        exporter = InMemorySpanExporter()
        with tracing(exporter, Redactor({"hunter22"})), pytest.raises(StoreLocked), span("portion", round=round):
            raise StoreLocked("password hunter22 refused")
        (one,) = exporter.get_finished_spans()
        traces.append(one.context.trace_id)
        assert not one.status.is_ok
        assert one.status.description == f"StoreLocked: password {HIDDEN} refused"
        assert one.events == ()
    assert traces[0] == traces[1] != traces[2]


def test_a_collector_that_is_away_costs_nothing_but_traces(library: Library) -> None:
    with sending_traces("http://127.0.0.1:9/v1/traces", Redactor()):
        assert library.night(NIGHT).problems == ()


def test_what_is_no_address_for_traces_is_named() -> None:
    with pytest.raises(InputError, match="RETEST_OTEL_URL"), sending_traces("localhost:4318", Redactor()):
        pass
