"""Digests of the nightly refresh: the list, one night, and a feed."""

from datetime import date

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse

from agent.web.door import StoreDep
from agent.web.render import page
from claims.digest import Digest
from claims.errors import InputError, NotHeld
from claims.report.digest import DigestFormat, atom, render_digest, section
from claims.store import Store

router = APIRouter()

MOST_NIGHTS = 60
"""Nights in the list and in the feed."""

_MEDIA = {
    DigestFormat.MARKDOWN: "text/markdown; charset=utf-8",
    DigestFormat.JSON: "application/json",
    DigestFormat.ATOM: "application/atom+xml",
}


@router.get("/digests")
def digests(request: Request, store: StoreDep) -> HTMLResponse:
    """List the nights, newest first."""
    return page(request, "digests.html", digests=_digests(store))


@router.get("/digests.atom")
def feed(request: Request, store: StoreDep) -> Response:
    """Give the nights as a feed."""
    address, pages = str(request.url.replace(query="")), f"{request.base_url}digests/"
    told_at = {held.night: held.finished_at for held in store.nights(MOST_NIGHTS) if held.finished_at}
    text = atom(_digests(store), url=address, pages=pages, told_at=told_at)
    return Response(text, media_type=_MEDIA[DigestFormat.ATOM])


@router.get("/digests/{night}")
def digest(request: Request, night: str, store: StoreDep, format: str = "") -> Response:
    """Show one night. Raises NotHeld for a day without one."""
    try:
        held = store.night(date.fromisoformat(night))
    except ValueError as exc:
        raise NotHeld("digest of", night[:40]) from exc
    if held is None or held.digest is None:
        raise NotHeld("digest of", night)
    read = Digest.model_validate_json(held.digest)
    if format:
        if format not in _MEDIA:
            raise InputError(f"no digest format {format[:20]!r}: there are {', '.join(_MEDIA)}")
        return Response(render_digest(read, format, told_at=held.finished_at), media_type=_MEDIA[DigestFormat(format)])
    return page(request, "digest.html", digest=read, section=section(read), finished_at=held.finished_at)


def _digests(store: Store) -> list[Digest]:
    nights = store.nights(MOST_NIGHTS)
    read = [Digest.model_validate_json(held.digest) for held in nights if held.digest is not None]
    return sorted(read, key=lambda d: d.night, reverse=True)
