"""Draws a page from a template of `agent/web/templates`. Autoescape is always on; nothing here lets markup through."""

from functools import cache
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from claims.report import html, numbers, phrases, view
from claims.report.text import visible


@cache
def environment() -> Environment:
    """Give the Jinja2 environment of the pages, with the filters and words that the reports use."""
    env = Environment(
        loader=PackageLoader("agent.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    shared = html.environment(html.PAGES)
    env.filters |= {name: shared.filters[name] for name in ("words", "marked", "plot")} | {"visible": visible}
    env.globals |= {"numbers": numbers, "phrases": phrases, "MEANING": view.MEANING}
    return env


def part(name: str, **context: Any) -> Markup:
    """Draw a template that is a part of a page."""
    return Markup(environment().get_template(name).render(context))  # noqa: S704 # our own template, autoescaped


def page(request: Request, name: str, *, status: int = 200, **context: Any) -> HTMLResponse:
    """Draw a template.

    Beside `context` every template has `request`, `path` (of this page), `csrf_token` (for the hidden field
    `csrf_token` of every form that is sent by POST, and for the header `X-CSRF-Token` of scripts) and `user` (who is
    signed in: a name, or None when nobody needs to sign in).
    """
    held = {
        "request": request,
        "path": request.url.path,
        "csrf_token": getattr(request.state, "csrf_token", ""),
        "user": getattr(request.state, "user", None),
    }
    return HTMLResponse(environment().get_template(name).render(held | context), status_code=status)
