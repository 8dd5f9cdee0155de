"""The JSON API over a real store: what is asked is answered from what is held, and what cannot be is said."""

import csv
import io
import json
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from agent.errors import LabRefused
from agent.web.problems import status_of
from claims.clock import FrozenClock
from claims.digest import Digest
from claims.library import example_inquiry
from claims.store import Store
from tests.dossiers import AS_OF
from tests.factories import NOON
from tests.webs import CLOCK, browsing, filled, settings_for

V1 = "/api/v1"
CLAIM = f"{V1}/claims/few-examples"
INQUIRY = "inq-0123456789ab"
PROBLEM = "application/problem+json"


@pytest.fixture
def url(sqlite_url: str) -> str:
    """The URL of a store that holds the invented inquiry, and two nights."""
    filled(sqlite_url)
    with Store.open(sqlite_url, clock=CLOCK) as store:
        for days in (1, 0):
            night = NOON.date() - timedelta(days=days)
            store.begin_night(night, "{}")
            store.change_night(night, lambda s: s, digest=Digest(night=night, judge="local 1").model_dump_json())
    return sqlite_url


@pytest.fixture
def client(tmp_path: Path, url: str) -> Iterator[TestClient]:
    with browsing(settings_for(tmp_path / "web", url, lab_url="http://127.0.0.1:9")) as opened:
        yield opened


def get(client: TestClient, path: str, **params: Any) -> Any:
    answer = client.get(path if path.startswith("/") else f"{V1}/{path}", params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


def over(client: TestClient, path: str) -> dict[str, Any]:
    """Wait until a job is over."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        job: dict[str, Any] = get(client, path)
        if job["state"] not in ("queued", "running"):
            return job
        time.sleep(0.05)
    raise AssertionError("the job is not over")


def test_claims_are_filtered_searched_and_sorted(client: TestClient) -> None:
    every = get(client, "claims")
    assert every["total"] == 3
    assert {line["id"] for line in every["items"]} == {"few-examples", "models-alike", "self-improvement"}

    def ids(**params: Any) -> list[str]:
        return [line["id"] for line in get(client, "claims", **params)["items"]]

    assert ids(q="LIMA curated") == ["few-examples"]
    assert ids(verdict="undecided") == ["self-improvement"]
    assert ids(inquiry="inq-000000000000") == []
    assert ids(sort="-evidence")[0] == "few-examples"
    assert ids(sort="text") == ids(sort="-text")[::-1]
    assert set(ids(due="true")) == set(ids())
    assert ids(due="false") == []
    assert ids(as_of="2020-01-01") == []
    assert get(client, "claims", verdict="undecided")["items"][0]["verdict"] is None


def test_the_list_counts_what_supports_contradicts_and_narrows_and_the_page_says_it(client: TestClient) -> None:
    (line,) = [x for x in get(client, "claims")["items"] if x["id"] == "few-examples"]
    current = get(client, CLAIM)["current"]["verdict"]
    counted = {"n_support": "support", "n_against": "against", "n_narrowing": "qualifying"}
    assert {field: line[field] for field in counted} == {f: len(current[name]) for f, name in counted.items()}
    (never,) = [x for x in get(client, "claims")["items"] if x["verdict"] is None]
    assert never["n_support"] is None
    page = client.get("/").text
    n = [line[field] for field in counted]
    verbs = ("support", "contradict", "narrow")
    said = ", ".join(f"{count} {verb}{'s' * (count == 1)} it" for count, verb in zip(n, verbs, strict=True))
    assert f'aria-label="{said}">{n[0]} / {n[1]} / {n[2]}</span>' in page


def test_since_when_the_evidence_gives_a_verdict_is_a_field_of_its_own(client: TestClient) -> None:
    (line,) = [x for x in get(client, "claims")["items"] if x["id"] == "few-examples"]
    document = get(client, CLAIM)
    assert document["evidence_since"] == "2026-05-09"
    assert line["since"] == document["current"]["verdict"]["as_of"] != document["evidence_since"]


def test_a_page_links_its_neighbours(client: TestClient) -> None:
    answer = client.get(f"{V1}/claims", params={"limit": 1, "offset": 1, "sort": "text"})
    parts = [part.split("; ") for part in answer.headers["link"].split(", ")]
    links = {rel: link for link, rel in parts}
    assert set(links) == {f'rel="{name}"' for name in ("first", "prev", "next", "last")}
    following = client.get(links['rel="next"'].strip("<>")).json()
    assert following["offset"] == 2
    assert following["items"][0]["id"] != answer.json()["items"][0]["id"]
    assert 'rel="next"' not in client.get(links['rel="last"'].strip("<>")).headers["link"]
    assert client.get(f"{V1}/claims", params={"offset": 50}).json()["items"] == []


def test_what_did_not_change_is_not_sent_twice(client: TestClient, url: str) -> None:
    claim = f"{V1}/claims/models-alike"
    first = client.get(claim)
    tag = first.headers["etag"]
    again = client.get(claim, headers={"If-None-Match": f'"other", W/{tag}'})
    assert again.status_code == 304
    assert again.content == b""
    assert again.headers["etag"] == tag
    with Store.open(url) as store:
        store.note_no_experiment("models-alike", "nobody approved it")
    changed = client.get(claim, headers={"If-None-Match": tag})
    assert changed.status_code == 200
    assert changed.headers["etag"] != tag


def test_a_claim_is_shown_with_its_ground_now_and_as_of_a_past_day(client: TestClient) -> None:
    shown = get(client, CLAIM)
    ids = {e["id"] for e in shown["evidence"]}
    assert shown["current"]["verdict"]["kind"]
    assert all(id.startswith("ev-") for id in ids)
    cited = {*shown["current"]["verdict"]["support"], *shown["current"]["verdict"]["against"]}
    assert cited <= ids
    assert all("abstract" not in paper for paper in shown["papers"].values())
    past = get(client, CLAIM, as_of="2026-08-20")
    assert past["current"] is None
    assert past["evidence"] == []
    assert get(client, f"{V1}/claims/few-ex")["claim"] == shown["claim"]


def test_the_parts_of_a_claim_are_lists_of_their_own(client: TestClient) -> None:
    shown = get(client, CLAIM)
    evidence = get(client, f"{CLAIM}/evidence")
    assert [e["id"] for e in evidence["items"]] == [e["id"] for e in shown["evidence"]]
    against = get(client, f"{CLAIM}/evidence", stance="contradicts")["items"]
    assert len(against) == 2
    assert {e["assessment"]["stance"] for e in against} == {"contradicts"}
    supports = get(client, f"{CLAIM}/evidence", stance="supports")["items"]
    assert "experiment" in {e["kind"] for e in supports}
    one = get(client, f"{V1}/evidence/{against[0]['id']}")
    assert one == against[0]
    experiments = get(client, f"{CLAIM}/experiments")["items"]
    assert [e["id"] for e in experiments] == ["exp-0123456789ab"]
    assert get(client, f"{V1}/experiments/exp-0123456789ab") == experiments[0]
    assert get(client, "experiments")["total"] == 1
    assert get(client, f"{CLAIM}/verdicts")["items"] == shown["history"]


def test_papers_are_found_by_title_and_name_the_claims_they_bear_on(client: TestClient) -> None:
    papers = get(client, "papers")
    assert papers["total"] == len(papers["items"]) > 3
    assert papers["items"][0]["published"] >= papers["items"][-1]["published"]
    all_held = get(client, "papers", weighed=False, q="LIMA")
    assert [p["id"] for p in all_held["items"]] == ["2305.11206"]
    one = get(client, f"{V1}/papers/2604.00001")
    assert one["claims"] == ["few-examples"]
    assert one["paper"]["abstract"]
    assert one["url"] == "https://arxiv.org/abs/2604.00001"
    assert get(client, f"{V1}/papers/arXiv:2604.00001v2")["paper"] == one["paper"]


def test_evidence_is_found_by_words_and_by_ids(client: TestClient) -> None:
    found = get(client, "evidence", q="LIMA curated examples")
    assert found
    assert found[0]["claim_id"] == "few-examples"
    assert [e["evidence_id"] for e in get(client, "evidence", q=found[0]["evidence_id"])] == [found[0]["evidence_id"]]
    assert get(client, "evidence", q="2501.99999") == []


@pytest.mark.parametrize(
    ("format", "media", "mark"),
    [
        ("md", "text/markdown", "# "),
        ("html", "text/html", "<!doctype html>"),
        ("json", "application/json", '"schema"'),
        ("csv", "text/csv", "few-examples"),
        ("bib", "application/x-bibtex", "@"),
    ],
)
def test_reports_come_in_every_format(format: str, media: str, mark: str, client: TestClient) -> None:
    for path in (f"{CLAIM}/report", f"{V1}/inquiries/{INQUIRY}/report", f"{V1}/report"):
        answer = client.get(path, params={"format": format})
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith(media)
        assert mark in answer.text
        policy = answer.headers["content-security-policy"]
        assert "sandbox" in policy
        assert "script-src" not in policy
        assert client.get(
            path, params={"format": format}, headers={"If-None-Match": answer.headers["etag"]}
        ).is_redirect
    if format == "csv":
        assert len(list(csv.reader(io.StringIO(answer.text)))) > 5
    assert client.get(f"{CLAIM}/report", params={"format": "pdf"}).status_code == 422
    assert client.get(f"{V1}/inquiries/few-examples/report").status_code == 404


def test_digests_come_in_every_format_and_as_a_feed(client: TestClient) -> None:
    nights = get(client, "digests")
    assert [n["night"] for n in nights["items"]] == ["2026-08-21", "2026-08-20"]
    assert nights["items"][0]["is_quiet"]
    for format, mark in (
        ("md", "# Refresh of 2026-08-21"),
        ("html", "2026-08-21"),
        ("atom", "<feed"),
        ("json", '"night"'),
    ):
        answer = client.get(f"{V1}/digests/2026-08-21", params={"format": format})
        assert answer.status_code == 200
        assert mark in answer.text
    feed = client.get(f"{V1}/digests/feed")
    assert feed.headers["content-type"].startswith("application/atom+xml")
    assert feed.text.count("<entry>") == 2
    assert client.get(f"{V1}/digests/2020-01-01").status_code == 404
    assert client.get(f"{V1}/digests/yesterday").status_code == 422


def test_an_answer_cites_evidence_that_is_held(client: TestClient) -> None:
    reply = client.post(f"{V1}/ask", json={"question": "Does LIMA still hold, and what changed it?"}).json()
    assert reply["held"]
    assert reply["claim_ids"] == ["few-examples"]
    held = {e["id"] for e in get(client, CLAIM)["evidence"]}
    cited = {id for sentence in reply["sentences"] for id in sentence["evidence"]}
    assert cited
    assert cited <= held
    assert all(id in reply["plain"] for id in cited)
    again = client.post(f"{V1}/ask", json={"question": "Since when?", "focus": ["few-examples"]}).json()
    assert again["claim_ids"] == ["few-examples"]
    assert not client.post(f"{V1}/ask", json={"question": "Is coffee healthy?"}).json()["held"]


def events_of(text: str) -> list[tuple[str, Any]]:
    found = []
    for block in text.strip().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.split("\n") if not line.startswith(":"))
        if fields:
            found.append((fields["event"], json.loads(fields["data"])))
    return found


def test_an_answer_is_streamed_sentence_by_sentence(client: TestClient) -> None:
    question = {"question": "Does LIMA still hold?"}
    whole = client.post(f"{V1}/ask", json=question).json()
    streamed = client.post(f"{V1}/ask", json=question, headers={"Accept": "text/event-stream"})
    assert streamed.headers["content-type"].startswith("text/event-stream")
    told = events_of(streamed.text)
    assert [data["text"] for name, data in told if name == "sentence"] == [s["text"] for s in whole["sentences"]]
    assert told[-1] == ("answer", whole)


def test_ids_are_grounded_and_what_could_not_be_looked_up_is_unchecked(client: TestClient) -> None:
    asked = {"ids": ["2305.11206", "2305.11206v2", "not-an-id", "2501.99999"], "source": "library"}
    found = client.post(f"{V1}/ground", json=asked).json()
    assert [g["status"] for g in found] == ["ok", "ok", "malformed", found[3]["status"]]
    assert found[3]["status"] in ("not_found", "unchecked")
    away = client.post(f"{V1}/ground", json={"ids": ["2501.99999"], "source": "arxiv"}).json()
    assert away[0]["status"] == "unchecked"
    assert "arxiv" in away[0]["could_not_look"]
    assert client.post(f"{V1}/ground", json={"ids": [], "source": "library"}).status_code == 422
    assert client.post(f"{V1}/ground", json={"ids": ["1"], "source": "moon"}).status_code == 422


def test_an_import_is_previewed_without_being_held_and_then_held_once(client: TestClient) -> None:
    text = {"text": example_inquiry()}
    seen = client.post(f"{V1}/imports/preview", json=text).json()
    assert len(seen["claims"]) == 6
    assert get(client, "claims")["total"] == 3
    held = client.post(f"{V1}/imports", json=text)
    assert held.status_code == 201
    assert held.json()["is_new"]
    assert held.json()["inquiry"] == seen
    assert get(client, held.headers["location"])["id"] == seen["id"]
    assert get(client, "claims", inquiry=seen["id"])["total"] == 6
    assert not client.post(f"{V1}/imports", json=text).json()["is_new"]
    assert get(client, "inquiries")["total"] == 2
    assert client.post(f"{V1}/imports", json={"text": "nothing to see"}).status_code == 422


def test_a_claim_of_ones_own_is_held_once(client: TestClient) -> None:
    new = {"text": "Speculative decoding keeps the distribution.", "asserted_on": "2023-02", "anchors": ["2211.17192"]}
    made = client.post(f"{V1}/claims", json=new)
    assert made.status_code == 201
    assert get(client, made.headers["location"])["claim"] == made.json()
    assert client.post(f"{V1}/claims", json=new).status_code == 200
    for wrong in ({"asserted_on": "soon"}, {"anchors": ["x"]}, {"text": "..."}, {"text": ""}, {"extra": 1}):
        refused = client.post(f"{V1}/claims", json=new | wrong)
        assert refused.status_code == 422, wrong
        assert refused.headers["content-type"] == PROBLEM


def test_a_retest_becomes_a_job_that_tells_its_steps(client: TestClient) -> None:
    started = client.post(f"{V1}/claims/self-improvement/retest", json={"source": "library"})
    assert started.status_code == 202
    job = over(client, started.headers["location"])
    assert job["state"] == "done", job
    told = events_of(client.get(started.json()["events"]).text)
    steps = [data for name, data in told if name == "step"]
    assert [s["n"] for s in steps] == list(range(1, len(steps) + 1))
    assert told[-1] == ("end", {"state": "done"})
    later = client.get(started.json()["events"], headers={"Last-Event-ID": str(len(steps) - 1)})
    assert [d["n"] for name, d in events_of(later.text) if name == "step"] == [len(steps)]
    assert get(client, "jobs", claim="self-improvement")["items"][0]["id"] == job["id"]
    assert get(client, "jobs", claim="models-alike")["total"] == 0
    assert get(client, f"{V1}/claims/self-improvement")["current"] is not None


def test_an_experiment_without_a_lab_fails_and_says_why(client: TestClient) -> None:
    started = client.post(f"{CLAIM}/experiments", json={"seeds": 2})
    assert started.status_code == 202
    job = over(client, started.headers["location"])
    assert job["state"] == "failed"
    assert "No experiment was run" in job["line"]
    refused = client.post(f"{V1}/claims/self-improvement/experiments")
    assert refused.status_code == 422
    assert "family" in refused.json()["detail"]
    assert client.post(f"{CLAIM}/experiments", json={"seeds": 1}).status_code == 422
    waits = client.post(f"{V1}/jobs/{job['id']}/approve")
    assert waits.status_code == 422
    assert client.post(f"{V1}/jobs/{job['id']}/cancel").json()["state"] == "failed"


@pytest.mark.parametrize(
    ("path", "status", "kind"),
    [
        ("claims/no-such-claim", 404, "not-held"),
        ("claims/no-such-claim/evidence", 404, "not-held"),
        ("papers/2501.99999", 404, "not-held"),
        ("papers/nonsense", 422, "malformed-id"),
        ("experiments/exp-000000000000", 404, "not-held"),
        ("evidence/ev-0", 404, "not-held"),
        ("inquiries/inq-x", 404, "not-held"),
        ("jobs/job-000000000000", 404, "not-held"),
        ("jobs/x", 422, "invalid-request"),
        ("claims?limit=0", 422, "invalid-request"),
        ("claims?limit=501", 422, "invalid-request"),
        ("claims?offset=-1", 422, "invalid-request"),
        ("claims?sort=moon", 422, "invalid-request"),
        ("claims?as_of=soon", 422, "invalid-request"),
        ("claims?verdict=true", 422, "invalid-request"),
        ("evidence", 422, "invalid-request"),
        ("nothing", 404, "not-held-here"),
    ],
)
def test_every_error_has_one_shape(path: str, status: int, kind: str, client: TestClient) -> None:
    answer = client.get(f"{V1}/{path}")
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == PROBLEM
    problem = answer.json()
    assert problem["type"] == f"urn:retest:problem:{kind}"
    assert problem["status"] == status
    assert problem["title"]
    assert problem["detail"]


def test_a_method_that_is_not_offered_and_a_body_that_is_no_json_are_problems_too(client: TestClient) -> None:
    for answer, status in (
        (client.delete(CLAIM), 405),
        (client.post(f"{V1}/ask", content=b"{", headers={"Content-Type": "application/json"}), 422),
        (client.post(f"{V1}/ask", content=b"\xff\xfe", headers={"Content-Type": "application/json"}), 422),
        (client.post(f"{V1}/ask", content=b"question=x", headers={"Content-Type": "text/plain"}), 422),
    ):
        assert answer.status_code == status, answer.text
        assert answer.headers["content-type"] == PROBLEM


def test_the_api_describes_itself_without_loading_anything_from_elsewhere(client: TestClient) -> None:
    schema = get(client, "openapi.json")
    assert len([p for p in schema["paths"] if p.startswith(V1)]) > 25
    page = client.get(f"{V1}/docs")
    assert page.status_code == 200
    assert "GET /api/v1/claims/{claim}" in page.text
    assert "https://cdn" not in page.text
    assert "<script" not in page.text.replace('<script src="/static/', "")


def test_a_past_state_is_read_by_day(client: TestClient, url: str) -> None:
    with Store.open(url, clock=FrozenClock(NOON + timedelta(days=3))) as store:
        store.note_no_experiment("models-alike", "later")
    path = f"{V1}/claims/models-alike"
    assert get(client, path)["no_experiment_because"] == "later"
    assert get(client, path, as_of=str(AS_OF))["no_experiment_because"] == "--no-lab"


@pytest.mark.parametrize("odd", ["%00", "a%00b", "%ED%A0%80", "%FF", "..%2F..", "%25", "'%20OR%201=1--", "x" * 150])
def test_odd_characters_are_nobodys_id_on_either_database(odd: str, database_url: str, tmp_path: Path) -> None:
    filled(database_url)
    with browsing(settings_for(tmp_path / "web", database_url)) as client:
        for path in (
            f"claims/{odd}",
            f"claims/{odd}/evidence",
            f"claims/{odd}/report",
            f"claims?q={odd}",
            f"claims?inquiry={odd}",
            f"papers?q={odd}&weighed=false",
            f"papers/{odd}",
            f"evidence?q={odd}",
            f"evidence/{odd}",
            f"experiments/{odd}",
            f"inquiries/{odd}",
            f"inquiries/inq-{odd}/report",
            f"jobs?claim={odd}",
        ):
            answer = client.get(f"{V1}/{path}")
            assert answer.status_code < 500, (path, answer.text)
        assert client.get(f"{V1}/claims?inquiry={odd}").json().get("items", []) == []
        for body in ({"question": "a\x00b"}, {"question": "\ud800"}, {"question": "Does it hold?", "focus": ["\x00"]}):
            answer = client.post(f"{V1}/ask", content=json.dumps(body), headers={"Content-Type": "application/json"})
            assert answer.status_code < 500, (body, answer.text)
        text = json.dumps({"text": "\ud800 \x00 Claims:\n- a claim (2024)", "asserted_on": "2024"})
        for path in ("imports/preview", "imports", "claims"):
            answer = client.post(f"{V1}/{path}", content=text, headers={"Content-Type": "application/json"})
            assert answer.status_code < 500, (path, answer.text)


@pytest.mark.parametrize(("refused", "answered"), [(422, 422), (404, 404), (413, 413), (401, 502), (409, 502)])
def test_what_a_lab_refuses_for_the_inputs_sake_is_the_askers_to_mend(refused: int, answered: int) -> None:
    assert status_of(LabRefused(refused, "no")) == answered
