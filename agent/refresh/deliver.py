"""Sends a night's digest to whoever asked for it, once each; a receiver that is away is told of and stops nothing."""

import logging
import time
from collections.abc import Callable
from hashlib import sha256

from agent.errors import Final, Retryable
from agent.outgoing import check_url
from agent.refresh.mail import Mailbox, MailPartlyRefused, mail_digest, mailbox
from agent.refresh.night import patiently
from agent.refresh.state import NightState, state_of
from agent.refresh.webhook import post_digest
from agent.settings import Settings
from claims.clock import Clock
from claims.digest import Digest
from claims.errors import InputError, StoreError
from claims.store import Store

log = logging.getLogger(__name__)

WEBHOOK = "webhook"
MAIL = "mail"


class Receivers:
    """Who gets digests."""

    def __init__(
        self,
        *,
        webhook: str | None = None,
        secret: str | None = None,
        box: Mailbox | None = None,
        timeout_s: float = 20.0,
        link_local: bool = False,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._ways: dict[str, Callable[[Digest, Clock], int]] = {}
        if webhook is not None:
            self._ways[WEBHOOK] = lambda digest, clock: post_digest(
                digest, webhook, secret=secret, timeout_s=timeout_s, link_local=link_local, sleep=sleep
            )
        if box is not None:
            self._ways[MAIL] = lambda digest, clock: mail_digest(digest, box, clock, sleep=sleep)

    def deliver(self, digest: Digest, store: Store, clock: Clock) -> dict[str, str]:
        """Send a digest where it was not sent yet, unless nothing happened. Gives what failed: way to reason.

        What was sent and what failed is kept with the night, so that a second run of it sends nothing twice and tries
        again where it failed.
        """
        held = store.night(digest.night)
        if digest.is_quiet or held is None:
            return {}
        findings, sent = _findings(digest), state_of(held).delivered
        failed: dict[str, str] = {}
        for way, send in self._ways.items():
            if sent.get(way) == findings:
                continue
            is_sent = True
            try:
                tries = send(digest, clock)
            except (Retryable, Final, InputError) as exc:
                is_sent = isinstance(exc, MailPartlyRefused)
                failed[way] = str(exc)
                log.warning("the digest of %s could not be sent by %s: %s", digest.night, way, exc)
            else:
                log.info("the digest of %s was sent by %s in %d tries", digest.night, way, tries)
            self._note(digest, way, findings if is_sent else None, failed.get(way), store)
        return failed

    def _note(self, digest: Digest, way: str, findings: str | None, why: str | None, store: Store) -> None:
        def noted(text: str) -> str:
            state = NightState.model_validate_json(text)
            delivered = state.delivered | ({way: findings} if findings else {})
            undelivered = {k: v for k, v in state.undelivered.items() if k != way} | ({way: why} if why else {})
            return state.model_copy(update={"delivered": delivered, "undelivered": undelivered}).model_dump_json()

        try:
            patiently(lambda: store.change_night(digest.night, noted), time.sleep)
        except StoreError as exc:
            log.warning("that the digest of %s was sent by %s could not be noted: %s", digest.night, way, exc)


def receivers(settings: Settings, *, webhook: str | None = None, secret: str | None = None) -> Receivers:
    """Read from the settings who gets digests; `webhook` and `secret` go before them. Raises InputError."""
    url = webhook or settings.webhook
    if url is not None:
        check_url(url, link_local=settings.link_local)
    held = settings.webhook_secret.get_secret_value() if settings.webhook_secret else None
    return Receivers(
        webhook=url,
        secret=secret or held,
        box=mailbox(settings),
        timeout_s=settings.http_timeout_s,
        link_local=settings.link_local,
    )


def _findings(digest: Digest) -> str:
    """Name what a digest says, whatever the night took: the same findings are sent once."""
    return sha256(digest.model_dump_json(exclude={"cost"}).encode()).hexdigest()[:24]
