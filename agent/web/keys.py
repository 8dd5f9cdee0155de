"""Signs what browsers carry for us: the token of forms, and the cookie of who signed in.

The key is a file in home that its owner alone can read, so that a restart signs nobody out. A session's signature also
covers the token it was opened with: a new RETEST_WEB_TOKEN ends every session.
"""

import hashlib
import hmac
import logging
import os
import secrets
import threading
from datetime import datetime, timedelta
from pathlib import Path

log = logging.getLogger(__name__)

SESSION = timedelta(days=7)
"""How long a person stays signed in."""

KEY_BYTES = 32


class Keys:
    """One home's key. Safe to share between threads."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lock = threading.Lock()
        self._held: bytes | None = None

    def csrf(self) -> str:
        """Make a token for forms: a nonce with its signature."""
        nonce = secrets.token_hex(16)
        return f"{nonce}.{self._sign('csrf', nonce)}"

    def is_csrf(self, token: str) -> bool:
        """Tell whether a token is one of ours."""
        nonce, _, signature = token.partition(".")
        return len(token) < 200 and _same(signature, self._sign("csrf", nonce))

    def session(self, token: str, now: datetime) -> str:
        """Make a cookie for somebody who knew the token."""
        until = str(int((now + SESSION).timestamp()))
        nonce = secrets.token_hex(8)
        return f"{until}.{nonce}.{self._sign('session', until, nonce, token)}"

    def is_session(self, cookie: str, token: str, now: datetime) -> bool:
        """Tell whether a cookie was made for this token and is not too old."""
        until, _, rest = cookie[:300].partition(".")
        nonce, _, signature = rest.partition(".")
        if not _same(signature, self._sign("session", until, nonce, token)):
            return False
        return now.timestamp() < int(until)

    def cookie_name(self, what: str) -> str:
        """Name a cookie. Browsers send cookies to every port of a host, so the name tells homes apart."""
        return f"retest_{what}_{self._sign('name', what)[:8]}"

    def _sign(self, *parts: str) -> str:
        message = "\x00".join(parts).encode("utf-8", "surrogateescape")
        return hmac.new(self._key(), message, hashlib.sha256).hexdigest()

    def _key(self) -> bytes:
        with self._lock:
            if self._held is None:
                self._held = self._read_or_make()
            return self._held

    def _read_or_make(self) -> bytes:
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            try:
                handle = os.open(self._file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            except FileExistsError:
                key = self._file.read_bytes()
                if len(key) == KEY_BYTES:
                    return key
                raise OSError(f"{self._file} is no key; remove it") from None
            key = secrets.token_bytes(KEY_BYTES)
            with os.fdopen(handle, "wb") as file:
                file.write(key)
        except OSError as exc:
            log.warning("sessions end with this server, because its key cannot be kept: %s", exc)
            return secrets.token_bytes(KEY_BYTES)
        return key


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode("utf-8", "surrogateescape"), other.encode())
