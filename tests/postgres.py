"""A PostgreSQL cluster of the suite's own: made in a temporary folder, gone with the process that made it."""

import contextlib
import ctypes
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_OWNER = "postgres"
"""PostgreSQL refuses to run as root, so root's tests run it as this user."""


class NoPostgres(Exception):
    """Why there is none."""


def find_binaries() -> Path:
    """Find the folder of `initdb` and `postgres`, newest version first. Raises NoPostgres."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: int(p.parent.name), reverse=True)
    on_path = shutil.which("postgres")
    for folder in [*found, *([Path(on_path).parent] if on_path else [])]:
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder
    raise NoPostgres("no PostgreSQL server binaries (looked in /usr/lib/postgresql/*/bin and on PATH)")


class Cluster:
    """A running cluster that listens on a Unix socket only."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def url(self, database: str) -> str:
        """Give the SQLAlchemy URL of a database."""
        return f"postgresql+psycopg://{_OWNER}@/{database}?host={self.folder}"

    def create_database(self, *, like: str = "template1") -> str:
        """Make a database, empty or a copy of another one that nobody is connected to, and give its URL."""
        name = f"t_{secrets.token_hex(6)}"
        self._admin(f'CREATE DATABASE "{name}" TEMPLATE "{like}"')
        return self.url(name)

    def drop_database(self, url: str) -> None:
        """Drop a database, whoever is still connected."""
        self._admin(f'DROP DATABASE IF EXISTS "{database_of(url)}" WITH (FORCE)')

    def _admin(self, statement: str) -> None:
        import psycopg

        with psycopg.connect(host=str(self.folder), user=_OWNER, dbname="postgres", autocommit=True) as connection:
            connection.execute(statement.encode())


def database_of(url: str) -> str:
    """Give the name of the database in a cluster's URL."""
    return url.split("@/")[1].split("?")[0]


@contextmanager
def running_cluster() -> Iterator[Cluster]:
    """Make a cluster, run it, and remove it. Raises NoPostgres when it cannot be had here."""
    try:
        import psycopg
    except ModuleNotFoundError as exc:
        raise NoPostgres("psycopg is not installed (extra `postgres`)") from exc
    binaries = find_binaries()
    folder = Path(tempfile.mkdtemp(prefix="retest-pg-"))
    as_owner: dict[str, str] = {}
    if os.geteuid() == 0:
        try:
            shutil.chown(folder, _OWNER, _OWNER)
        except LookupError as exc:
            folder.rmdir()
            raise NoPostgres(f"running as root, and there is no user {_OWNER!r} to run it as") from exc
        as_owner = {"user": _OWNER, "group": _OWNER}
    data = folder / "data"
    server: subprocess.Popen[bytes] | None = None
    try:
        made = subprocess.run(
            [binaries / "initdb", "-D", data, "-U", _OWNER, "-A", "trust", "-E", "UTF8", "--no-sync", "--locale=C"],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
            **as_owner,
        )
        if made.returncode:
            raise NoPostgres(f"initdb failed: {made.stderr.strip()[-300:]}")
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(folder),
            "fsync": "off",
            "synchronous_commit": "off",
            "full_page_writes": "off",
            "max_connections": "200",
            "shared_buffers": "64MB",
        }
        log = (folder / "log").open("wb")
        server = subprocess.Popen(
            [binaries / "postgres", "-D", data, *(f"--{k}={v}" for k, v in settings.items())],
            cwd=folder,
            stdout=log,
            stderr=log,
            preexec_fn=_die_with_parent,
            **as_owner,
        )
        log.close()
        deadline = time.monotonic() + 60
        while True:
            try:
                psycopg.connect(host=str(folder), user=_OWNER, dbname="postgres").close()
                break
            except psycopg.OperationalError as exc:
                if server.poll() is not None or time.monotonic() > deadline:
                    raise NoPostgres(f"it did not start: {(folder / 'log').read_text()[-300:]}") from exc
                time.sleep(0.05)
        yield Cluster(folder)
    finally:
        if server is not None and server.poll() is None:
            server.send_signal(signal.SIGQUIT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                server.wait(20)
        shutil.rmtree(folder, ignore_errors=True)


def _die_with_parent() -> None:
    # Linux only, where a killed test run would otherwise leave the server behind; elsewhere a no-op.
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(1, signal.SIGQUIT)
