"""The processes of an installation, with real processes and real signals."""

import os
import signal
import sys
from pathlib import Path

import psutil
import pytest

from gateway.errors import StartError
from gateway.runtime.only_one import only_one
from tests.supervised import Supervised, supervised
from tests.waiting import eventually

IDLE = [sys.executable, "-c", "import signal; signal.pause()"]

DEAF = [
    sys.executable,
    "-c",
    "import signal; signal.signal(15, signal.SIG_IGN); print('deaf', flush=True)\nwhile 1: signal.pause()",
]


def that_writes(file: Path, text: str, after: float = 0.0) -> list[str]:
    """A child that writes when it is told to end, and not before it has stood ready."""
    program = (
        "import pathlib, signal, sys, time\n"
        "def end(*_):\n"
        f"    time.sleep({after})\n"
        f"    open({str(file)!r}, 'a').write({text!r} + ' ')\n"
        "    sys.exit()\n"
        "signal.signal(signal.SIGTERM, end)\n"
        f"pathlib.Path({str(file)!r} + '-' + {text!r}).touch()\n"
        "while True: signal.pause()\n"
    )
    return [sys.executable, "-c", program]


def stands(file: Path, *texts: str) -> None:
    for text in texts:
        eventually(Path(f"{file}-{text}").exists, what=f"{text} stands ready")


def gone(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


def test_a_child_that_dies_is_started_again_at_once_and_then_after_a_pause(tmp_path: Path) -> None:
    with supervised(tmp_path, {"worker-1": IDLE}) as up:
        for number in (1, 2):
            os.kill(up.pid("worker-1", number), signal.SIGKILL)
        third = up.pid("worker-1", 3)
        assert psutil.pid_exists(third)
        deaths = [(line["died"], line["again_in_seconds"]) for line in up.lines("child.died")]
    assert deaths == [("SIGKILL", 0.0), ("SIGKILL", 0.5)]


def test_a_child_that_ends_by_itself_is_told_with_its_exit_status(tmp_path: Path) -> None:
    with supervised(tmp_path, {"worker-1": [sys.executable, "-c", "raise SystemExit(3)"]}) as up:
        assert eventually(lambda: up.lines("child.died"))[0]["died"] == "exit status 3"


def test_a_program_that_is_not_there_stops_no_other(tmp_path: Path) -> None:
    with supervised(tmp_path, {"redis": ["/no/such/program"]}, {"worker-1": IDLE}) as up:
        assert psutil.pid_exists(up.pid("worker-1"))
        assert "could not be started" in up.lines("child.died")[0]["died"]


def test_children_are_ended_in_the_opposite_order(tmp_path: Path) -> None:
    file = tmp_path / "ended"
    stages = [{name: that_writes(file, name)} for name in ("redis", "worker", "web")]
    with supervised(tmp_path, *stages) as up:
        stands(file, "redis", "worker", "web")
        assert up.end() == 0
    assert file.read_text() == "web worker redis "


def test_pressing_ctrl_c_again_interrupts_nothing_and_tells_what_is_waited_for(tmp_path: Path) -> None:
    file = tmp_path / "ended"
    with supervised(tmp_path, {"worker-1": that_writes(file, "finished", after=0.5)}) as up:
        stands(file, "finished")
        up.process.send_signal(signal.SIGINT)
        eventually(lambda: up.lines("up.ends"))
        assert up.end(signal.SIGINT) == 0
        assert [line["children"] for line in up.lines("up.waits")] == [["worker-1"]]
    assert file.read_text() == "finished "


def test_a_child_that_does_not_end_in_its_time_is_killed(tmp_path: Path) -> None:
    with supervised(tmp_path, {"worker-1": DEAF}, ends_within=0.3) as up:
        pid = up.pid("worker-1")
        eventually(lambda: psutil.Process(pid).status() == psutil.STATUS_SLEEPING and ignores_sigterm(pid))
        assert up.end() == 0
        assert [line["child"] for line in up.lines("child.killed")] == ["worker-1"]
        assert gone(pid)


def ignores_sigterm(pid: int) -> bool:
    status = Path(f"/proc/{pid}/status").read_text()
    ignored = int(next(line.split()[1] for line in status.splitlines() if line.startswith("SigIgn:")), 16)
    return bool(ignored & 1 << signal.SIGTERM - 1)


def test_a_ctrl_c_in_the_terminal_reaches_the_supervisor_alone(tmp_path: Path) -> None:
    with supervised(tmp_path, {"worker-1": IDLE}) as up:
        pid = up.pid("worker-1")
        assert os.getsid(pid) == os.getpgid(pid) == pid


def test_children_end_with_a_supervisor_that_is_killed(tmp_path: Path) -> None:
    with supervised(tmp_path, {"redis": IDLE}, {"worker-1": IDLE}) as up:
        pids = [up.pid("redis"), up.pid("worker-1")]
        up.end(signal.SIGKILL)
        eventually(lambda: all(gone(pid) for pid in pids))


def refusal(up: Supervised) -> str:
    assert up.process.wait(30) == 1
    return up.log.read_text()


def test_a_second_up_on_the_folder_is_refused_and_told_which_is_the_first(tmp_path: Path) -> None:
    with supervised(tmp_path, {"worker-1": IDLE}) as first:
        first.pid("worker-1")
        with supervised(tmp_path, {"worker-1": IDLE}) as second:
            assert f"runs there with pid {first.process.pid}. End it with `kill {first.process.pid}`" in refusal(second)


def test_an_up_after_a_killed_one_waits_for_the_children_that_finish_their_work(tmp_path: Path) -> None:
    file = tmp_path / "ended"
    with supervised(tmp_path, {"worker-1": that_writes(file, "finished", after=0.5)}) as first:
        stands(file, "finished")
        first.end(signal.SIGKILL)
        with supervised(tmp_path, {"worker-1": IDLE}) as second:
            second.pid("worker-1")
            assert file.read_text() == "finished "


def test_children_that_outlive_a_killed_up_are_named(tmp_path: Path) -> None:
    with supervised(tmp_path, {"worker-1": DEAF}) as first:
        pid = first.pid("worker-1")
        eventually(lambda: ignores_sigterm(pid))
        first.end(signal.SIGKILL)
        with pytest.raises(StartError, match=f"killed. End them with `kill {pid}`"), only_one(tmp_path, wait=0.2):
            pass


def test_the_folder_is_free_again_after_an_orderly_end(tmp_path: Path) -> None:
    with supervised(tmp_path, {"worker-1": IDLE}) as first:
        first.pid("worker-1")
        first.end()
    with only_one(tmp_path, wait=0):
        pass
