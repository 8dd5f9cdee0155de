"""Who gets in, what a foreign page can make a browser do, and what every answer carries."""

import stat
from pathlib import Path
from typing import Any

import pytest
from fastapi import Depends, FastAPI, Form
from fastapi.testclient import TestClient

from agent.web.app import create_app
from agent.web.guard import check_form
from agent.web.login import local
from claims.errors import InputError
from tests.webs import CLOCK, ORIGIN, TOKEN, browsing, form_token, settings_for

CLAIMS = "/api/v1/claims"
ASK = {"question": "Does LIMA still hold?"}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def test_every_answer_carries_the_headers_that_keep_a_page_to_itself(home: Path, sqlite_url: str) -> None:
    with browsing(settings_for(home, sqlite_url)) as client:
        for path in ("/", "/health", CLAIMS, "/nothing-here", "/api/v1/nothing", "/login"):
            headers = client.get(path).headers
            policy = headers["content-security-policy"]
            assert "script-src 'self';" in policy
            assert "frame-ancestors 'none'" in policy
            assert "unsafe" not in policy
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["referrer-policy"] == "no-referrer"
            assert "strict-transport-security" not in headers


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.5", "::", "example.org"])
def test_an_address_that_others_reach_is_refused_without_a_token_or_a_proxy(
    host: str, home: Path, sqlite_url: str
) -> None:
    with pytest.raises(InputError, match="RETEST_WEB_TOKEN"):
        create_app(settings_for(home, sqlite_url, web_host=host))
    create_app(settings_for(home, sqlite_url, web_host=host, web_token=TOKEN))
    with pytest.raises(InputError, match="RETEST_WEB_PROXIES"):
        create_app(settings_for(home, sqlite_url, web_host=host, web_proxy_header="X-Forwarded-User"))


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.0.0.9"])
def test_loopback_needs_neither(host: str, home: Path, sqlite_url: str) -> None:
    create_app(settings_for(home, sqlite_url, web_host=host))


def test_a_token_that_can_be_guessed_is_no_setting(home: Path, sqlite_url: str) -> None:
    with pytest.raises(ValueError, match="16 characters"):
        settings_for(home, sqlite_url, web_token="hunter2")


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8700", "127.0.0.1.evil.example", "", "localhost@evil"])
def test_a_foreign_name_that_points_at_loopback_is_refused(host: str, home: Path, sqlite_url: str) -> None:
    with browsing(settings_for(home, sqlite_url)) as client:
        answer = client.get(CLAIMS, headers={"Host": host})
        assert answer.status_code == 400
        assert answer.json()["type"].endswith("host")
        for own in ("127.0.0.1:8700", "localhost", "[::1]:8700", "LOCALHOST."):
            assert client.get(CLAIMS, headers={"Host": own}).status_code == 200
    with browsing(settings_for(home, sqlite_url, web_hosts=("retest.example",))) as client:
        assert client.get(CLAIMS, headers={"Host": "retest.example"}).status_code == 200


def test_without_the_token_nobody_gets_in_and_with_it_scripts_do(home: Path, sqlite_url: str) -> None:
    with browsing(settings_for(home, sqlite_url, web_host="0.0.0.0", web_token=TOKEN)) as client:
        refused = client.get(CLAIMS)
        assert refused.status_code == 401
        assert refused.headers["www-authenticate"] == "Bearer"
        assert refused.headers["content-type"] == "application/problem+json"
        for wrong in ("Bearer nonsense nonsense", f"Basic {TOKEN}", TOKEN, "Bearer ", f"Bearer {TOKEN}x"):
            assert client.get(CLAIMS, headers={"Authorization": wrong}).status_code == 401
        assert client.get(CLAIMS, headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200
        assert client.get("/health").status_code == 200
        assert client.get("/ready").status_code == 200
        assert client.get("/api/v1/openapi.json").status_code == 401


def test_a_person_signs_in_by_the_form_and_out_again(home: Path, sqlite_url: str) -> None:
    with browsing(settings_for(home, sqlite_url, web_token=TOKEN), follow_redirects=False) as client:
        sent = client.get("/digests?limit=3")
        assert sent.status_code == 303
        assert sent.headers["location"] == "/login?next=%2Fdigests%3Flimit%3D3"
        form = {"csrf_token": form_token(client.get(sent.headers["location"]).text), "next": "/digests?limit=3"}
        wrong = client.post("/login", data=form | {"token": "not the token at all"})
        assert wrong.status_code == 401
        assert "not the token" in wrong.text
        entered = client.post("/login", data=form | {"token": TOKEN})
        assert entered.status_code == 303
        assert entered.headers["location"] == "/digests?limit=3"
        given = entered.headers["set-cookie"]
        assert "HttpOnly" in given
        assert "SameSite=Strict" in given
        assert "Secure" not in given
        assert client.get(CLAIMS).status_code == 200
        session = dict(client.cookies)
        client.post("/logout", data=form)
        assert client.get(CLAIMS).status_code == 401
    with browsing(settings_for(home, sqlite_url, web_token=TOKEN), cookies=session) as again:
        assert again.get(CLAIMS).status_code == 200
    with browsing(settings_for(home, sqlite_url, web_token=TOKEN + " changed"), cookies=session) as other:
        assert other.get(CLAIMS).status_code == 401


def test_a_link_in_a_mail_leads_a_signed_in_person_to_the_page(home: Path, sqlite_url: str) -> None:
    with browsing(settings_for(home, sqlite_url, web_token=TOKEN), follow_redirects=False) as client:
        mailed = client.get("/digests?a=1&b=<x>", headers={"Sec-Fetch-Site": "cross-site"})
        assert mailed.status_code == 200
        assert mailed.headers["refresh"] == "0; url=/digests?a=1&b=%3Cx%3E"
        assert "<x>" not in mailed.text
        again = client.get("/digests?a=1", headers={"Sec-Fetch-Site": "same-origin"})
        assert again.headers["location"].startswith("/login?next=")


def test_the_sign_in_page_has_its_style_and_nothing_else_is_open(home: Path, sqlite_url: str) -> None:
    with browsing(settings_for(home, sqlite_url, web_token=TOKEN), follow_redirects=False) as client:
        assert client.get("/style/report.css").status_code == 200
        assert client.get("/static/site.css").status_code == 200
        for path in ("/", "/papers", "/healthy", "/login/x", "/static", "/chat", "/claims/few-examples"):
            assert client.get(path).status_code in (303, 307, 401), path


def test_a_cookie_that_was_tampered_with_or_is_too_old_opens_nothing(home: Path, sqlite_url: str) -> None:
    settings = settings_for(home, sqlite_url, web_token=TOKEN)
    with browsing(settings) as client:
        keys = client.app.state.keys  # type: ignore[attr-defined]
        name = keys.cookie_name("session")
        good = keys.session(TOKEN, CLOCK.now())
        until, _, rest = good.partition(".")
        for bad in (f"{int(until) + 9999}.{rest}", good[:-1], "..", "x", good.replace(".", "-"), "9" * 400):
            assert client.get(CLAIMS, headers={"Cookie": f"{name}={bad}"}).status_code == 401
        old = keys.session(TOKEN, CLOCK.now().replace(year=2025))
        assert client.get(CLAIMS, headers={"Cookie": f"{name}={old}"}).status_code == 401
        assert client.get(CLAIMS, headers={"Cookie": f"{name}={good}"}).status_code == 200


def test_the_token_cannot_be_guessed_by_trying(home: Path, sqlite_url: str) -> None:
    with browsing(settings_for(home, sqlite_url, web_token=TOKEN)) as client:
        form = {"csrf_token": form_token(client.get("/login").text), "token": "a wrong token, again"}
        statuses = [client.post("/login", data=form).status_code for _ in range(12)]
    assert statuses[:10] == [401] * 10
    assert statuses[-1] == 429


@pytest.mark.parametrize("target", ["//evil.example", "https://evil.example", "/\\evil.example", "evil", "", "/a\nb"])
def test_signing_in_never_leads_to_another_site(target: str) -> None:
    assert local(target) == "/"


def test_signing_in_leads_back_to_the_page_that_was_asked_for() -> None:
    assert local("/claims/a?as_of=2026-01-01") == "/claims/a?as_of=2026-01-01"


def test_a_proxys_header_is_believed_from_the_proxy_alone(home: Path, sqlite_url: str) -> None:
    settings = settings_for(
        home,
        sqlite_url,
        web_host="0.0.0.0",
        web_proxy_header="X-Forwarded-User",
        web_proxies=("10.1.0.0/16",),
    )
    named = {"X-Forwarded-User": "ada@example.org"}
    with browsing(settings, client=("10.1.2.3", 9)) as client:
        assert client.get(CLAIMS, headers=named).status_code == 200
        assert client.get(CLAIMS).status_code == 401
        assert client.get(CLAIMS, headers={"X-Forwarded-User": " "}).status_code == 401
        twice = [("X-Forwarded-User", "ada"), ("X-Forwarded-User", "eve")]
        assert client.get(CLAIMS, headers=twice).status_code == 401
        assert client.get("/", headers=named | {"X-Forwarded-Proto": "https"}).headers["strict-transport-security"]
    with browsing(settings, client=("10.2.2.3", 9)) as stranger:
        assert stranger.get(CLAIMS, headers=named).status_code == 401


def small(home: Path, sqlite_url: str, **more: Any) -> FastAPI:
    """Give the application with one more page that takes a form, so that only the guard is under test."""
    app = create_app(settings_for(home, sqlite_url, **more), CLOCK)

    @app.post("/changes", dependencies=[Depends(check_form)])
    def changes(text: str = Form("")) -> dict[str, str]:
        return {"text": text}

    @app.post("/api/v1/changes")
    def api_changes() -> dict[str, str]:
        return {"text": "done"}

    return app


def test_a_form_changes_something_only_with_the_token_of_our_page(home: Path, sqlite_url: str) -> None:
    with TestClient(small(home, sqlite_url, web_token=TOKEN), base_url=ORIGIN) as client:
        login = client.get("/login")
        keys = client.app.state.keys  # type: ignore[attr-defined]
        client.cookies.set(keys.cookie_name("session"), keys.session(TOKEN, CLOCK.now()), domain="127.0.0.1")
        token = form_token(login.text)
        assert client.post("/changes", data={"text": "x", "csrf_token": token}).json() == {"text": "x"}
        assert client.post("/changes", data={"text": "x"}, headers={"X-CSRF-Token": token}).status_code == 200
        for wrong in ({}, {"csrf_token": ""}, {"csrf_token": token[:-1]}, {"csrf_token": keys.csrf()}):
            assert client.post("/changes", data={"text": "x", **wrong}).status_code == 403
        cookie = keys.cookie_name("csrf")
        forged = "0" * 32 + "." + "0" * 64
        client.cookies.set(cookie, forged, domain="127.0.0.1")
        assert client.post("/changes", data={"csrf_token": forged}).status_code == 403


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:9999"},
        {"Origin": "http://["},
    ],
)
def test_another_sites_page_changes_nothing_even_with_the_token(
    headers: dict[str, str], home: Path, sqlite_url: str
) -> None:
    with TestClient(small(home, sqlite_url), base_url=ORIGIN) as client:
        keys = client.app.state.keys  # type: ignore[attr-defined]
        token = keys.csrf()
        client.cookies.set(keys.cookie_name("csrf"), token, domain="127.0.0.1")
        both = {"X-CSRF-Token": token}
        for path in ("/changes", "/api/v1/changes"):
            assert client.post(path, headers=both | headers).status_code == 403
            assert client.post(path, headers=both | {"Origin": ORIGIN}).status_code == 200
            assert client.post(path, headers=both | {"Sec-Fetch-Site": "same-origin"}).status_code == 200


def test_a_script_without_cookies_needs_no_form_token_and_a_browser_does(home: Path, sqlite_url: str) -> None:
    with TestClient(small(home, sqlite_url), base_url=ORIGIN) as client:
        assert client.post("/api/v1/changes").status_code == 200
        keys = client.app.state.keys  # type: ignore[attr-defined]
        client.cookies.set(keys.cookie_name("csrf"), keys.csrf(), domain="127.0.0.1")
        refused = client.post("/api/v1/changes")
        assert refused.status_code == 403
        assert refused.json()["type"] == "urn:retest:problem:csrf"


def test_another_sites_page_cannot_read_the_api_and_may_link_to_a_page(home: Path, sqlite_url: str) -> None:
    with browsing(settings_for(home, sqlite_url)) as client:
        foreign = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}
        assert client.get(CLAIMS, headers=foreign).status_code == 403
        link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
        assert client.get("/login", headers=link).status_code == 200
        assert "access-control-allow-origin" not in client.get(CLAIMS, headers={"Origin": "http://a.example"}).headers


def test_the_cookie_of_forms_is_secure_behind_https(home: Path, sqlite_url: str) -> None:
    settings = settings_for(home, sqlite_url, web_token=TOKEN, web_proxies=("127.0.0.1",))
    with browsing(settings) as client:
        plain = client.get("/login").headers["set-cookie"]
        client.cookies.clear()
        safe = client.get("/login", headers={"X-Forwarded-Proto": "https"}).headers
    assert "Secure" not in plain
    assert "HttpOnly" in plain
    assert "SameSite=Strict" in plain
    assert "Secure" in safe["set-cookie"]


def test_a_client_that_asks_too_often_waits_and_others_do_not(home: Path, sqlite_url: str) -> None:
    settings = settings_for(home, sqlite_url, web_rate=20, web_proxies=("127.0.0.1",))
    with browsing(settings) as client:
        first = {"X-Forwarded-For": "203.0.113.9, 198.51.100.1"}
        assert [client.get(CLAIMS, headers=first).status_code for _ in range(20)] == [200] * 20
        refused = client.get(CLAIMS, headers=first)
        assert refused.status_code == 429
        assert int(refused.headers["retry-after"]) >= 1
        assert client.get("/health", headers=first).status_code == 200
        assert client.get(CLAIMS, headers={"X-Forwarded-For": "198.51.100.2"}).status_code == 200
        spoofed = {"X-Forwarded-For": "1.2.3.4, 198.51.100.1"}
        assert client.get(CLAIMS, headers=spoofed).status_code == 429
        network = {"X-Forwarded-For": "2001:db8::1"}
        assert client.post("/api/v1/ask", json=ASK, headers=network).status_code != 429
        assert client.post("/api/v1/ask", json=ASK, headers={"X-Forwarded-For": "2001:db8::2"}).status_code != 429
        assert client.post("/api/v1/ask", json=ASK, headers={"X-Forwarded-For": "2001:db8::3"}).status_code == 429


def test_a_body_over_the_limit_is_refused_whatever_its_header_says(home: Path, sqlite_url: str) -> None:
    with browsing(settings_for(home, sqlite_url, web_upload_mib=0.001)) as client:
        big = b'{"question": "' + b"x" * 2000 + b'"}'
        stated = client.post("/api/v1/ask", content=big, headers={"Content-Type": "application/json"})
        assert stated.status_code == 413

        def pieces() -> Any:
            yield big[:1000]
            yield big[1000:]

        streamed = client.post("/api/v1/ask", content=pieces(), headers={"Content-Type": "application/json"})
        assert streamed.status_code == 413
        lying = {"Content-Type": "application/json", "Content-Length": "many"}
        assert client.post("/api/v1/ask", content=b"{}", headers=lying).status_code == 413


def test_the_key_can_be_read_by_its_owner_alone_and_outlives_the_server(home: Path, sqlite_url: str) -> None:
    with browsing(settings_for(home, sqlite_url)) as client:
        token = client.app.state.keys.csrf()  # type: ignore[attr-defined]
    assert stat.S_IMODE((home / "web.key").stat().st_mode) == 0o600
    with browsing(settings_for(home, sqlite_url)) as client:
        assert client.app.state.keys.is_csrf(token)  # type: ignore[attr-defined]
    with browsing(settings_for(home.parent / "another", sqlite_url)) as client:
        assert not client.app.state.keys.is_csrf(token)  # type: ignore[attr-defined]


def test_a_stores_trouble_makes_the_server_not_ready_and_does_not_kill_it(tmp_path: Path) -> None:
    broken = tmp_path / "broken.sqlite3"
    broken.write_bytes(b"this is no database " * 400)
    with browsing(settings_for(tmp_path / "home", f"sqlite:///{broken}")) as client:
        assert client.get("/health").status_code == 200
        ready = client.get("/ready")
        assert ready.status_code == 503
        assert str(broken) not in ready.text
        claims = client.get(CLAIMS)
        assert claims.status_code == 503
        assert claims.headers["content-type"] == "application/problem+json"
        page = client.get("/")
        assert page.status_code == 503
        assert page.headers["content-type"].startswith("text/html")
