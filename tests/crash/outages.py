"""What fails besides processes: the database stops, is locked, has no room; Redis stands still for a while."""

import random
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import psycopg

from tests.crash.service import Service
from tests.disks import fill, on_a_small_disk, seen_by
from tests.services import Postgres
from tests.waiting import eventually

Outage = Callable[[], AbstractContextManager[object]]
"""While it is entered something fails."""


@dataclass(frozen=True)
class Disk:
    """A small disk in `folder` that only processes started `within` find; `seen` is that folder from here.

    SQLite follows links, so it opens nothing by `seen`: whoever asks the ledger does so within, or asks a copy.
    """

    within: Sequence[str]
    folder: Path
    seen: Path

    def url(self) -> str:
        return f"sqlite:///{self.folder}/ledger.db"

    def copied(self) -> str:
        """The URL of a copy of the ledger, as it is now."""
        copy = self.folder.with_name("copy.db")
        copy.unlink(missing_ok=True)
        code = "import sqlite3, sys; sqlite3.connect(sys.argv[1], timeout=20).execute('VACUUM INTO ?', [sys.argv[2]])"
        ledger = str(self.folder / "ledger.db")
        subprocess.run(
            [*self.within, sys.executable, "-c", code, ledger, str(copy)], check=True, capture_output=True, timeout=60
        )
        return f"sqlite:///{copy}"


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Disk]:
    """It lasts as long as the block, whoever is started and ended on it."""
    folder.mkdir()
    holder = subprocess.Popen([*on_a_small_disk(folder, size), "sleep", "infinity"])
    try:
        seen = seen_by(holder.pid, folder)
        eventually(lambda: psutil.Process(holder.pid).name() == "sleep", what="the disk is there")
        # Who is not root enters the namespace of users first, in which it may.
        users = ["--user", "--preserve-credentials"] if "--user" in holder.args else []  # type: ignore[operator]  # a list
        yield Disk(("nsenter", "--target", str(holder.pid), *users, "--mount"), folder, seen)
    finally:
        holder.kill()
        holder.wait()


def full(disk: Disk) -> Outage:
    @contextmanager
    def outage() -> Iterator[None]:
        filler = disk.seen / "filler"
        fill(filler)
        try:
            yield
        finally:
            filler.unlink()

    return outage


STRANGER = """
import sqlite3, sys
ledger = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=60)
ledger.execute("BEGIN EXCLUSIVE")
print("locked", flush=True)
sys.stdin.read()
"""


def locked_file(disk: Disk) -> Outage:
    """Another program has SQLite's file for itself."""

    @contextmanager
    def outage() -> Iterator[None]:
        command = [*disk.within, sys.executable, "-c", STRANGER, str(disk.folder / "ledger.db")]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as stranger:
            assert stranger.stdout is not None
            assert stranger.stdout.readline() == "locked\n"
            yield
            stranger.kill()

    return outage


def locked_table(postgres: Postgres, database: str) -> Outage:
    @contextmanager
    def outage() -> Iterator[None]:
        with psycopg.connect(host=str(postgres.folder), user="postgres", dbname=database) as stranger:
            stranger.execute("LOCK TABLE events IN ACCESS EXCLUSIVE MODE")
            yield
            stranger.rollback()

    return outage


def silent_redis(running: Service) -> Outage:
    """It is there and answers nobody."""

    @contextmanager
    def outage() -> Iterator[None]:
        stopped = running.parts("redis")
        for process in stopped:
            with suppress(psutil.NoSuchProcess):
                process.suspend()
        try:
            yield
        finally:
            for process in stopped:
                with suppress(psutil.NoSuchProcess):
                    process.resume()

    return outage


@contextmanager
def failing(
    outages: Mapping[str, Outage], every: tuple[float, float], lasts: Mapping[str, tuple[float, float]]
) -> Iterator["Counter[str]"]:
    """While the block lasts, one after the other fails, each for its time; which did is counted."""
    ends = threading.Event()
    counted: Counter[str] = Counter()

    def fail() -> None:
        while True:
            for name in random.sample(sorted(outages), len(outages)):
                if ends.wait(random.uniform(*every)):
                    return
                with outages[name]():
                    counted[name] += 1
                    ends.wait(random.uniform(*lasts[name]))

    thread = threading.Thread(target=fail)
    thread.start()
    try:
        yield counted
    finally:
        ends.set()
        thread.join()


@contextmanager
def changing(running: Service, every: tuple[float, float], most: int, patience: float) -> Iterator["Counter[str]"]:
    """While the block lasts, settings are read again and `up` restarted every so many seconds, so often at the most."""
    ends = threading.Event()
    counted: Counter[str] = Counter()

    def change() -> None:
        while counted["restarts"] < most and not ends.wait(random.uniform(*every)):
            counted["reloads" if running.reload(patience) else "reloads that failed"] += 1
            if not ends.wait(random.uniform(*every)):
                running.restart()
                counted["restarts"] += 1

    thread = threading.Thread(target=change)
    thread.start()
    try:
        yield counted
    finally:
        ends.set()
        thread.join()
