"""How often one client may ask: a bucket of tokens for each, filled at a steady rate."""

import ipaddress
import threading
import time
from collections import OrderedDict

MOST_CLIENTS = 10_000
"""Buckets that are kept; the ones unused for longest are forgotten, which fills them."""


class Rate:
    """Buckets by client. Safe to share between threads."""

    def __init__(self, per_minute: int) -> None:
        self._size = float(per_minute)
        self._per_second = per_minute / 60
        self._lock = threading.Lock()
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, client: str, cost: float = 1.0) -> float:
        """Take from a client's bucket and give 0, or give the seconds after which it holds enough.

        What costs more than a bucket holds empties a full one.
        """
        now = time.monotonic()
        client = _network(client)
        with self._lock:
            held, at = self._buckets.pop(client, (self._size, now))
            held = min(self._size, held + (now - at) * self._per_second)
            cost = min(cost, self._size)
            wait = 0.0 if held >= cost else (cost - held) / self._per_second
            self._buckets[client] = (held if wait else held - cost, now)
            while len(self._buckets) > MOST_CLIENTS:
                self._buckets.popitem(last=False)
        return wait


def _network(client: str) -> str:
    """One household has a /64 of IPv6 addresses, and could use a new one for every request."""
    try:
        address = ipaddress.ip_address(client.partition("%")[0])
    except ValueError:
        return client[:80]
    if address.version == 6:
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)
