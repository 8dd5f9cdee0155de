"""A web application over a real store, and clients that speak to it as a browser or a script would."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fastapi.testclient import TestClient

from agent.settings import Settings
from agent.web.app import create_app
from claims.clock import FrozenClock
from claims.store import Store
from tests.chat_store import fill
from tests.factories import NOON

CLOCK = FrozenClock(NOON)
ORIGIN = "http://127.0.0.1:8700"
TOKEN = "a token that is long enough"


def settings_for(home: Path, url: str, **more: Any) -> Settings:
    """Give settings whose arXiv refuses connections."""
    fields: dict[str, Any] = {"arxiv_url": "http://127.0.0.1:9/api/query", "arxiv_gap_s": 0.0, "web_rate": 100_000}
    return Settings(home=home, database_url=url, **{**fields, **more})


def filled(url: str) -> None:
    """Put the invented inquiry into a store."""
    with Store.open(url, clock=CLOCK) as store:
        fill(store)


@contextmanager
def browsing(settings: Settings, **more: Any) -> Iterator[TestClient]:
    """Open the application and a client that calls it by loopback's name."""
    options: dict[str, Any] = {"base_url": ORIGIN, "client": ("127.0.0.1", 50_000), **more}
    with TestClient(create_app(settings, CLOCK), **options) as client:
        yield client


def form_token(html: str) -> str:
    """Give the token of a page's form."""
    found = re.search(r'name="csrf_token" value="([^"]+)"', html)
    assert found is not None, "the page has no form with a token"
    return found[1]
