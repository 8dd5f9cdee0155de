"""The lab's own page about its HTTP interface, drawn from its OpenAPI description: nothing is loaded from anywhere."""

from html import escape
from typing import Any

_STYLE = (
    "body{font:1rem/1.5 system-ui,sans-serif;max-width:48rem;margin:2rem auto;padding:0 1rem;color-scheme:light dark}"
    "code{font:.95em ui-monospace,monospace}h2{margin-top:2rem;font-size:1.1rem}"
    "dt{margin-top:.3rem}dd{margin-left:2rem}"
)


def docs(schema: dict[str, Any]) -> str:
    """Give the page for an OpenAPI description."""
    info = schema["info"]
    parts = [
        f"<h1>{escape(info['title'])} {escape(info['version'])}</h1><p>{escape(info.get('description', ''))}</p>",
        '<p>For programs: <a href="openapi.json">openapi.json</a>. All but <code>/health</code> need the header '
        "<code>Authorization: Bearer RETEST_LAB_TOKEN</code>.</p>",
    ]
    for path, methods in schema["paths"].items():
        for method, told in methods.items():
            parts.append(f"<h2><code>{method.upper()} {escape(path)}</code></h2>")
            parts.append(f"<p>{escape(told.get('description', ''))}</p>")
            fields = [(p["name"], p["in"], p.get("description", "")) for p in told.get("parameters", [])]
            parts.append(
                _list([(name, f"{about} ({where})".strip()) for name, where, about in fields + _body(told, schema)])
            )
            answers = told.get("responses", {})
            parts.append(_list([(status, answer.get("description", "")) for status, answer in answers.items()]))
    head = '<meta charset="utf-8"><meta name="viewport" content="width=device-width">'
    head += f"<title>{escape(info['title'])}</title>"
    return (
        f'<!doctype html><html lang="en"><head>{head}<style>{_STYLE}</style></head><body>{"".join(parts)}</body></html>'
    )


def _list(told: list[tuple[str, str]]) -> str:
    rows = "".join(f"<dt><code>{escape(name)}</code></dt><dd>{escape(about)}</dd>" for name, about in told)
    return f"<dl>{rows}</dl>" if rows else ""


def _body(told: dict[str, Any], schema: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Give the fields of the body, those of its parts below them."""
    content = told.get("requestBody", {}).get("content", {}).get("application/json", {})
    return _fields(content.get("schema", {}), schema, "")


def _fields(shape: dict[str, Any], schema: dict[str, Any], under: str) -> list[tuple[str, str, str]]:
    name = shape.get("$ref", "").rpartition("/")[2]
    found = schema["components"]["schemas"][name] if name else shape
    told = []
    for field, of in found.get("properties", {}).items():
        kind = "" if field in found.get("required", []) else "optional; "
        kind += str(of.get("type", "")) or "see openapi.json"
        told += [(f"{under}{field}", "body", kind)] if "$ref" not in of else _fields(of, schema, f"{under}{field}.")
    return told
