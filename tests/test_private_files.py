"""Nobody else reads what the gateway keeps."""

import subprocess
import sys
from pathlib import Path

import pytest

from gateway.errors import ConfigError
from gateway.runtime.private_files import FOR_OTHERS, hide_folder

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
    (folder / "sandbox").mkdir(parents=True, mode=0o755)
    for name in ("gateway.db", "sandbox/secrets.env"):
        (folder / name).touch(mode=0o644)
    assert hide_folder(folder) == 4
    assert (open_to_others(folder), hide_folder(folder)) == ([], 0)


def test_a_link_in_it_changes_nothing_outside(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.touch(mode=0o644)
    folder = tmp_path / "var"
    folder.mkdir()
    (folder / "link").symlink_to(outside)
    hide_folder(folder)
    assert outside.stat().st_mode & 0o777 == 0o644


def test_a_folder_that_others_use_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "shared"
    folder.mkdir()
    folder.chmod(0o1777)
    with pytest.raises(ConfigError, match="a data folder of its own"):
        hide_folder(folder)
