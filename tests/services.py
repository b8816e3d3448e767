"""The real Redis and the real PostgreSQL that tests run against, started by the tests and gone with them."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import psycopg

from gateway.runtime import private_redis
from tests.waiting import eventually

POSTGRES_MISSING = (
    "no PostgreSQL server programs (initdb, postgres) on the PATH or under /usr/lib/postgresql: "
    "install them (Debian, Ubuntu: `apt-get install postgresql`; macOS: `brew install postgresql@17`)"
)

LENT_POSTGRES = "GATEWAY_TESTS_POSTGRES"
"""The variable that names the folder of a cluster which somebody else runs for these tests."""


@contextmanager
def redis_server(data: Path) -> Iterator[str]:
    """The private Redis of this data folder, run; its URL."""
    process = subprocess.Popen(private_redis.command(data))
    try:
        yield eventually(lambda: private_redis.running_url(data), what="Redis answers")
    finally:
        process.kill()
        process.wait()


@dataclass(frozen=True)
class Postgres:
    """A running cluster that takes connections on a socket in `folder` from anybody on this machine."""

    folder: Path
    mine: str = "test"
    """How the names of the databases begin that this process makes."""
    start: "Callable[[], subprocess.Popen[bytes]]" = field(default=lambda: _of_another(), repr=False)
    running: "list[subprocess.Popen[bytes]]" = field(default_factory=list, repr=False)
    """The one server that runs, or none; always none where it was lent."""
    numbers: Iterator[int] = field(default_factory=count)

    def begin(self) -> None:
        server = self.start()
        self.running.append(server)
        eventually(lambda: _answers(self, server), what="PostgreSQL answers")

    def stop(self) -> None:
        server = self.running.pop()
        server.send_signal(signal.SIGQUIT)  # at once, but not without giving its shared memory back
        server.wait()

    @contextmanager
    def away(self) -> Iterator[None]:
        """While the block lasts it is down, as after a crash."""
        self.stop()
        try:
            yield
        finally:
            self.begin()

    def url(self, database: str) -> str:
        return f"postgresql+psycopg://postgres@/{database}?host={self.folder}"

    def connect(self, database: str = "postgres") -> "psycopg.Connection[tuple[object, ...]]":
        return psycopg.connect(host=str(self.folder), user="postgres", dbname=database, autocommit=True)

    @contextmanager
    def database(self, template: str = "template1") -> Iterator[str]:
        """A new database, dropped at the end; its name. A template that has tables saves their making."""
        name = f"{self.mine}_{next(self.numbers)}"
        with self.connect() as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        try:
            yield name
        finally:
            with self.connect() as connection:
                connection.execute(f"DROP DATABASE {name} WITH (FORCE)")

    def empty(self, database: str) -> None:
        """Nobody uses it any more, and its tables are as they were made."""
        with self.connect(database) as connection:
            connection.execute(_LET_GO)
            connection.execute(_EMPTY)


_LET_GO = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
_EMPTY = """
    DO $$ DECLARE one record; BEGIN
        FOR one IN SELECT relname, pg_relation_size(oid) AS size FROM pg_class
            WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
                AND relname NOT IN ('alembic_version', 'marks')
        LOOP
            IF one.size > 500000 THEN EXECUTE format('TRUNCATE %I', one.relname);
            ELSIF one.size > 0 THEN EXECUTE format('DELETE FROM %I', one.relname); END IF;
        END LOOP;
        DELETE FROM marks WHERE name <> 'oldest schema';
    END $$
"""
"""To delete a few rows is quicker, but leaves the pages of many rows behind."""


@contextmanager
def postgres_server(*, durable: bool = False) -> Iterator[Postgres]:
    """A new cluster. Only a `durable` one waits for the disk, which a test of crashes of the machine would need."""
    programs = postgres_programs()
    # Not pytest's folder: only its owner may enter that, and its path may be too long for a socket.
    folder = Path(tempfile.mkdtemp(prefix="gateway-pg-"))
    owner = _unprivileged()
    if owner is not None:
        os.chown(folder, owner.pw_uid, owner.pw_gid)
    try:
        _run(
            owner,
            folder,
            programs / "initdb",
            *("--pgdata", folder / "data", "--username", "postgres", "--auth", "trust"),
            *("--encoding", "UTF8", "--no-locale", "--no-sync", "--no-instructions"),
        )
        postgres = Postgres(folder, start=lambda: _start(owner, folder, programs, durable=durable))
        try:
            postgres.begin()
            yield postgres
        finally:
            postgres.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def postgres_programs() -> Path:
    on_path = shutil.which("initdb")
    installed = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[4]), reverse=True
    )
    for initdb in ([Path(on_path).resolve()] if on_path else []) + installed:
        if (initdb.parent / "postgres").exists():
            return initdb.parent
    raise AssertionError(POSTGRES_MISSING)


def _unprivileged() -> pwd.struct_passwd | None:
    """Whom to run PostgreSQL as, which refuses root; None is whoever runs the tests."""
    if os.getuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with suppress(KeyError):
            return pwd.getpwnam(name)
    raise AssertionError("the tests run as root, PostgreSQL refuses root, and there is no user postgres or nobody")


def _run(owner: pwd.struct_passwd | None, folder: Path, *command: str | Path) -> None:
    done = subprocess.run(
        command,
        cwd=folder,
        user=owner and owner.pw_uid,
        group=owner and owner.pw_gid,
        extra_groups=[] if owner else None,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def _start(
    owner: pwd.struct_passwd | None, folder: Path, programs: Path, *, durable: bool
) -> "subprocess.Popen[bytes]":
    settings = {
        "listen_addresses": "",
        "unix_socket_directories": str(folder),
        "max_connections": "200",
        "shared_buffers": "32MB",
        "autovacuum": "on" if durable else "off",
        "fsync": "on" if durable else "off",
        "full_page_writes": "on" if durable else "off",
    }
    with (folder / "log").open("ab") as log:
        return subprocess.Popen(
            [
                str(programs / "postgres"),
                "-D",
                str(folder / "data"),
                *(f"--{name}={value}" for name, value in settings.items()),
            ],
            cwd=folder,
            user=owner and owner.pw_uid,
            group=owner and owner.pw_gid,
            extra_groups=[] if owner else None,
            stdout=log,
            stderr=log,
        )


def _of_another() -> "subprocess.Popen[bytes]":
    raise AssertionError("this server was lent: who needs one to stop and start runs one")


def _answers(postgres: Postgres, server: "subprocess.Popen[bytes]") -> bool:
    assert server.poll() is None, (postgres.folder / "log").read_text()
    with suppress(psycopg.OperationalError):
        postgres.connect().close()
        return True
    return False


@contextmanager
def pgbouncer(postgres: Postgres) -> Iterator[Callable[[str], str]]:
    """A pooler that lends few connections by transaction and takes no start-up parameter that it does not know; it
    gives the URL of a database through it.
    """
    program = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
    assert program, "no pgbouncer on the PATH: install it (Debian, Ubuntu: `apt-get install pgbouncer`)"
    folder = Path(tempfile.mkdtemp(prefix="gateway-pb-"))
    owner = _unprivileged()
    port = free_port()
    settings = folder / "pgbouncer.ini"
    settings.write_text(
        f"[databases]\n* = host={postgres.folder} user=postgres\n"
        f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = any\n"
        "pool_mode = transaction\ndefault_pool_size = 3\nmax_client_conn = 200\n"
    )
    if owner is not None:
        os.chown(folder, owner.pw_uid, owner.pw_gid)
        os.chown(settings, owner.pw_uid, owner.pw_gid)
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(
            [program, str(settings)],
            cwd=folder,
            user=owner and owner.pw_uid,
            group=owner and owner.pw_gid,
            extra_groups=[] if owner else None,
            stdout=log,
            stderr=log,
        )
    try:
        eventually(lambda: _listens(port), what=f"pgbouncer listens: {(folder / 'log').read_text()}")
        yield lambda name: f"postgresql://gateway@127.0.0.1:{port}/{name}"
    finally:
        process.kill()
        process.wait()
        shutil.rmtree(folder, ignore_errors=True)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
