"""What the gateway writes is its user's alone, whatever the shell that started it says of new files."""

import os
import stat
from pathlib import Path

from gateway.errors import ConfigError

FOR_OTHERS = 0o077
SYSTEMS_OWN = [Path(folder) for folder in ("/", "/tmp", "/var/tmp", "/dev/shm")]  # noqa: S108  never written to


def hide_new_files() -> None:
    """To be called at the start of every process and command, before it makes a file."""
    os.umask(FOR_OTHERS)


def hide_folder(folder: Path) -> int:
    """Take from everybody else what they may do with a data folder and what is in it; how many things that were.

    Links are not followed, and what belongs to another user is left. Raises ConfigError for a folder that is not the
    gateway's own.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = folder.lstat() if not folder.is_symlink() else folder.stat()
    if is_shared(folder, found):
        raise ConfigError(f"{folder}: others use this folder; give the gateway a data folder of its own")
    changed = _hide(folder, found)
    for place, folders, files in os.walk(folder):
        for name in (*folders, *files):
            path = Path(place, name)
            try:
                changed += _hide(path, path.lstat())
            except FileNotFoundError:
                continue  # another process ended meanwhile, and took it away
    return changed


def is_shared(folder: Path, found: os.stat_result) -> bool:
    """Whether it is a folder such as /tmp; a memory disk that was just mounted looks like one, but is ours alone."""
    if folder.resolve() in SYSTEMS_OWN:
        return True
    if not (found.st_mode & stat.S_ISVTX and found.st_mode & stat.S_IWOTH):
        return False
    return {found.st_uid, *(path.lstat().st_uid for path in folder.iterdir())} != {os.geteuid()}


def _hide(path: Path, found: os.stat_result) -> int:
    mode = stat.S_IMODE(found.st_mode)
    if stat.S_ISLNK(found.st_mode) or not mode & FOR_OTHERS or found.st_uid != os.geteuid():
        return 0
    path.chmod(mode & ~FOR_OTHERS)
    return 1
