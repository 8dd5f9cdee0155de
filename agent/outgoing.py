"""Keeps URLs that people configure (a webhook, a language model's server) from reaching addresses of the machine room.

A link-local address answers for the machine itself: the metadata services of clouds hand out credentials there. Every
address that a name resolves to is checked, and the connection goes to the address that was checked, so that a name
cannot change its mind in between. Loopback and private networks are allowed: a model or a receiver of one's own lives
there. Source: https://cheatsheetseries.owasp.org/cheatsheets/Server_Side_Request_Forgery_Prevention_Cheat_Sheet.html.
"""

import ipaddress
import socket
import urllib.request
from typing import Any
from urllib.parse import urlsplit

import httpx

from claims.errors import InputError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

METADATA = frozenset(
    ipaddress.ip_address(text)
    for text in (
        "100.100.100.200",  # Alibaba Cloud
        "168.63.129.16",  # Azure's wire server
        "192.0.0.192",  # Oracle Cloud, classic
        "fd00:ec2::254",  # AWS over IPv6
        "fd20:ce::254",  # Google Cloud over IPv6
    )
)
"""Metadata services that are not link-local."""

_ENDS_IN_IPV4 = tuple(map(ipaddress.ip_network, ("::/96", "64:ff9b::/96", "64:ff9b:1::/48")))
"""IPv6 that carries an IPv4 address in its last 32 bits: IPv4-compatible (RFC 4291), NAT64 (RFC 6052), and NAT64 of a
network's own (RFC 8215), which may cut its prefix at any of the lengths of RFC 6052 but is nearly always /96."""


class ForbiddenAddress(InputError):
    """A URL leads to an address that it may not reach. `host` and `address` say which."""

    def __init__(self, host: str, address: Address) -> None:
        self.host = host
        self.address = address
        super().__init__(
            f"{host[:80]!r} leads to {address}, a link-local or metadata address, and such a URL is not called; "
            "RETEST_LINK_LOCAL=true allows it"
        )


def check_url(url: str, *, link_local: bool = False) -> None:
    """Refuse a URL that leads to a link-local or metadata address. Raises InputError, ForbiddenAddress.

    A name that cannot be resolved now passes: connecting to it will say so.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as exc:
        raise InputError(f"not a web address: {url[:80]!r}") from exc
    if parts.scheme not in ("http", "https") or not host:
        raise InputError(f"not a web address: {url[:80]!r}")
    if link_local:
        return
    try:
        checked(host, port or (443 if parts.scheme == "https" else 80))
    except OSError:
        return


def checked(host: str, port: int) -> list[str]:
    """Give the addresses of a host, all of them allowed. Raises ForbiddenAddress, and OSError when it has none."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    for text in addresses:
        address = ipaddress.ip_address(text.partition("%")[0])
        if is_forbidden(address):
            raise ForbiddenAddress(host, address)
    return addresses


def is_forbidden(address: Address) -> bool:
    """Tell whether an address is link-local, of a metadata service, or nobody's; also inside an IPv6 wrapping."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if inner is None and int(address) > 1 and any(address in network for network in _ENDS_IN_IPV4):
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return is_forbidden(inner)
    return address.is_link_local or address.is_multicast or address.is_unspecified or address in METADATA


def transport_for(url: str, inner: Any, *, link_local: bool = False) -> "Guarded | None":
    """Give what checks every connection of a client for `url`; None when the client's own transport is to be used.

    inner: the transport that connects, of `httpx` or of a library with the same interface. Where an HTTP proxy is set
    in the environment the proxy resolves names and connects, so that only `check_url` can look.
    """
    parts = urlsplit(url)
    if link_local or (parts.scheme in urllib.request.getproxies() and not urllib.request.proxy_bypass(parts.netloc)):
        return None
    return Guarded(inner)


class Guarded(httpx.BaseTransport):
    """Sends each request, redirects included, to an address that was checked."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def handle_request(self, request: Any) -> Any:
        """Resolve, check, and send to the first address that answers. Raises ForbiddenAddress."""
        url = request.url
        try:
            addresses = checked(url.host, url.port or (443 if url.scheme == "https" else 80))
        except OSError:
            return self._inner.handle_request(request)  # which fails, in its own words
        for n, address in enumerate(addresses, 1):
            pinned = type(request)(
                method=request.method,
                url=url.copy_with(host=address),
                headers=request.headers,
                stream=request.stream,
                extensions={**request.extensions, "sni_hostname": url.host},
            )
            try:
                return self._inner.handle_request(pinned)
            except Exception as exc:
                # Nothing was sent yet, so the next address of the name may be tried.
                if type(exc).__name__ not in ("ConnectError", "ConnectTimeout") or n == len(addresses):
                    raise
        raise AssertionError("a name that resolves has an address")

    def close(self) -> None:
        """Close the connections."""
        self._inner.close()
