"""The API's own page, drawn from its OpenAPI description: nothing is loaded from anywhere, and no script is needed."""

from typing import Any, NamedTuple

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from agent.web.render import page

router = APIRouter(include_in_schema=False)


class Parameter(NamedTuple):
    """One parameter of an operation."""

    name: str
    where: str
    """`path`, `query` or `header`"""
    kind: str
    required: bool
    about: str


class Operation(NamedTuple):
    """One operation."""

    method: str
    path: str
    summary: str
    about: str
    parameters: list[Parameter]
    body: list[Parameter]
    answers: list[tuple[str, str]]
    """status and what it means"""


@router.get("/docs")
def docs(request: Request) -> HTMLResponse:
    """Show every operation with its parameters and answers."""
    schema: dict[str, Any] = request.app.openapi()
    groups: dict[str, list[Operation]] = {}
    for path, methods in schema["paths"].items():
        for method, told in methods.items():
            groups.setdefault(told.get("tags", ["other"])[0], []).append(_operation(method, path, told, schema))
    return page(request, "api.html", info=schema["info"], groups=groups, schema_url=request.app.openapi_url)


def _operation(method: str, path: str, told: dict[str, Any], schema: dict[str, Any]) -> Operation:
    first, _, rest = told.get("description", "").partition("\n")
    return Operation(
        method.upper(),
        path,
        first,
        rest.strip(),
        [
            Parameter(
                p["name"], p["in"], _kind(p["schema"], schema), p.get("required", False), p.get("description", "")
            )
            for p in told.get("parameters", [])
        ],
        _body(told, schema),
        [(status, answer.get("description", "")) for status, answer in told.get("responses", {}).items()],
    )


def _body(told: dict[str, Any], schema: dict[str, Any]) -> list[Parameter]:
    content = told.get("requestBody", {}).get("content", {}).get("application/json")
    if content is None:
        return []
    shape = _resolved(content["schema"], schema)
    required = shape.get("required", [])
    return [
        Parameter(name, "body", _kind(field, schema), name in required, field.get("description", ""))
        for name, field in shape.get("properties", {}).items()
    ]


def _resolved(shape: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    options = [o for o in shape.get("anyOf", []) if o.get("type") != "null"]
    if options:
        shape = options[0]
    name = shape.get("$ref", "").rpartition("/")[2]
    found: dict[str, Any] = schema["components"]["schemas"][name] if name else shape
    return found


def _kind(shape: dict[str, Any], schema: dict[str, Any]) -> str:
    found = _resolved(shape, schema)
    if "enum" in found:
        return " | ".join(str(value) for value in found["enum"])
    if found.get("type") == "array":
        return f"list of {_kind(found.get('items', {}), schema)}"
    kind = str(found.get("format") or found.get("type") or "any")
    return f"{kind}, default {shape['default']}" if shape.get("default") not in (None, "", []) else kind
