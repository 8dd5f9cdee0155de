"""`retest mcp`: serve what is held, and the two actions, to a model's client over the Model Context Protocol."""

import click

from agent.cli.output import set_up_logging
from claims.errors import InputError


@click.command("mcp")
@click.option("--http", is_flag=True, help="Streamable HTTP on loopback instead of stdio.")
@click.option("--port", type=click.IntRange(1, 65535), default=8766, show_default=True, help="For --http.")
@click.option("--read-only", is_flag=True, help="Offer no tool that searches, judges or runs experiments.")
@click.pass_context
def mcp(ctx: click.Context, http: bool, port: int, read_only: bool) -> int:
    """Serve MCP over stdio: list, show, ask, search evidence, ground ids, report; re-test and run experiments."""
    set_up_logging(ctx.obj["debug"])
    from agent.settings import load_settings

    try:
        from agent.mcp import build_server
    except ImportError as exc:
        raise InputError("the MCP server needs its package: pip install 'retest[mcp]'") from exc
    from agent.wiring import open_store
    from claims.clock import SystemClock

    settings = load_settings()
    clock = SystemClock()
    with open_store(settings, clock) as store:
        server = build_server(store, settings, clock, read_only=read_only)
        if http:
            server.run("streamable-http", host="127.0.0.1", port=port)
        else:
            server.run("stdio")
    return 0
