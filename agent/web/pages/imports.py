"""Import of an inquiry by paste or file: what was understood is shown before anything is stored."""

from typing import Annotated

from fastapi import APIRouter, File, Form, Request, Response, UploadFile
from fastapi.responses import HTMLResponse, RedirectResponse

from agent.web.door import StoreDep
from agent.web.render import page
from claims.document import decode
from claims.errors import InputError
from claims.inquiry import parse_inquiry, read_inquiry
from claims.library import example_inquiry

router = APIRouter()

MAX_BYTES = 1_000_000
"""Of a document; the longest inquiry known has 40,000."""


@router.get("/import")
def form(request: Request, example: bool = False) -> HTMLResponse:
    """Ask for a document."""
    return page(request, "import.html", text=example_inquiry() if example else "", problem="")


@router.post("/import")
def preview(
    request: Request,
    store: StoreDep,
    text: Annotated[str, Form()] = "",
    file: Annotated[UploadFile | None, File()] = None,
) -> HTMLResponse:
    """Show what was understood of a document. Nothing is stored."""
    data = text.encode(errors="replace")
    origin = "the pasted text"
    if file is not None and file.filename:
        data = file.file.read(MAX_BYTES + 1)
        origin = file.filename[:80]
    try:
        if not data.strip():
            raise InputError("give a document: paste its text, or choose a file")
        if len(data) > MAX_BYTES:
            raise InputError(f"{origin} is longer than {MAX_BYTES:,} bytes")
        reading = read_inquiry(data, origin=origin)
    except InputError as exc:
        return page(request, "import.html", text=text, problem=str(exc), status=422)
    plain, _ = decode(data, origin=origin)
    lines = plain.split("\n")
    held = {line.claim_id for line in store.overview()}
    return page(
        request,
        "preview.html",
        inquiry=reading.inquiry,
        lines=[(n, line, reading.where.get(n)) for n, line in enumerate(lines, start=1)],
        text=plain,
        held=held,
        origin=origin,
    )


@router.post("/import/hold")
def hold(store: StoreDep, text: Annotated[str, Form()]) -> Response:
    """Hold the inquiry with its claims, and lead to them."""
    if len(text.encode(errors="replace")) > MAX_BYTES:
        raise InputError(f"the document is longer than {MAX_BYTES:,} bytes")
    inquiry = parse_inquiry(text)
    if not inquiry.claims:
        raise InputError("no claim was found in the document, so there is nothing to hold")
    store.put_inquiry(inquiry, document=text)
    return RedirectResponse(f"/?inquiry={inquiry.id}", 303)
