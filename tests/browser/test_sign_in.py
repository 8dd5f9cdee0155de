"""Signing in with the token in a real browser, and what a page of somebody else can do to a person who is signed in."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from claims.store import Store
from tests.browser.house import CLAIM, serving
from tests.webs import CLOCK, TOKEN, filled, settings_for

pytestmark = pytest.mark.slow


@contextmanager
def somebody_else(html: str) -> Iterator[str]:
    """Serve one page under another name, which to a browser is another site."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(html.encode())

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield f"http://localhost:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    with chromium.new_context() as context:
        context.set_default_timeout(60_000)
        yield context.new_page()


@pytest.fixture
def address(tmp_path: Path, sqlite_url: str) -> Iterator[str]:
    """A server that wants the token."""
    filled(sqlite_url)
    with serving(settings_for(tmp_path / "web", sqlite_url, web_token=TOKEN), CLOCK) as address:
        yield address


def sign_in(page: Page, address: str, path: str = "/") -> None:
    page.goto(address + path)
    page.get_by_label("Token").fill(TOKEN)
    page.get_by_role("button", name="Sign in").click()


def test_a_person_signs_in_is_led_where_they_wanted_and_signs_out(page: Page, address: str) -> None:
    page.goto(f"{address}/claims/{CLAIM}")
    expect(page).to_have_title("Sign in · retest")
    page.get_by_label("Token").fill("not the token at all")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("not the token")
    page.get_by_label("Token").fill(TOKEN)
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(f"{address}/claims/{CLAIM}")
    page.get_by_role("button", name="Sign out").click()
    expect(page).to_have_title("Sign in · retest")
    page.goto(f"{address}/claims/{CLAIM}")
    expect(page).to_have_title("Sign in · retest")


def test_a_link_on_another_site_leads_a_signed_in_person_to_the_page(page: Page, address: str) -> None:
    sign_in(page, address)
    expect(page).to_have_url(f"{address}/")
    with somebody_else(f'<a href="{address}/claims/{CLAIM}">look</a>') as elsewhere:
        page.goto(elsewhere)
        page.get_by_role("link", name="look").click()
        expect(page).to_have_url(f"{address}/claims/{CLAIM}")
        expect(page.get_by_role("button", name="Sign out")).to_be_visible()


@pytest.mark.parametrize("is_locked", [True, False])
def test_another_sites_form_starts_nothing(page: Page, is_locked: bool, tmp_path: Path, sqlite_url: str) -> None:
    filled(sqlite_url)
    token = {"web_token": TOKEN} if is_locked else {}
    with serving(settings_for(tmp_path / "web", sqlite_url, **token), CLOCK) as address:
        if is_locked:
            sign_in(page, address)
            expect(page).to_have_url(f"{address}/")
        else:
            page.goto(address)
        for path in (f"/claims/{CLAIM}/retest", f"/api/v1/claims/{CLAIM}/retest"):
            form = f'<form method="post" action="{address}{path}"><button>win a prize</button></form>'
            with somebody_else(form) as elsewhere:
                page.goto(elsewhere)
                with page.expect_navigation() as left:
                    page.get_by_role("button").click()
            assert left.value is not None
            assert left.value.status in (401, 403)
        page.goto(f"{address}/")
        jobs = page.request.get(f"{address}/api/v1/jobs", headers={"Authorization": f"Bearer {TOKEN}"})
        assert jobs.json()["total"] == 0


def test_another_sites_script_reads_nothing(page: Page, tmp_path: Path, sqlite_url: str) -> None:
    filled(sqlite_url)
    with serving(settings_for(tmp_path / "web", sqlite_url), CLOCK) as address, somebody_else("<p>hello") as elsewhere:
        page.goto(elsewhere)
        got = page.evaluate(
            """async (address) => {
                const said = [];
                for (const mode of ['cors', 'no-cors']) {
                    try {
                        const answer = await fetch(address + '/api/v1/claims', {mode});
                        said.push(answer.type, await answer.text());
                    } catch (e) { said.push('refused'); }
                }
                const frame = document.createElement('iframe');
                frame.src = address + '/';
                document.body.append(frame);
                await new Promise(done => { frame.onload = done; setTimeout(done, 3000); });
                let inside = 'refused';
                try { inside = frame.contentDocument ? frame.contentDocument.body.innerText : 'refused'; } catch (e) {}
                return [...said, inside];
            }""",
            address,
        )
        assert "few-examples" not in str(got)
        with Store.open(sqlite_url) as store:
            assert store.claim(CLAIM).text not in str(got)
