"""The pages as text, for machines without a browser: links lead somewhere, forms are ours, nothing is inline."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urldefrag

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from tests.browser.house import furnish
from tests.webs import ORIGIN, browsing, settings_for

VOID = "area base br col embed hr img input link meta source track wbr".split()
MOST = 150
"""Pages that the crawl reads; more would be a loop of addresses."""


class Html(HTMLParser):
    """Reads a page, and notes what a reviewer would."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.links: list[str] = []
        self.ids: list[str] = []
        self.inline: list[str] = []
        self.forms: list[dict[str, str | None]] = []
        self.fields: list[dict[str, str | None]] = []
        self.labelled: set[str] = set()
        self.unprotected = 0
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        a = dict(attrs)
        if tag not in VOID:
            self.open.append(tag)
        if tag == "a" and a.get("href"):
            self.links.append(a["href"] or "")
        if tag in ("style", "iframe", "object", "embed", "img") or (tag == "script" and not a.get("src")):
            self.inline.append(tag)
        self.inline += [f"{tag} {name}" for name in a if name == "style" or name.startswith("on")]
        if a.get("id"):
            self.ids.append(a["id"] or "")
        if tag == "form":
            self.forms.append(a)
            self.unprotected += a.get("method") == "post"
        if tag == "input" and a.get("name") == "csrf_token":
            assert self.open and "form" in self.open
            self.unprotected -= 1
        if tag in ("input", "select", "textarea") and a.get("type") != "hidden" and "hidden" not in a:
            self.fields.append(a)
        if tag == "label" and a.get("for"):
            self.labelled.add(a["for"] or "")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"</{tag}> closes nothing"


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    home: Path = tmp_path_factory.mktemp("html")
    url = f"sqlite:///{home / 'retest.sqlite3'}"
    furnish(home, url)
    with browsing(settings_for(home, url)) as opened:
        yield opened


def test_every_page_that_a_link_leads_to_is_there_and_is_sound(client: TestClient) -> None:
    seen: dict[str, list[str]] = {}
    wanted: list[tuple[str, str]] = [(path, "") for path in ("/", "/chat?confirm=/retest", "/import?example=1")]
    anchors: list[tuple[str, str, str]] = []
    while wanted and len(seen) < MOST:
        path, source = wanted.pop()
        if path in seen:
            continue
        answer = client.get(path)
        assert answer.status_code == 200, f"{source} leads to {path}: {answer.status_code}"
        seen[path] = []
        if not answer.headers["content-type"].startswith("text/html") or answer.history:
            continue
        html = Html(answer.text)
        assert html.open == [], path
        is_report = "Does it still hold? An evidence report" in answer.text
        assert html.inline == (["style"] if is_report else []), path
        assert html.unprotected == 0, f"{path} has a form without the token"
        assert {f.get("id") for f in html.fields if f.get("type") not in ("submit",)} <= html.labelled, path
        assert len(set(html.ids)) == len(html.ids), f"{path} has an id twice"
        seen[path] = html.ids
        for link in html.links:
            if link.startswith("/"):
                target, part = urldefrag(link)
                wanted.append((target, path))
                anchors += [(target, part, path)] if part else []
            elif link.startswith("#"):
                assert link[1:] in html.ids, f"{path} has no {link}"
            else:
                assert link.startswith("https://arxiv.org/abs/"), link
    assert not wanted, f"more than {MOST} pages: {[path for path, _ in wanted][:5]}"
    for target, part, source in anchors:
        assert not seen[target] or part in seen[target], f"{source} leads to {target}#{part}, which is not there"
    for one in ("/papers/2603.00009", "/claims/few-examples", "/experiments/exp-0123456789ab", "/digests/2026-08-20"):
        assert one in seen


def test_a_report_may_style_itself_and_do_nothing_else(client: TestClient) -> None:
    answer = client.get("/claims/few-examples/report.html")
    policy = answer.headers["content-security-policy"]
    assert "script-src" not in policy and "default-src 'none'" in policy and "sandbox" in policy
    assert client.get("/claims/few-examples/report.csv").headers["content-disposition"].startswith("attachment")
    assert client.get("/claims/few-examples/report.exe").status_code == 422


def test_a_form_without_its_token_changes_nothing(client: TestClient) -> None:
    for path in (
        "/claims/few-examples/retest",
        "/import/hold",
        "/chat",
        "/jobs/x/approve",
        "/claims/few-examples/judge",
    ):
        answer = client.post(path, data={"text": "A claim. (2024)", "message": "hello"})
        assert answer.status_code in (403, 422), path
    assert "A claim." not in client.get("/").text


def test_the_beginning_of_an_id_leads_to_the_claim_and_evidence_to_its_row(client: TestClient) -> None:
    assert client.get("/claims/few").url.path == "/claims/few-examples"
    page = client.get("/claims/few-examples").text
    id = re.findall(r'<tr id="(ev-[0-9a-f]{12})"', page)[0]
    there = client.get(f"/evidence/{id}", follow_redirects=False).headers["location"]
    assert there == f"/claims/few-examples#{id}"


def test_a_paper_with_an_id_of_before_2007_has_a_page(client: TestClient) -> None:
    page = client.get("/papers/cs/0112017v1")
    assert page.url.path == "/papers/cs/0112017" and "An early paper" in page.text
    assert "/papers/cs/0112017" in client.get("/papers?all=1&q=early").text


def test_the_feed_names_each_night(client: TestClient) -> None:
    feed = client.get("/digests.atom")
    assert feed.headers["content-type"].startswith("application/atom+xml")
    assert feed.text.count("<entry>") == 2
    assert f'<link rel="self" href="{ORIGIN}/digests.atom"/>' in feed.text
    assert f'<link rel="alternate" href="{ORIGIN}/digests/2026-08-20"/>' in feed.text


def test_a_defect_is_told_with_a_number_that_the_log_has(client: TestClient, caplog: pytest.LogCaptureFixture) -> None:
    def broken() -> None:
        raise ZeroDivisionError("the inside of a defect")

    application = client.app
    assert isinstance(application, FastAPI)
    application.add_api_route("/broken", broken, include_in_schema=False)
    answer = TestClient(application, base_url=ORIGIN, raise_server_exceptions=False).get("/broken")
    assert answer.status_code == 500 and "the inside of a defect" not in answer.text
    number = re.findall(r"err-[0-9a-f]{8}", answer.text)[0]
    assert number in caplog.text
    assert Html(answer.text).inline == []
    assert "script-src 'self'" in answer.headers["content-security-policy"]
