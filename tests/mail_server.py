"""A mail server on loopback, real SMTP: it keeps what came, asks for a login, and refuses on demand.

with MailServer(tls="starttls", login=("ada", "s3cret")) as server:
    server.play("451 later")
"""

import ssl
from collections import deque
from email import message_from_bytes, policy
from email.message import EmailMessage
from functools import cache
from pathlib import Path
from typing import Any

import trustme
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session


@cache
def authority() -> trustme.CA:
    """The certificate authority of this process's tests."""
    return trustme.CA()


def trusted(folder: Path) -> Path:
    """Write the authority's certificate, for RETEST_SMTP_CA."""
    file = folder / "ca.pem"
    authority().cert_pem.write_to_path(str(file))
    return file


class MailServer:
    """The server; a context manager."""

    def __init__(
        self, tls: str = "none", *, login: tuple[str, str] | None = None, refuses: tuple[str, ...] = ()
    ) -> None:
        self.got: list[EmailMessage] = []
        self.logins: list[tuple[str, str]] = []
        """names and passwords that were sent"""
        self.encrypted: list[bool] = []
        """whether each message came encrypted"""
        self._answers: deque[str] = deque()
        self._login = login
        self._refuses = refuses
        context = None
        if tls != "none":
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            authority().issue_cert("127.0.0.1").configure_cert(context)
        options: dict[str, Any] = {"hostname": "127.0.0.1", "port": 0, "ready_timeout": 30}
        if login is not None:
            options |= {"authenticator": self._check, "auth_require_tls": False}
        if tls == "starttls":
            options |= {"tls_context": context, "require_starttls": True}
        if tls == "tls":
            options["ssl_context"] = context
        self._controller = _Controller(self, **options)

    @property
    def port(self) -> int:
        """Where it listens."""
        port: int = self._controller.server.sockets[0].getsockname()[1]
        return port

    def play(self, *answers: str) -> None:
        """Answer the next messages by these, one each."""
        self._answers.extend(answers)

    def __enter__(self) -> "MailServer":
        self._controller.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._controller.stop()

    def _check(self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
        given = (data.login.decode(), data.password.decode())
        self.logins.append(given)
        return AuthResult(success=given == self._login, handled=False)

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address in self._refuses:
            return "550 no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        if self._answers:
            return self._answers.popleft()
        content = envelope.content
        assert isinstance(content, bytes)
        made = message_from_bytes(content, policy=policy.default)
        assert isinstance(made, EmailMessage)
        self.got.append(made)
        self.encrypted.append(session.ssl is not None or server.transport.get_extra_info("sslcontext") is not None)
        return "250 OK"


class _Controller(Controller):
    def _trigger_server(self) -> None:
        # The ready-made one connects to port 0 where the port was left to the system.
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()
