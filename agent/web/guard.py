"""What every request passes before a handler sees it, and what every answer carries.

In this order: the name it was called by, how often the client asks, who it is, how large the body is, and whether a
foreign page sent it. State-changing requests of browsers must come from our own page (Sec-Fetch-Site, else Origin) and
carry the token of its forms; a bearer token is enough by itself, since no foreign page can add one.
Source: https://cheatsheetseries.owasp.org/cheatsheets/Cross-Site_Request_Forgery_Prevention_Cheat_Sheet.html.
"""

import hmac
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import quote, urlsplit

from fastapi import HTTPException, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from markupsafe import escape

from agent.settings import Settings
from agent.web.callers import Caller, Desk, Identity, allowed_hosts, host_of
from agent.web.keys import Keys
from agent.web.problems import HEADERS, answer, is_page
from agent.web.rate import Rate

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that change nothing."""

OPEN = frozenset({"/health", "/ready", "/login", "/favicon.ico"})
"""Paths that need nobody signed in, beside the files of `STYLE`."""

STYLE = ("/static/", "/style/")
"""Where files are that the sign-in page needs: the same for everybody."""

ACTION_COST = 10
"""Requests that one action counts for."""

LOGINS_A_MINUTE = 10
"""Tries at the token that one client has."""

CSRF_FIELD = "csrf_token"
CSRF_HEADER = "x-csrf-token"


class Guard:
    """The outermost layer of the application."""

    def __init__(self, app: App, *, settings: Settings, keys: Keys, desk: Desk) -> None:
        self._app = app
        self._keys = keys
        self._desk = desk
        self._hosts = allowed_hosts(settings)
        self._rate = Rate(settings.web_rate)
        self._logins = Rate(LOGINS_A_MINUTE)
        self._most = int(settings.web_upload_mib * 1024 * 1024)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer why not."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        caller = self._desk.caller(request)
        scope["scheme"] = caller.scheme
        scope.setdefault("state", {})
        name = self._keys.cookie_name("csrf")
        held = request.cookies.get(name, "")
        is_ours = self._keys.is_csrf(held)
        token = held if is_ours else self._keys.csrf()
        request.state.csrf_token = token
        request.state.user = None
        request.state.https = caller.scheme == "https"
        sets_cookie = not is_ours and is_page(request) and request.method in SAFE

        async def dressed(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = list(message.get("headers", []))
                there = {key.lower() for key, _ in headers}
                headers += [(k.encode(), v.encode()) for k, v in HEADERS.items() if k.encode() not in there]
                if caller.scheme == "https":
                    headers.append((b"strict-transport-security", b"max-age=31536000"))
                if sets_cookie:
                    headers.append((b"set-cookie", cookie(name, token, https=caller.scheme == "https").encode()))
                message["headers"] = headers
            await send(message)

        refusal = self._refusal(request, caller, held if is_ours else None)
        if refusal is None:
            body = await self._body(request, receive)
            if isinstance(body, Response):
                refusal = body
            else:
                await self._app(scope, body, dressed)
                return
        await refusal(scope, receive, dressed)

    def _refusal(self, request: Request, caller: Caller, csrf: str | None) -> Response | None:
        """Say why a request is not passed on; None when it is."""
        if self._hosts is not None and not (caller.hosts and all(host_of(h) in self._hosts for h in caller.hosts)):
            named = caller.hosts[-1][:80] if caller.hosts else "no name"
            return answer(
                request,
                400,
                f"this page is not called {named!r}; RETEST_WEB_HOSTS names what it is called",
                kind="host",
            )
        path = request.url.path
        is_action = request.method not in SAFE
        if not path.startswith(STYLE) and path not in ("/health", "/ready"):
            wait = self._rate.take(caller.address, ACTION_COST if is_action else 1)
            if not wait and path == "/login" and is_action:
                wait = self._logins.take(caller.address)
            if wait:
                seconds = str(int(wait) + 1)
                return answer(
                    request, 429, f"slower, please: wait {seconds} s", headers={"Retry-After": seconds}, kind="rate"
                )
        identity = self._desk.identity(request, caller)
        if identity is None and path not in OPEN and not path.startswith(STYLE):
            return self._sign_in(request)
        identity = identity or Identity(None)
        request.state.user = identity.user
        return self._foreign(request, caller, identity, csrf, is_action=is_action)

    def _sign_in(self, request: Request) -> Response:
        if not self._desk.has_token:
            return answer(request, 401, "the proxy in front of this page has to sign you in, and named nobody")
        if is_page(request) and request.method in SAFE:
            target = request.url.path + (f"?{request.url.query}" if request.url.query else "")
            if request.headers.get("sec-fetch-site") == "cross-site":
                return _come_again(target)
            return RedirectResponse(f"/login?next={quote(target, safe='')}", status_code=303)
        return answer(
            request, 401, "a bearer token is needed (RETEST_WEB_TOKEN)", headers={"WWW-Authenticate": "Bearer"}
        )

    def _foreign(
        self, request: Request, caller: Caller, identity: Identity, csrf: str | None, *, is_action: bool
    ) -> Response | None:
        """Refuse what a page of somebody else made a browser send."""
        if identity.by_bearer:
            return None
        site = request.headers.get("sec-fetch-site")
        is_navigation = request.headers.get("sec-fetch-mode") == "navigate"
        if not is_action:
            if site in ("cross-site", "same-site") and request.url.path.startswith("/api/") and not is_navigation:
                return answer(request, 403, "another site's page may not read this", kind="cross-site")
            return None
        origin = request.headers.get("origin")
        if site is not None:
            is_own = site in ("same-origin", "none")
        else:
            is_own = origin is None or _netloc(origin) in {host.lower() for host in caller.hosts}
        if not is_own:
            return answer(request, 403, "another site's page may not change anything here", kind="cross-site")
        ours = {self._keys.cookie_name(what) for what in ("csrf", "session")}
        if is_page(request) or not ours & request.cookies.keys():
            return None  # a form's token is in its body, which `check_form` reads; a script carries no cookies
        given = request.headers.get(CSRF_HEADER, "")
        if csrf is None or not _same(given, csrf):
            return answer(
                request, 403, f"the header {CSRF_HEADER} is missing or wrong; load the page again", kind="csrf"
            )
        return None

    async def _body(self, request: Request, receive: Receive) -> Receive | Response:
        """Read a body that is small enough, whatever its header says of it; else say that it is not."""
        stated = request.headers.get("content-length", "0")
        body = b""
        is_large = not stated.isdigit() or int(stated[:20]) > self._most
        while not is_large:
            message = await receive()
            body += message.get("body", b"")
            is_large = len(body) > self._most
            if message["type"] != "http.request" or not message.get("more_body"):
                break
        if is_large:
            limit = f"{self._most / 1024 / 1024:g} MiB"
            return answer(request, 413, f"a body may have {limit} (RETEST_WEB_UPLOAD_MIB)", kind="too-large")
        pending: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

        async def replay() -> Message:
            return pending.pop() if pending else await receive()

        return replay


async def check_form(request: Request) -> None:
    """Refuse a form that does not carry the token of our page. For every route that a form is sent to."""
    if request.method in SAFE:
        return
    keys: Keys = request.app.state.keys
    held = request.cookies.get(keys.cookie_name("csrf"), "")
    given: Any = request.headers.get(CSRF_HEADER) or (await request.form()).get(CSRF_FIELD)
    if not keys.is_csrf(held) or not isinstance(given, str) or not _same(given, held):
        raise HTTPException(403, "the form is too old, or cookies are off: go back, load the page again, and send it")


def _come_again(target: str) -> Response:
    """Make a browser that follows a link of another site ask once more, from a page of ours.

    It keeps back the cookie of who is signed in (SameSite=Strict) when it comes from elsewhere: from a mail, say.
    """
    path = quote(target, safe="/?&=%+:,;@~!$*'()-._")
    body = f'<!doctype html><title>retest</title><a href="{escape(path)}">Go on</a>'
    return HTMLResponse(body, headers={"Refresh": f"0; url={path}"})


def cookie(name: str, value: str, *, https: bool, max_age: int | None = None) -> str:
    """Write a cookie that scripts cannot read and other sites cannot make a browser send."""
    secure = "; Secure" if https else ""
    age = f"; Max-Age={max_age}" if max_age is not None else ""
    return f"{name}={value}; Path=/; HttpOnly; SameSite=Strict{age}{secure}"


def _netloc(origin: str) -> str | None:
    try:
        return urlsplit(origin).netloc.lower() or None
    except ValueError:
        return None


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode("utf-8", "surrogateescape"), other.encode("utf-8", "surrogateescape"))
