"""Signing in with the token, and out again."""

from typing import Annotated

from fastapi import APIRouter, Depends, Form, Query, Request
from fastapi.responses import RedirectResponse, Response

from agent.web.callers import Desk
from agent.web.guard import check_form, cookie
from agent.web.keys import SESSION, Keys
from agent.web.render import page

router = APIRouter(include_in_schema=False, dependencies=[Depends(check_form)])


@router.get("/login")
def show(request: Request, next: Annotated[str, Query(max_length=2000)] = "/") -> Response:
    """Ask for the token."""
    if not _desk(request).has_token:
        return RedirectResponse("/", status_code=303)
    return page(request, "login.html", wrong=None, next=local(next))


@router.post("/login")
def sign_in(
    request: Request,
    token: Annotated[str, Form(max_length=1000)] = "",
    next: Annotated[str, Form(max_length=2000)] = "/",
) -> Response:
    """Open a session for who knows the token."""
    desk = _desk(request)
    if not desk.has_token:
        return RedirectResponse("/", status_code=303)
    if not desk.is_token(token):
        return page(request, "login.html", status=401, wrong="That is not the token.", next=local(next))
    response = RedirectResponse(local(next), status_code=303)
    age = int(SESSION.total_seconds())
    value = cookie(_name(request), desk.new_session(), https=request.state.https, max_age=age)
    response.headers.append("set-cookie", value)
    return response


@router.post("/logout")
def sign_out(request: Request) -> Response:
    """End the session in this browser."""
    response = RedirectResponse("/login", status_code=303)
    response.headers.append("set-cookie", cookie(_name(request), "", https=request.state.https, max_age=0))
    return response


def local(target: str) -> str:
    """Keep a path of ours; anything that a browser could read as another site becomes the first page."""
    is_path = target.startswith("/") and not target.startswith(("//", "/\\")) and target.isprintable()
    return target if is_path and "\\" not in target else "/"


def _desk(request: Request) -> Desk:
    desk: Desk = request.app.state.desk
    return desk


def _name(request: Request) -> str:
    keys: Keys = request.app.state.keys
    return keys.cookie_name("session")
