"""A ledger that is not the one that it was delivers nothing until somebody resumes."""

import shutil
from pathlib import Path

import pytest
from sqlalchemy import delete, select

from gateway.errors import ConfigError
from gateway.ledger.database import Ledger
from gateway.ledger.migration import migrate
from gateway.ledger.outbox import restore_guard
from gateway.ledger.schema import marks, pauses
from gateway.ledger.status import PauseKind
from tests.making import add_destinations, rows


def recognised(ledger: Ledger, data: Path, *, sandbox: bool = False) -> str | None:
    return restore_guard.recognise(ledger, data, ["main", "other"], sandbox=sandbox)


def paused(ledger: Ledger) -> list[tuple[object, ...]]:
    return rows(ledger, pauses, "scope", "name", "kind", "until")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "var"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A ledger's database in a folder that is all its own."""
    path = tmp_path / "first" / "gateway.db"
    ledger = Ledger(f"sqlite:///{path}")
    migrate(ledger)
    add_destinations(ledger, "main", "other")
    recognised(ledger, path.parent)
    ledger.close()
    return path


def test_a_ledger_recognises_itself_at_every_look(ledger: Ledger, data: Path) -> None:
    assert [recognised(ledger, data) for _ in range(4)] == [None] * 4
    assert paused(ledger) == []


def test_several_processes_look_in_turn(ledger: Ledger, data: Path) -> None:
    second = Ledger(ledger.url)
    assert [recognised(one, data) for one in (ledger, second, second, ledger)] == [None] * 4
    second.close()


def test_a_mark_that_was_written_but_not_committed_is_recognised(ledger: Ledger, data: Path) -> None:
    recognised(ledger, data)
    with ledger.read() as connection:
        before = connection.execute(select(marks.c.name, marks.c.value)).all()
    recognised(ledger, data)
    with ledger.write([restore_guard.MARKS]) as connection:  # as if the second look's transaction had been lost
        connection.execute(delete(marks))
        connection.execute(marks.insert(), [row._asdict() for row in before])
    assert recognised(ledger, data) is None


def test_a_backup_that_is_restored_is_noticed_once_and_stands_still(ledger: Ledger, data: Path) -> None:
    recognised(ledger, data)
    with ledger.read() as connection:
        backup = connection.execute(select(marks.c.name, marks.c.value)).all()
    for _ in range(3):
        recognised(ledger, data)
    with ledger.write([restore_guard.MARKS]) as connection:
        connection.execute(delete(marks))
        connection.execute(marks.insert(), [row._asdict() for row in backup])
    assert recognised(ledger, data) == "it is older than what was last seen of it here"
    assert paused(ledger) == [("destination", name, PauseKind.LEDGER_COPIED, None) for name in ("main", "other")]
    assert recognised(ledger, data) is None
    assert len(paused(ledger)) == 2


@pytest.mark.parametrize("whole_folder", [True, False])
def test_a_copy_of_the_file_or_of_its_folder_is_noticed(file: Path, tmp_path: Path, whole_folder: bool) -> None:
    copied = tmp_path / "second"
    if whole_folder:
        shutil.copytree(file.parent, copied)
    else:
        copied.mkdir()
        shutil.copy(file, copied / "gateway.db")
    copy, original = Ledger(f"sqlite:///{copied / 'gateway.db'}"), Ledger(f"sqlite:///{file}")
    assert recognised(copy, copied) == "it was not made or last used here"
    assert recognised(original, file.parent) is None
    copy.close()
    original.close()


def test_a_folder_that_is_moved_is_no_copy(file: Path, tmp_path: Path) -> None:
    moved = file.parent.rename(tmp_path / "moved")
    ledger = Ledger(f"sqlite:///{moved / 'gateway.db'}")
    assert recognised(ledger, moved) is None
    ledger.close()


def test_another_machine_may_join_a_database_server(postgresql_url: str, tmp_path: Path) -> None:
    ledger = Ledger(postgresql_url)
    migrate(ledger)
    add_destinations(ledger, "main", "other")
    looks = [recognised(ledger, tmp_path / machine) for machine in ("one", "two", "one", "two", "three", "one")]
    assert looks == [None] * 6
    ledger.close()


def test_a_copy_on_a_database_server_is_noticed(postgresql_url: str, tmp_path: Path) -> None:
    ledger = Ledger(postgresql_url)
    migrate(ledger)
    add_destinations(ledger, "main", "other")
    recognised(ledger, tmp_path)
    with ledger.write([restore_guard.MARKS]) as connection:
        connection.execute(marks.update().where(marks.c.name == "place").values(value="database 1 of 2"))
    assert recognised(ledger, tmp_path) == "its database is another than before"
    ledger.close()


@pytest.mark.parametrize("sandbox", [True, False])
def test_the_sandboxs_ledger_and_the_live_one_are_never_taken_for_each_other(
    ledger: Ledger, data: Path, sandbox: bool
) -> None:
    recognised(ledger, data, sandbox=sandbox)
    with pytest.raises(ConfigError, match="must never go to the other"):
        recognised(ledger, data, sandbox=not sandbox)
    assert recognised(ledger, data, sandbox=sandbox) is None
