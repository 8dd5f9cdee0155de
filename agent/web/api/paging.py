"""Lists in pages, and answers that need not be sent twice.

`limit` and `offset` choose a page; the `Link` header (RFC 8288) names its neighbours. Every reading carries an ETag of
its bytes, and `If-None-Match` with it is answered 304 without a body (RFC 9110, section 13.1.2).
"""

import hashlib
from collections.abc import Callable, Coroutine, Sequence
from typing import Annotated, Any, Generic, NamedTuple, TypeVar

from fastapi import Depends, Query, Request, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.responses import StreamingResponse

T = TypeVar("T")

MAX_LIMIT = 500
MAX_OFFSET = 10_000_000
"""More than anybody holds; a database takes no larger number than 64 bits."""


class Asked(NamedTuple):
    """Which page of a list is wanted."""

    limit: int
    offset: int


def _asked(
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT, description="lines of a page")] = 50,
    offset: Annotated[int, Query(ge=0, le=MAX_OFFSET, description="lines before it")] = 0,
) -> Asked:
    return Asked(limit, offset)


PageDep = Annotated[Asked, Depends(_asked)]


class Page(BaseModel, Generic[T]):
    """One page of a list."""

    total: int
    """lines in all pages"""
    limit: int
    offset: int
    items: list[T]


def paged(items: Sequence[T], asked: Asked, request: Request, response: Response) -> dict[str, Any]:
    """Cut a page out of a whole list, and link its neighbours."""
    return cut(items[asked.offset : asked.offset + asked.limit], len(items), asked, request, response)


def cut(items: Sequence[T], total: int, asked: Asked, request: Request, response: Response) -> dict[str, Any]:
    """Give a page that was cut out already, and link its neighbours."""
    last = max(0, (total - 1) // asked.limit * asked.limit)
    places = {"first": 0, "last": last}
    if asked.offset > 0:
        places["prev"] = max(0, asked.offset - asked.limit)
    if asked.offset + asked.limit < total:
        places["next"] = asked.offset + asked.limit
    url = request.url.include_query_params(limit=asked.limit)
    # Without scheme and host, so that they hold behind any proxy.
    links = [
        f'<{url.path}?{url.include_query_params(offset=offset).query}>; rel="{name}"' for name, offset in places.items()
    ]
    response.headers["Link"] = ", ".join(links)
    return {"total": total, "limit": asked.limit, "offset": asked.offset, "items": list(items)}


class Tagged(APIRoute):
    """A route whose readings carry an ETag."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Give the handler that adds the tag."""
        handle = super().get_route_handler()

        async def tagged(request: Request) -> Response:
            response = await handle(request)
            if request.method != "GET" or response.status_code != 200 or isinstance(response, StreamingResponse):
                return response
            tag = f'"{hashlib.sha256(bytes(response.body)).hexdigest()[:32]}"'
            response.headers["ETag"] = tag
            given = request.headers.get("if-none-match", "")
            known = {one.strip().removeprefix("W/") for one in given.split(",")}
            if tag in known or given.strip() == "*":
                kept = {k: v for k, v in response.headers.items() if k in ("etag", "link", "content-security-policy")}
                return Response(status_code=304, headers=kept)
            return response

        return tagged
