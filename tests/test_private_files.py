"""Nobody else reads what the gateway keeps."""

import subprocess
import sys
from pathlib import Path

from gateway.runtime.private_files import hide_folder, is_shared

FOR_OTHERS = 0o077
OPEN = "open('{}/file', 'w').close()"


def open_to_others(folder: Path) -> list[str]:
    return sorted(str(path) for path in (folder, *folder.rglob("*")) if path.lstat().st_mode & FOR_OTHERS)


def test_a_command_makes_files_for_its_user_alone_whatever_the_shell_says(tmp_path: Path) -> None:
    folder = tmp_path / "made"
    script = "from gateway.cli import main; import pathlib; main(['adapters', 'new', '--help'], standalone_mode=False)"
    argv = [sys.executable, "-c", f"{script}; pathlib.Path({str(folder)!r}).mkdir(); {OPEN.format(folder)}"]
    subprocess.run(argv, check=True, umask=0, stdout=subprocess.DEVNULL)
    assert (open_to_others(folder), [path.name for path in folder.iterdir()]) == ([], ["file"])


def test_a_folder_that_others_could_read_is_repaired_and_told(tmp_path: Path) -> None:
    folder = tmp_path / "var"
    (folder / "sandbox").mkdir(parents=True)
    for name, mode in ((".", 0o755), ("sandbox", 0o750), ("gateway.db", 0o644), ("sandbox/secrets.env", 0o640)):
        (folder / name).touch()
        (folder / name).chmod(mode)
    assert hide_folder(folder) == 4
    assert (open_to_others(folder), hide_folder(folder)) == ([], 0)


def test_a_link_in_it_changes_nothing_outside(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.touch()
    outside.chmod(0o644)
    folder = tmp_path / "var"
    folder.mkdir()
    (folder / "link").symlink_to(outside)
    hide_folder(folder)
    assert outside.stat().st_mode & 0o777 == 0o644


def test_a_folder_that_others_use_is_known_as_one(tmp_path: Path) -> None:
    shared = [Path("/"), Path("/tmp"), Path("/dev/shm")]
    assert [is_shared(folder, folder.stat()) for folder in (*shared, tmp_path)] == [True, True, True, False]


def test_a_memory_disk_that_was_just_mounted_is_taken_and_closed(tmp_path: Path) -> None:
    folder = tmp_path / "mounted"
    folder.mkdir()
    folder.chmod(0o1777)
    hide_folder(folder)
    (folder / "gateway.db").touch(mode=0o600)
    assert (hide_folder(folder), open_to_others(folder)) == (0, [])
