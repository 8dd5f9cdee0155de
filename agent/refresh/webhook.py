"""Sends a digest to a web address of one's own: JSON by POST, signed, and sent again when the server is away."""

import hashlib
import hmac
import logging
import time
from collections.abc import Callable

import httpx

from agent.errors import Final, Retryable
from agent.outgoing import check_url, transport_for
from claims.digest import Digest
from claims.errors import InputError

log = logging.getLogger(__name__)

SIGNATURE = "X-Retest-Signature"
"""`sha256=` and the hex HMAC-SHA256 of the body under the shared secret; not sent without a secret."""
NIGHT = "X-Retest-Night"
"""The night's day: the same digest may come twice, and this tells."""
TRIES = 4


class WebhookUnreachable(Retryable):
    """The digest's receiver did not take it; the digest is held, and can be sent again."""


class WebhookRefused(Final):
    """The digest's receiver said no."""


def sign(body: bytes, secret: str) -> str:
    """Give the signature of a body."""
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def post_digest(
    digest: Digest,
    url: str,
    *,
    secret: str | None = None,
    timeout_s: float = 20.0,
    link_local: bool = False,
    sleep: Callable[[float], None] = time.sleep,
) -> int:
    """Send a digest and give how many tries it took. Waits 1, 2 and 4 s between tries; redirects are not followed.

    Link-local and metadata addresses are not called unless `link_local`. Raises InputError for what is no web address
    or may not be called, WebhookRefused (4xx but 408 and 429), WebhookUnreachable.
    """
    check_url(url, link_local=link_local)
    body = digest.model_dump_json().encode()
    headers = {"Content-Type": "application/json", NIGHT: str(digest.night)}
    if secret:
        headers[SIGNATURE] = sign(body, secret)
    why = ""
    transport = transport_for(url, httpx.HTTPTransport(), link_local=link_local)
    with httpx.Client(timeout=timeout_s, transport=transport) as http:
        for n in range(1, TRIES + 1):
            try:
                status = http.post(url, content=body, headers=headers).status_code
            except httpx.InvalidURL as exc:
                raise InputError(f"not a web address: {url[:80]!r}") from exc
            except httpx.TransportError as exc:
                why = str(exc) or type(exc).__name__
            else:
                if 200 <= status < 300:
                    return n
                why = f"it answered HTTP {status}"
                if status < 500 and status not in (408, 429):
                    raise WebhookRefused(f"the webhook refused the digest: {why}")
            log.info("webhook, try %d of %d: %s", n, TRIES, why)
            if n < TRIES:
                sleep(2.0 ** (n - 1))
    raise WebhookUnreachable(f"the webhook did not take the digest in {TRIES} tries: {why}")
