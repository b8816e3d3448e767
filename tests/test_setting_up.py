"""What `make` does before anything of ours can run."""

import ast
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def make_environment(folder: Path, *programs: Path) -> "subprocess.CompletedProcess[str]":
    """Run where these programs and no others are on the PATH."""
    path = folder / "bin"
    path.mkdir()
    for program in programs:
        (path / program.name).symlink_to(program)
    shell = shutil.which("sh") or "/bin/sh"
    return subprocess.run(
        [shell, str(ROOT / ".ci" / "make-environment"), str(folder / "venv")],
        env={"PATH": str(path)},
        capture_output=True,
        text=True,
    )


def program(folder: Path, name: str, text: str) -> Path:
    file = folder / name
    file.write_text(f"#!/bin/sh\n{text}\n")
    file.chmod(0o755)
    return file


def test_without_a_new_enough_python_it_says_how_to_get_one(tmp_path: Path) -> None:
    done = make_environment(tmp_path, program(tmp_path, "python3", "exit 1"))
    assert done.returncode == 1
    assert "No Python 3.11 or newer" in done.stderr


def test_a_python_without_venv_is_named_with_the_package_that_brings_it(tmp_path: Path) -> None:
    python = program(tmp_path, "python3", f'case "$2" in *ensurepip*) exit 1;; *) exec {sys.executable} "$@";; esac')
    done = make_environment(tmp_path, python)
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    assert done.returncode == 1
    assert f"apt-get install python{version}-venv" in done.stderr


def test_the_lock_files_name_every_dependency_with_hashes_and_no_registry() -> None:
    for name in ("requirements.lock", "requirements-dev.lock"):
        text = (ROOT / name).read_text()
        assert "://" not in text
        entries = text.split("\n", 2)[2].replace(" \\\n    ", " ").splitlines()
        assert [entry for entry in entries if "==" not in entry or "--hash=sha256:" not in entry] == []


def test_what_runs_is_locked_at_the_versions_that_are_tested() -> None:
    def versions(name: str) -> set[str]:
        lines = (ROOT / name).read_text().splitlines()
        return {line.split()[0] for line in lines if "==" in line}

    assert versions("requirements.lock") - versions("requirements-dev.lock") == set()


def imported(folder: str) -> Iterator[str]:
    for file in (ROOT / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                yield from (one.name.partition(".")[0] for one in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                yield node.module.partition(".")[0]


@pytest.mark.parametrize(
    ("lock", "folders"),
    [("requirements.lock", ("gateway", "adapters")), ("requirements-dev.lock", ("tests", "benchmarks"))],
)
def test_what_is_imported_is_locked(lock: str, folders: tuple[str, ...]) -> None:
    locked = set(re.findall(r"^([a-z0-9-]+)==", (ROOT / lock).read_text(), flags=re.MULTILINE))
    names = {name for folder in folders for name in imported(folder)}
    foreign = names - sys.stdlib_module_names - {path.name for path in ROOT.iterdir()}
    brought_by = {
        name: {re.sub(r"[-_.]+", "-", one).lower() for one in of} for name, of in packages_distributions().items()
    }
    assert {name for name in foreign if not locked & brought_by.get(name, set())} == set()


def test_make_tells_what_it_can_do() -> None:
    env = {**os.environ, "MAKEFLAGS": ""}
    listed = subprocess.run(
        ["make", "--no-print-directory"], cwd=ROOT, env=env, capture_output=True, text=True, check=True
    ).stdout
    assert [line.split()[1] for line in listed.splitlines()] == [
        line.split(":")[0] for line in (ROOT / "Makefile").read_text().splitlines() if " ## " in line
    ]
