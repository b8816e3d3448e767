"""The private Redis of an installation that names none: which binary, with which arguments, and where it is reached.

It listens on a Unix socket in the data folder and on no port. Nothing that it holds matters (RQ's jobs can be lost at
any moment), so it writes nothing to disk and throws away what has not been used longest rather than refuse a job.
"""

import hashlib
import os
import shutil
import stat
import tempfile
from pathlib import Path
from urllib.parse import quote

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from gateway.errors import RedisMissingError

BINARIES = ("redis-server", "valkey-server")

ADVICE = (
    "install one (Debian, Ubuntu: `apt-get install redis-server`; macOS: `brew install redis`; `valkey-server` does as "
    "well), or set REDIS_URL to one that runs, like redis://127.0.0.1:6379/0"
)

LONGEST_SOCKET_PATH = 100
"""Bytes. The kernel's limit is 108 on Linux and 104 on macOS, the closing zero included (unix(7), unix(4))."""

MEMORY = "64mb"
"""Some 100,000 waiting jobs, where a busy gateway has a few dozen."""


def command(data: Path) -> list[str]:
    """The command line of the private Redis of this data folder, to be run in the foreground; its folder is made.

    Raises RedisMissingError where the machine has no binary.
    """
    program = binary()
    if program is None:
        raise RedisMissingError(f"no Redis on this machine: {ADVICE}")
    folder = _private_folder(data / "redis")
    return [
        program,
        *("--port", "0"),
        *("--unixsocket", str(_socket(data)), "--unixsocketperm", "700"),
        *("--daemonize", "no", "--dir", str(folder), "--logfile", str(folder / "redis.log"), "--loglevel", "warning"),
        *("--save", "", "--appendonly", "no"),
        *("--databases", "1", "--maxmemory", MEMORY, "--maxmemory-policy", "allkeys-lru"),
    ]


def url(data: Path) -> str:
    """Where the private Redis of this data folder is reached once it runs."""
    return f"unix://{quote(str(_socket(data)))}"


def running_url(data: Path) -> str | None:
    """The same address if a server answers there now, else None."""
    if not _socket(data).exists():
        return None
    try:
        with redis.Redis(unix_socket_path=str(_socket(data)), socket_timeout=2, retry=Retry(NoBackoff(), 0)) as server:
            server.ping()
    except (redis.ConnectionError, redis.TimeoutError):
        return None
    return url(data)


def binary() -> str | None:
    """The program that is run; None where the machine has none."""
    return next((found for name in BINARIES if (found := shutil.which(name))), None)


def _socket(data: Path) -> Path:
    """In the data folder, or in a private folder beneath the temporary one where that path is too long for a socket."""
    in_data = data.absolute() / "redis" / "redis.sock"
    if len(os.fsencode(in_data)) <= LONGEST_SOCKET_PATH:
        return in_data
    name = hashlib.sha256(os.fsencode(data.absolute())).hexdigest()[:16]
    return _private_folder(Path(tempfile.gettempdir()) / f"lumail-gateway-{os.getuid()}-{name}") / "redis.sock"


def _private_folder(folder: Path) -> Path:
    """Made with mode 0700. One that others own is refused: a temporary folder is everybody's to write in."""
    folder = folder.absolute()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise RedisMissingError(f"{folder} belongs to somebody else: remove it, or set REDIS_URL")
    folder.chmod(0o700)
    return folder
