"""`retest serve`: the web page and the JSON API."""

import logging
import os
import sys
from typing import Any

import click

from agent.cli.output import console, json_option, print_json, set_up_logging


@click.command("serve")
@click.option("--host", help="Address to listen on. Default: RETEST_WEB_HOST, which is loopback.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port; 0 for any free one. Default: RETEST_WEB_PORT.")
@json_option
@click.pass_context
def serve(ctx: click.Context, host: str | None, port: int | None, as_json: bool) -> int:
    """Serve the web page and the JSON API until Ctrl-C.

    On an address that others reach it refuses to start without RETEST_WEB_TOKEN, or RETEST_WEB_PROXY_HEADER behind a
    proxy that signs people in.
    """
    set_up_logging(ctx.obj["debug"])
    from agent.settings import load_settings
    from agent.web.serve import serve as serve_web

    given: dict[str, Any] = {"web_host": host, "web_port": port}
    settings = load_settings(**{name: value for name, value in given.items() if value is not None})

    def announce(url: str) -> None:
        if as_json:
            print_json({"url": url, "api": f"{url}/api/v1", "pid": os.getpid()})
        else:
            out = console()
            out.print(f"retest serves {url}  (API: {url}/api/v1/docs)", soft_wrap=True)
            out.print(f"data in {settings.home}; Ctrl-C stops it", soft_wrap=True)
        sys.stdout.flush()

    serve_web(settings, announce=announce)
    console(stderr=True).print("stopped; what was under way goes on with the next start")
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    # Past the threads of jobs that did not reach a step: their claims are checkpointed.
    os._exit(0)
