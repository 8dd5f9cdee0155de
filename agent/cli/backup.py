"""`retest backup` and `retest restore`: everything that is held, as one file, for either database."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from agent.cli.output import console, json_option, print_json, set_up_logging

if TYPE_CHECKING:
    from claims.backup import BackupInfo


@click.command("backup")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@json_option
@click.pass_context
def backup(ctx: click.Context, file: Path, as_json: bool) -> int:
    """Write everything that is held to FILE. It appears complete or not at all."""
    set_up_logging(ctx.obj["debug"])
    from agent.settings import load_settings
    from agent.wiring import open_store
    from claims.backup import backup as take

    with open_store(load_settings()) as store:
        info = take(store, file)
    _tell(f"wrote {file}", info, as_json)
    return 0


@click.command("restore")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@json_option
@click.pass_context
def restore(ctx: click.Context, file: Path, as_json: bool) -> int:
    """Fill an empty database (RETEST_HOME or RETEST_DATABASE_URL) from a backup FILE, all or nothing."""
    set_up_logging(ctx.obj["debug"])
    from agent.settings import load_settings
    from claims.backup import restore as fill

    _tell(f"restored {file}", fill(load_settings().store_url, file), as_json)
    return 0


def _tell(done: str, info: "BackupInfo", as_json: bool) -> None:
    document: dict[str, Any] = {"revision": info.revision, "taken_at": info.taken_at.isoformat(), "rows": info.rows}
    if as_json:
        print_json(document)
    else:
        console().print(f"{done}: {info.n_rows:,} rows, schema {info.revision}, taken {info.taken_at:%Y-%m-%d %H:%M}Z")
