"""Whether this ledger is still the one that it was: a copy or a restored backup must not deliver what its original did.

Once a minute a new random mark is written into the ledger and into a small file: beside the database where that is a
file, else in the data folder. A ledger without its file, or with a mark that is not the file's newest, was copied or
restored. PostgreSQL also tells which database it is, so a folder that is new there is only another machine.
"""

import json
import os
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from sqlalchemy import Connection, delete, insert, select, text
from sqlalchemy.exc import DBAPIError

from gateway.errors import ConfigError, LedgerUnavailableError
from gateway.ledger.database import Ledger
from gateway.ledger.scheduling import pauses
from gateway.ledger.scheduling.pauses import Pause
from gateway.ledger.schema import marks
from gateway.ledger.status import PauseKind

MARKS = "marks"
"""The writer lock under which marks are looked at and renewed."""

SANDBOX, LIVE = "sandbox", "live"


@dataclass(frozen=True)
class _Note:
    """What the file holds. `newest` are the marks that the ledger may have: the newest, and the one before it, since
    the file is written before the ledger commits.

    `inode` is the file's own: a copy has another.
    """

    ledger: str
    folder: str
    newest: tuple[str, ...]
    inode: int = 0


def recognise(ledger: Ledger, data: Path, destinations: Iterable[str], *, sandbox: bool) -> str | None:
    """Look whether this is the ledger that it was, and renew its mark. Where it is not, its destinations are paused
    until somebody resumes them; the reason is returned.

    Raises ConfigError where the ledger is a sandbox's and should be live, or the other way round.
    """
    names = list(destinations)
    with ledger.write([MARKS, *names]) as connection:
        known = {row.name: row.value for row in connection.execute(select(marks))}
        kind = SANDBOX if sandbox else LIVE
        if known.get("kind", kind) != kind:
            raise ConfigError(
                f"this ledger is {_said(known['kind'])} and can't be used {_said(kind)}: events of the one must never "
                "go to the other. Name another data folder with --data, or another database with DATABASE_URL."
            )
        file, place = _file(ledger, data), _place(ledger, connection)
        note = _read(file)
        reason = None if "kind" not in known else _strange(known, note, place, is_file=ledger.is_sqlite)
        if reason is not None:
            now = ledger.now(connection)
            for name in names:
                pauses.begin(connection, name, Pause(None, PauseKind.LEDGER_COPIED), now)
        _renew(connection, file, known, note if reason is None else None, {"kind": kind, "place": place})
    return reason


def _said(kind: str) -> str:
    return "a sandbox's" if kind == SANDBOX else "live"


def _strange(known: Mapping[str, str], note: _Note | None, place: str, *, is_file: bool) -> str | None:
    """Why this can't be the ledger that it was; None where it is."""
    if known["place"] != place:
        return "its database is another than before"
    if note is None or note.ledger != known["ledger"]:
        return "it was not made or last used here" if is_file else None
    mark = known.get(f"folder:{note.folder}")
    if mark not in note.newest:
        return "it is older than what was last seen of it here"
    return None


def _renew(
    connection: Connection, file: Path, known: Mapping[str, str], note: _Note | None, values: Mapping[str, str]
) -> None:
    identity = known.get("ledger") or secrets.token_hex(16)
    folder = note.folder if note is not None and note.ledger == identity else secrets.token_hex(8)
    mark = secrets.token_hex(16)
    former = known.get(f"folder:{folder}")
    _write(file, _Note(identity, folder, (mark,) if former is None else (mark, former)))
    rows = {**values, "ledger": identity, f"folder:{folder}": mark}
    connection.execute(delete(marks).where(marks.c.name.in_(list(rows))))
    connection.execute(insert(marks), [{"name": name, "value": value} for name, value in rows.items()])


def _file(ledger: Ledger, data: Path) -> Path:
    if ledger.is_sqlite:
        database = Path(str(ledger.engine.url.database))
        return database.with_name(database.name + ".mark")
    return data / "ledger.mark"


def _place(ledger: Ledger, connection: Connection) -> str:
    """What tells a database server's database from its copies; a file has its note for that."""
    if ledger.is_sqlite:
        return "file"
    oid = connection.execute(text("SELECT oid FROM pg_database WHERE datname = current_database()")).scalar_one()
    try:
        with connection.begin_nested():
            system = connection.execute(text("SELECT system_identifier FROM pg_control_system()")).scalar_one()
    except DBAPIError:
        return f"database {oid}"  # whoever hosts it does not let us ask
    return f"database {oid} of {system}"


def _read(file: Path) -> _Note | None:
    try:
        found = json.loads(file.read_text())
        note = _Note(found["ledger"], found["folder"], tuple(found["newest"]), found["inode"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return note if note.inode == file.stat().st_ino else None


def _write(file: Path, note: _Note) -> None:
    """The same file is written again and again, since another would have another inode."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            content = json.dumps({**asdict(note), "inode": os.fstat(descriptor).st_ino}).encode().ljust(512)
            os.pwrite(descriptor, content, 0)
            os.ftruncate(descriptor, len(content))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise LedgerUnavailableError(f"{file}: can't be written: {error.strerror}") from error
