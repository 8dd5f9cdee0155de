"""Digests of the nightly refresh, in every format, and their feed."""

from datetime import date, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel

from agent.web.api.paging import Page, PageDep, Tagged, paged
from agent.web.api.reports import POLICY
from agent.web.api.words import no_night
from agent.web.door import StoreDep
from claims.digest import Digest
from claims.report.digest import DigestFormat, atom, render_digest

router = APIRouter(route_class=Tagged, tags=["digests"])

MOST_NIGHTS = 400
"""Nights that are listed; more than a year of them."""

IN_FEED = 30

MEDIA = {
    DigestFormat.MARKDOWN: "text/markdown; charset=utf-8",
    DigestFormat.HTML: "text/html; charset=utf-8",
    DigestFormat.JSON: "application/json",
    DigestFormat.ATOM: "application/atom+xml",
}
_TYPES: dict[int | str, dict[str, Any]] = {200: {"content": {media.partition(";")[0]: {} for media in MEDIA.values()}}}


class Night(BaseModel):
    """One refresh in the list."""

    night: date
    headline: str
    is_quiet: bool
    """nothing changed and nothing went wrong"""
    changes: int
    problems: int
    finished_at: datetime | None


@router.get("/digests", response_model=Page[Night])
def digests(request: Request, response: Response, store: StoreDep, page: PageDep) -> dict[str, Any]:
    """List the refreshes that were finished, newest first."""
    held = [(Digest.model_validate_json(h.digest), h.finished_at) for h in store.nights(MOST_NIGHTS) if h.digest]
    nights = [
        Night(
            night=d.night,
            headline=d.headline,
            is_quiet=d.is_quiet,
            changes=len(d.changes) + len(d.first),
            problems=len(d.problems),
            finished_at=at,
        )
        for d, at in held
    ]
    nights.sort(key=lambda one: one.night, reverse=True)
    return paged(nights, page, request, response)


@router.get("/digests/feed", response_class=Response, responses={200: {"content": {"application/atom+xml": {}}}})
def feed(request: Request, store: StoreDep) -> Response:
    """Give the newest digests as an Atom feed."""
    held = store.nights(IN_FEED)
    nights = [Digest.model_validate_json(one.digest) for one in held if one.digest]
    told_at = {one.night: one.finished_at for one in held if one.finished_at}
    url, pages = str(request.url.replace(query="")), f"{request.base_url}digests/"
    text = atom(nights, url=url, pages=pages, told_at=told_at)
    return Response(text, media_type=MEDIA[DigestFormat.ATOM])


@router.get("/digests/{night}", response_class=Response, responses=_TYPES)
def digest(night: date, store: StoreDep, format: Annotated[DigestFormat, Query()] = DigestFormat.JSON) -> Response:
    """Give the digest of one night. Raises NotHeld when there was no refresh on that day, or it is not over."""
    held = store.night(night)
    if held is None or held.digest is None:
        raise no_night(str(night))
    text = render_digest(Digest.model_validate_json(held.digest), format, told_at=held.finished_at)
    return Response(text, media_type=MEDIA[format], headers={"Content-Security-Policy": POLICY})
