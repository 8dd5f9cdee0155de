"""Serves the application on an address until a signal says to stop."""

import errno
import logging
import signal
import socket
from collections.abc import Callable

import uvicorn

from agent.settings import Settings
from agent.web.app import create_app
from claims.errors import InputError

log = logging.getLogger(__name__)

GRACE_S = 3
"""Seconds that open requests have when the server stops; streams are cut off then."""


def serve(settings: Settings, *, announce: Callable[[str], None]) -> None:
    """Serve until SIGTERM or SIGINT. `announce` is told the address when it can be called.

    Jobs that are under way are asked to stop at their next step; what is left of them the next server takes up.
    Raises InputError when the address is taken, cannot be had, or would let strangers in.
    """
    app = create_app(settings)
    bound = _bind(settings.web_host, settings.web_port)
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,  # addresses may hold what people ask
        server_header=False,
        proxy_headers=False,  # `agent.web.callers` reads them, from trusted proxies alone
        ws="none",
        timeout_graceful_shutdown=GRACE_S,
        timeout_keep_alive=30,
        limit_concurrency=500,
    )
    server = uvicorn.Server(config)
    # uvicorn raises the signal that stopped it once more when it has stopped; the caller must still be returned to.
    before = {number: signal.signal(number, lambda *_: None) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        announce(_address(bound))
        server.run(sockets=[bound])
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        bound.close()


def _bind(host: str, port: int) -> socket.socket:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0][0]
        # Named as TCP, or asyncio leaves Nagle on for what it accepts, and every small answer waits 40 ms.
        bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    except OSError as exc:
        raise InputError(f"cannot serve on {host!r}: {exc.strerror or exc}") from exc
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, port))
        bound.listen(2048)
    except OSError as exc:
        bound.close()
        if exc.errno == errno.EADDRINUSE:
            raise InputError(
                f"port {port} of {host} is taken, perhaps by another `retest serve`; --port 0 takes any free one"
            ) from exc
        raise InputError(f"cannot serve on {host}:{port}: {exc.strerror or exc}") from exc
    return bound


def _address(bound: socket.socket) -> str:
    host, port = bound.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 # shown, not bound
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
