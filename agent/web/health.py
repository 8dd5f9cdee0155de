"""Whether the server is alive, and whether it can answer: for a load balancer, without a token."""

from importlib.metadata import PackageNotFoundError, version

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from agent.web.door import door_of
from claims.errors import RetestError

router = APIRouter(tags=["server"])


class Health(BaseModel):
    """`GET /health`."""

    status: str = "ok"
    version: str


def installed_version() -> str:
    """Give the version of retest."""
    try:
        return version("retest")
    except PackageNotFoundError:
        return "0"


@router.get("/health")
def health() -> Health:
    """Tell that the server answers; nothing else is looked at."""
    return Health(version=installed_version())


@router.get("/ready", responses={503: {"description": "the store cannot be opened or read"}})
def ready(request: Request) -> JSONResponse:
    """Tell whether the store can be read. The reason why not is in the log, since anybody may ask this."""
    try:
        status = door_of(request).store.schema_status()
    except RetestError as exc:
        return JSONResponse({"status": "not ready", "store": type(exc).__name__}, status_code=503)
    is_current = status.is_current
    return JSONResponse(
        {"status": "ok" if is_current else "not ready", "store": "ok" if is_current else "another schema"},
        status_code=200 if is_current else 503,
    )
