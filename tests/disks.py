"""Disks as small, and file systems as closed, as a test needs them: in a mount namespace of the command alone."""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

NEEDED = (
    "no `unshare` on the PATH: it is part of util-linux. Who is not root needs a kernel that lets users make "
    "namespaces (sysctl kernel.unprivileged_userns_clone=1; in a container --cap-add SYS_ADMIN)"
)


def on_a_small_disk(folder: Path, size: str) -> Sequence[str]:
    """What stands before a command so that it finds a disk of this size in `folder`."""
    return _apart(f'mount -t tmpfs -o size={size} none "{folder}"')


def where_only(folder: Path) -> Sequence[str]:
    """What stands before a command so that nothing but `folder`, which is empty then, can be written to: no root, no
    folder for temporary files.
    """
    closed = "for one in $(awk '{print $5}' /proc/self/mountinfo); do mount -o remount,bind,ro \"$one\" || true; done"
    return _apart(f'({closed}) 2>/dev/null; mount -t tmpfs none "{folder}"')


def seen_by(pid: int, folder: Path) -> Path:
    """The folder as the process finds it."""
    return Path(f"/proc/{pid}/root{folder}")


def fill(file: Path) -> None:
    """Take all room that is left on the disk."""
    with file.open("wb", buffering=0) as filler:
        while True:
            try:
                filler.write(b"x" * 4096)
            except OSError:
                return


def _apart(mounts: str) -> Sequence[str]:
    assert shutil.which("unshare"), NEEDED
    who = [] if os.getuid() == 0 else ["--user", "--map-root-user"]
    return ["unshare", *who, "--mount", "--propagation", "private", "sh", "-ec", f'{mounts}\nexec "$@"', "sh"]
