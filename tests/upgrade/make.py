"""The command `python -m tests.upgrade.make`: keeps a ledger of this version, for those that come to be tried with.

It makes the files of today's schema in `tests/upgrade/ledgers` anew: an SQLite file and the SQL of a PostgreSQL
database, both compressed. Once a version is released its files stay as they are.
"""

import lzma
import sqlite3
import subprocess
import tempfile
from pathlib import Path

from gateway.ledger.database import Ledger
from gateway.ledger.migration import migrate
from gateway.ledger.schema import SCHEMA
from tests.services import Postgres, postgres_programs, postgres_server
from tests.upgrade.filling import fill

LEDGERS = Path(__file__).with_name("ledgers")
SQLITE, POSTGRESQL = ".sqlite.xz", ".sql.xz"


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "ledger.db"
        _filled(f"sqlite:///{file}")
        with sqlite3.connect(file, isolation_level=None) as connection:
            connection.execute("PRAGMA journal_mode = DELETE")
            connection.execute("VACUUM")
        connection.close()
        _keep(SQLITE, file.read_bytes())
    with postgres_server() as server, server.database() as name:
        _filled(server.url(name))
        _keep(POSTGRESQL, _dumped(server, name))


def _filled(url: str) -> None:
    ledger = Ledger(url)
    migrate(ledger)
    fill(ledger)
    ledger.close()


def _keep(kind: str, content: bytes) -> None:
    file = LEDGERS / f"{SCHEMA}{kind}"
    file.write_bytes(lzma.compress(content, preset=9 | lzma.PRESET_EXTREME))
    print(f"{file}: {file.stat().st_size} bytes, {len(content)} unpacked")


def _dumped(server: Postgres, name: str) -> bytes:
    """SQL alone: no words of psql, and no settings that another version of PostgreSQL may not know."""
    told = subprocess.run(
        [
            postgres_programs() / "pg_dump",
            *("--host", str(server.folder), "--username", "postgres", "--no-owner", "--no-privileges"),
            *("--inserts", "--rows-per-insert", "100", name),
        ],
        check=True,
        capture_output=True,
    ).stdout
    lines = told.splitlines(keepends=True)
    return b"".join(one for one in lines if not one.startswith((b"\\restrict", b"\\unrestrict", b"SET ")))


if __name__ == "__main__":
    main()
