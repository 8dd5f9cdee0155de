"""Sends a digest by e-mail: text and HTML in one message, over TLS, and again when the server is away."""

import logging
import smtplib
import ssl
import time
from base64 import b64encode
from collections.abc import Callable
from email.message import EmailMessage
from email.utils import format_datetime
from hashlib import sha256
from pathlib import Path
from typing import Literal, NamedTuple

from agent.errors import Final, Retryable
from agent.settings import Settings
from claims.clock import Clock
from claims.digest import Digest
from claims.errors import InputError
from claims.report.digest import render_digest

log = logging.getLogger(__name__)

TRIES = 4
PORTS = {"starttls": 587, "tls": 465, "none": 25}
LOOPBACK = ("127.0.0.1", "localhost", "::1")


class MailUnreachable(Retryable):
    """The mail server did not take the digest; the digest is held, and can be sent again."""


class MailRefused(Final):
    """The mail server said no: to the login, to a recipient, to the message."""


class MailPartlyRefused(MailRefused):
    """The mail server took the digest for some recipients, and refused others."""


class Mailbox(NamedTuple):
    """Where digests go, and through which server."""

    to: tuple[str, ...]
    sender: str
    host: str
    port: int
    tls: Literal["starttls", "tls", "none"]
    ca: Path | None = None
    user: str | None = None
    password: str | None = None
    timeout_s: float = 20.0

    def __repr__(self) -> str:
        return f"Mailbox({', '.join(self.to)} by {self.host}:{self.port}, {self.tls})"


def mailbox(settings: Settings) -> Mailbox | None:
    """Read where digests go; None when no mail is wanted. Raises InputError when half of it is said."""
    if not settings.mail_to and not settings.smtp_host:
        return None
    if not settings.mail_to or not settings.smtp_host:
        missing = "RETEST_SMTP_HOST" if settings.mail_to else "RETEST_MAIL_TO"
        raise InputError(f"digests are to be sent by e-mail, but {missing} is not set")
    password = settings.smtp_password.get_secret_value() if settings.smtp_password else None
    if settings.smtp_user and password is None:
        raise InputError("RETEST_SMTP_USER is set, but RETEST_SMTP_PASSWORD is not")
    if settings.smtp_tls == "none" and settings.smtp_user and settings.smtp_host not in LOOPBACK:
        raise InputError("a password is not sent without encryption: set RETEST_SMTP_TLS to starttls or tls")
    return Mailbox(
        to=settings.mail_to,
        sender=settings.mail_from or settings.mail_to[0],
        host=settings.smtp_host,
        port=settings.smtp_port or PORTS[settings.smtp_tls],
        tls=settings.smtp_tls,
        ca=settings.smtp_ca,
        user=settings.smtp_user,
        password=password,
        timeout_s=settings.http_timeout_s,
    )


def message(digest: Digest, box: Mailbox, clock: Clock) -> EmailMessage:
    """Write the message. The same digest gives the same Message-ID, so that one that came twice is seen as one."""
    made = EmailMessage()
    made["Subject"] = f"retest {digest.night}: {digest.headline}"
    made["From"] = box.sender
    made["To"] = ", ".join(box.to)
    made["Date"] = format_datetime(clock.now())
    of_digest = sha256(digest.model_dump_json().encode()).hexdigest()[:24]
    made["Message-ID"] = f"<{digest.night}.{of_digest}@{box.sender.rpartition('@')[2]}>"
    made["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office answers
    made.set_content(render_digest(digest, "md"))
    made.add_alternative(render_digest(digest, "html"), subtype="html")
    return made


def mail_digest(digest: Digest, box: Mailbox, clock: Clock, *, sleep: Callable[[float], None] = time.sleep) -> int:
    """Send a digest and give how many tries it took. Waits 1, 2 and 4 s between tries.

    Raises MailRefused (a 5xx answer, a certificate that is not trusted, no STARTTLS) and MailUnreachable. Where some of
    several recipients are refused the others get it, and MailPartlyRefused names the refused ones.
    """
    made = message(digest, box, clock)
    why = ""
    for n in range(1, TRIES + 1):
        try:
            refused = _send(made, box)
        except ssl.SSLCertVerificationError as exc:
            raise MailRefused(f"the certificate of {box.host} is not trusted: {exc.verify_message}") from exc
        except smtplib.SMTPNotSupportedError as exc:
            raise MailRefused(f"{box.host} cannot do what is needed: {_said(exc)}") from exc
        except smtplib.SMTPRecipientsRefused as exc:
            why = "; ".join(f"{to}: {_answer(*said)}" for to, said in exc.recipients.items())
            if all(code >= 500 for code, _ in exc.recipients.values()):
                raise MailRefused(f"{box.host} refused every recipient: {why}") from exc
        except smtplib.SMTPResponseException as exc:
            why = _answer(exc.smtp_code, exc.smtp_error)
            if exc.smtp_code >= 500:
                raise MailRefused(f"{box.host} refused the digest: {why}") from exc
        except (OSError, smtplib.SMTPException) as exc:
            why = _said(exc)
        else:
            if refused:
                who = "; ".join(f"{to}: {_answer(*said)}" for to, said in refused.items())
                raise MailPartlyRefused(f"{box.host} took the digest, but refused {who}")
            return n
        log.info("mail, try %d of %d: %s", n, TRIES, why)
        if n < TRIES:
            sleep(2.0 ** (n - 1))
    raise MailUnreachable(f"{box.host} did not take the digest in {TRIES} tries: {why}")


def _send(made: EmailMessage, box: Mailbox) -> dict[str, tuple[int, bytes]]:
    """Send once, and give the recipients that were refused."""
    trusted = ssl.create_default_context(cafile=box.ca)
    if box.tls == "tls":
        server: smtplib.SMTP = smtplib.SMTP_SSL(box.host, box.port, timeout=box.timeout_s, context=trusted)
    else:
        server = smtplib.SMTP(box.host, box.port, timeout=box.timeout_s)
    with server:
        if box.tls == "starttls":
            server.starttls(context=trusted)
        if box.user and box.password is not None:
            _login(server, box.user, box.password)
        return server.send_message(made)


def _login(server: smtplib.SMTP, user: str, password: str) -> None:
    if user.isascii() and password.isascii():
        server.login(user, password)
        return
    # smtplib's own login knows ASCII only; RFC 4616 has UTF-8.
    server.ehlo_or_helo_if_needed()
    code, said = server.docmd("AUTH", "PLAIN " + b64encode(f"\0{user}\0{password}".encode()).decode())
    if code not in (235, 503):
        raise smtplib.SMTPAuthenticationError(code, said)


def _answer(code: int, said: bytes | str) -> str:
    text = said.decode(errors="replace") if isinstance(said, bytes) else said
    return f"{code} {' '.join(text.split())[:200]}"


def _said(exc: Exception) -> str:
    return " ".join(str(exc).split())[:200] or type(exc).__name__
