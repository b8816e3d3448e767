"""What fails besides processes: the database stops, is locked, has no room; Redis stands still for a while."""

import random
import sqlite3
import subprocess
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
    """A small disk that processes started `within` find, and that others reach by `folder`."""

    within: Sequence[str]
    folder: Path
    """As it is seen by the processes."""
    seen: Path
    """As it is seen from here."""


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


def locked_file(file: Path) -> Outage:
    """Another program has SQLite's file for itself."""

    @contextmanager
    def outage() -> Iterator[None]:
        stranger = sqlite3.connect(file, isolation_level=None, timeout=20)
        try:
            with suppress(sqlite3.OperationalError):  # it has no room to lock, or is locked already
                stranger.execute("BEGIN EXCLUSIVE")
            yield
        finally:
            stranger.close()

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
