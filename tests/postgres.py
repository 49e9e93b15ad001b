"""A real PostgreSQL server for the tests, in a folder of its own, on a Unix socket."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def binaries() -> Path:
    """The folder of initdb and postgres; an error with the line to run where there is none."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    if found:
        return found[-1].parent
    postgres = shutil.which("postgres")
    if postgres is None:
        raise RuntimeError("PostgreSQL is missing. Run: apt-get install -y postgresql")
    return Path(postgres).parent


def _unprivileged() -> list[str]:
    # PostgreSQL refuses to run as root; Debian's package brings the user.
    return ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.getuid() == 0 else []


@contextmanager
def postgres_server() -> Iterator[str]:
    """Start a server; yields the address of its `postgres` database without a database name."""
    folder = Path(tempfile.mkdtemp(prefix="botyard-pg-", dir="/tmp"))
    if os.getuid() == 0:
        shutil.chown(folder, "postgres", "postgres")
    data, run = folder / "data", _unprivileged()
    subprocess.run(
        [*run, binaries() / "initdb", "-D", data, "-U", "botyard", "-A", "trust", "-E", "UTF8",
         "--locale=C.UTF-8", "--no-sync"],
        check=True, capture_output=True, cwd=folder,
    )  # fmt: skip
    log = (folder / "log").open("w")
    server = subprocess.Popen(
        [*run, binaries() / "postgres", "-D", data, "-k", folder, "-c", "listen_addresses=", "-c",
         "fsync=off", "-c", "max_connections=200", "-c", "shared_buffers=32MB"],
        cwd=folder, stdout=log, stderr=subprocess.STDOUT,
    )  # fmt: skip
    try:
        _wait_ready(folder)
        yield f"postgresql://botyard@/postgres?host={folder}"
    finally:
        server.terminate()
        server.wait(20)
        log.close()
        shutil.rmtree(folder, ignore_errors=True)


def _wait_ready(folder: Path) -> None:
    for _ in range(200):
        done = subprocess.run(
            [binaries() / "pg_isready", "-h", folder, "-q"], check=False, capture_output=True
        )
        if done.returncode == 0:
            return
        subprocess.run(["sleep", "0.05"], check=True)
    raise RuntimeError((folder / "log").read_text()[-2000:])
