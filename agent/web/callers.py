"""Who is asking: the client's address, scheme and host, through trusted proxies, and who they are signed in as."""

import hmac
import ipaddress
from typing import Any, NamedTuple

from fastapi import Request

from agent.settings import Settings
from agent.web.keys import Keys
from claims.clock import Clock
from claims.errors import InputError


class Caller(NamedTuple):
    """One request's other side."""

    address: str
    """of the client; a proxy that is not trusted is the client"""
    scheme: str
    """`http` or `https`, as the client sees it"""
    hosts: tuple[str, ...]
    """what the client may have called us by: the Host header, and what a trusted proxy forwards"""
    user: str | None
    """named by a trusted proxy that signs people in"""


class Identity(NamedTuple):
    """Who a request is from."""

    user: str | None
    """a name for the page; None when nobody needs to sign in"""
    by_bearer: bool = False
    """signed in by a header that a foreign page cannot make a browser send"""


class Desk:
    """Tells who is asking, by one installation's settings."""

    def __init__(self, settings: Settings, keys: Keys, clock: Clock) -> None:
        self._settings = settings
        self._keys = keys
        self._clock = clock
        self._proxies = [ipaddress.ip_network(text, strict=False) for text in settings.web_proxies]
        self._token = settings.web_token.get_secret_value() if settings.web_token else None

    @property
    def is_open(self) -> bool:
        """Whether nobody needs to sign in."""
        return self._token is None and self._settings.web_proxy_header is None

    @property
    def has_token(self) -> bool:
        """Whether a person can sign in with a token."""
        return self._token is not None

    def caller(self, request: Request) -> Caller:
        """Read where a request comes from. Forwarded headers are believed only from a trusted proxy."""
        peer = request.client.host if request.client else ""
        hosts = tuple(request.headers.getlist("host")[:1])
        scheme = str(request.scope.get("scheme", "http"))
        if not self._is_proxy(peer):
            return Caller(peer, scheme, hosts, None)
        headers = request.headers
        hops = [hop.strip() for hop in ",".join(headers.getlist("x-forwarded-for")).split(",") if hop.strip()]
        address = next((hop for hop in reversed(hops) if not self._is_proxy(hop)), peer)
        forwarded = headers.get("x-forwarded-proto", scheme).rpartition(",")[2].strip().lower()
        host = headers.get("x-forwarded-host", "").rpartition(",")[2].strip()
        named = headers.getlist(self._settings.web_proxy_header) if self._settings.web_proxy_header else []
        # Two values mean that one was passed through from the client.
        user = named[0].strip()[:200] if len(named) == 1 else ""
        return Caller(
            address[:80],
            forwarded if forwarded in ("http", "https") else scheme,
            (*hosts, *((host,) if host else ())),
            user or None,
        )

    def identity(self, request: Request, caller: Caller) -> Identity | None:
        """Tell who a request is from; None when they have to sign in first."""
        if self._token is not None:
            kind, _, given = request.headers.get("authorization", "").partition(" ")
            if kind.lower() == "bearer" and self.is_token(given.strip()):
                return Identity("bearer", by_bearer=True)
            cookie = request.cookies.get(self._keys.cookie_name("session"), "")
            if cookie and self._keys.is_session(cookie, self._token, self._clock.now()):
                return Identity("token")
        if caller.user is not None:
            return Identity(caller.user)
        return Identity(None) if self.is_open else None

    def is_token(self, given: str) -> bool:
        """Tell whether a text is the token, in the same time whatever it is."""
        expected = (self._token or "").encode()
        return self._token is not None and hmac.compare_digest(given.encode("utf-8", "surrogateescape"), expected)

    def new_session(self) -> str:
        """Make the cookie of somebody who gave the token."""
        assert self._token is not None, "is_token came first"
        return self._keys.session(self._token, self._clock.now())

    def _is_proxy(self, address: str) -> bool:
        try:
            parsed: Any = ipaddress.ip_address(address.partition("%")[0])
        except ValueError:
            return False
        parsed = getattr(parsed, "ipv4_mapped", None) or parsed
        return any(parsed.version == network.version and parsed in network for network in self._proxies)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a server bound to `host`."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def check_exposure(settings: Settings) -> None:
    """Refuse settings that would let strangers in. Raises InputError that says what to set."""
    if settings.web_proxy_header and not settings.web_proxies:
        raise InputError(
            "RETEST_WEB_PROXY_HEADER needs RETEST_WEB_PROXIES: without the proxy's address anybody could name a user"
        )
    if not is_loopback(settings.web_host) and not settings.web_token and not settings.web_proxy_header:
        raise InputError(
            f"refusing to serve on {settings.web_host} where others reach it: set RETEST_WEB_TOKEN (`openssl rand -hex "
            "24` makes one), or RETEST_WEB_PROXY_HEADER and RETEST_WEB_PROXIES behind a proxy that signs people in, or "
            "keep to 127.0.0.1"
        )


def allowed_hosts(settings: Settings) -> frozenset[str] | None:
    """Give the names by which the page may be called; None for any.

    On loopback a foreign name is a page of somebody else whose name was pointed at this machine (DNS rebinding).
    Elsewhere nobody gets in by the address alone, so that any name will do unless some are set.
    """
    if not settings.web_hosts and not is_loopback(settings.web_host):
        return None
    own = {settings.web_host.lower()} if is_loopback(settings.web_host) else set()
    return frozenset({"127.0.0.1", "localhost", "::1", *own, *(name.lower() for name in settings.web_hosts)})


def host_of(header: str) -> str:
    """Give the name in a Host header, without the port."""
    if header.startswith("["):
        return header[1:].partition("]")[0].lower()
    return header.partition(":")[0].lower().rstrip(".")
