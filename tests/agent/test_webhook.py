"""A digest goes to a real HTTP server: signed, sent again when it is away, and never taken as sent when it was not."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from agent.refresh.webhook import SIGNATURE, TRIES, WebhookRefused, WebhookUnreachable, post_digest, sign
from claims.digest import Digest
from claims.errors import InputError

DIGEST = Digest(night=date(2026, 8, 21), judge="local 1")


class Receiver:
    """Answers by the given statuses, then 204; keeps what came."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.got: list[tuple[str | None, bytes]] = []


@contextmanager
def receiver(*statuses: int) -> Iterator[Receiver]:
    left = list(statuses)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            made.got.append((self.headers[SIGNATURE], body))
            self.send_response(left.pop(0) if left else 204)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made = Receiver(f"http://127.0.0.1:{server.server_port}/hook")
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()


def test_the_digest_arrives_whole_and_signed() -> None:
    with receiver() as server:
        assert post_digest(DIGEST, server.url, secret="s3cret") == 1
    ((signature, body),) = server.got
    assert Digest.model_validate_json(body) == DIGEST
    assert signature == sign(body, "s3cret")
    assert signature != sign(body, "another")


def test_without_a_secret_nothing_is_signed() -> None:
    with receiver() as server:
        post_digest(DIGEST, server.url)
    assert server.got[0][0] is None


def test_a_server_that_is_away_for_a_while_gets_it_later() -> None:
    waited: list[float] = []
    with receiver(503, 429) as server:
        assert post_digest(DIGEST, server.url, sleep=waited.append) == 3
    assert waited == [1.0, 2.0]


def test_a_refusal_is_not_repeated() -> None:
    with receiver(401) as server, pytest.raises(WebhookRefused, match="401"):
        post_digest(DIGEST, server.url, sleep=lambda s: None)
    assert len(server.got) == 1


def test_a_server_that_stays_away_is_said() -> None:
    with receiver(*[500] * TRIES) as server, pytest.raises(WebhookUnreachable, match="HTTP 500"):
        post_digest(DIGEST, server.url, sleep=lambda s: None)
    with pytest.raises(WebhookUnreachable):
        post_digest(DIGEST, "http://127.0.0.1:9/hook", sleep=lambda s: None)


def test_what_is_no_web_address_is_refused() -> None:
    with pytest.raises(InputError):
        post_digest(DIGEST, "file:///etc/passwd")
