"""What is forked lives as a process of its own, and as if it had been started anew."""

import json
import os
import signal
from pathlib import Path
from typing import Any

import psutil
import pytest

from gateway.runtime.forked import FORKS
from tests.supervised import supervised
from tests.waiting import eventually

pytestmark = pytest.mark.skipif(not FORKS, reason="forked on Linux only; elsewhere each process is started anew")

CHILD = "tests.child_of_ours"


def found(folder: Path, name: str) -> dict[str, Any]:
    file = folder / f"{name}.json"
    eventually(file.exists, what=f"{name} has noted what it finds")
    facts: dict[str, Any] = json.loads(file.read_text())
    return facts


def test_a_child_has_nothing_of_its_parent_but_what_was_imported(tmp_path: Path) -> None:
    with supervised(tmp_path, {name: [CHILD, str(tmp_path), "waits"] for name in ("one", "two")}) as up:
        one, two = found(tmp_path, "one"), found(tmp_path, "two")
        assert {one["pid"], two["pid"]} == {up.pid("one"), up.pid("two")}
        assert one.pop("id") != two.pop("id")
    assert one == {
        "pid": one["pid"],
        "session": one["pid"],
        "stdin": "/dev/null",
        "sockets": [],
        "threads": 1,
        "parent_death_signal": signal.SIGTERM,
        "PATH": True,
    }


def test_a_child_ends_as_an_interpreter_does_and_its_status_is_told(tmp_path: Path) -> None:
    with supervised(tmp_path, {"one": [CHILD, str(tmp_path), "3"]}) as up:
        assert eventually(lambda: up.lines("child.died"))[0]["died"] == "exit status 3"
        assert (tmp_path / "one.ended").exists()


def test_a_child_is_ended_and_waited_for(tmp_path: Path) -> None:
    with supervised(tmp_path, {"one": [CHILD, str(tmp_path), "waits"]}) as up:
        found(tmp_path, "one")
        assert up.end() == 0
    assert (tmp_path / "one.ended").exists()


def test_children_end_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    with supervised(tmp_path, {"one": [CHILD, str(tmp_path), "waits"]}) as up:
        child = psutil.Process(found(tmp_path, "one")["pid"])
        os.kill(up.process.pid, signal.SIGKILL)
        eventually(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE)
    assert (tmp_path / "one.ended").exists()


def test_who_forks_has_one_thread(tmp_path: Path) -> None:
    with supervised(tmp_path, {"one": [CHILD, str(tmp_path), "waits"]}) as up:
        found(tmp_path, "one")
        assert psutil.Process(up.process.pid).num_threads() == 1
