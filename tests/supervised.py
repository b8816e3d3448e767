"""A supervisor as a process of its own, told what to run on its command line, and what tests ask of it."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from gateway.errors import StartError
from gateway.ledger.identity import new_id
from gateway.runtime import supervisor, web
from gateway.runtime.logs import configure_logs
from gateway.runtime.only_one import only_one
from gateway.runtime.supervisor import Child, Reload
from tests.waiting import eventually


@dataclass(frozen=True)
class Supervised:
    """A running supervisor. Its log is read from its stderr."""

    process: "subprocess.Popen[bytes]"
    log: Path

    def lines(self, event: str) -> list[dict[str, Any]]:
        complete = self.log.read_text().rpartition("\n")[0].splitlines()
        lines = [json.loads(line) for line in complete if line.startswith("{")]
        return [line for line in lines if line["event"] == event]

    def pid(self, child: str, number: int = 1) -> int:
        """Of the `number`th process that this child has had."""

        def started() -> int | None:
            pids = [line["pid"] for line in self.lines("child.started") if line["child"] == child]
            return pids[number - 1] if len(pids) >= number else None

        return eventually(started, what=f"{child} is started {number} times")

    def port(self) -> int:
        port: int = eventually(lambda: self.lines("web.listens"))[0]["port"]
        return port

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(20)


@contextmanager
def supervised(
    folder: Path,
    *stages: dict[str, list[str]],
    web_processes: int = 0,
    ends_within: float = 5.0,
    reload: dict[str, list[str]] | None = None,
) -> Iterator[Supervised]:
    """Runs stages of children (name, command line or module of ours) on `folder`; what is left is killed at the end.

    `reload` are the command lines that take the place of others at a reload.
    """
    log = folder / f"supervisor-{len(list(folder.glob('supervisor-*')))}.log"
    what = {"data": str(folder), "stages": stages, "web_processes": web_processes, "ends_within": ends_within}
    what["reload"] = reload or {}
    with log.open("wb") as file:
        process = subprocess.Popen([sys.executable, "-m", "tests.supervised", json.dumps(what)], stderr=file)
    run = Supervised(process, log)
    try:
        yield run
    finally:
        process.kill()
        process.wait()
        for line in run.lines("child.started"):
            with suppress(psutil.NoSuchProcess):
                psutil.Process(line["pid"]).kill()


def main(what: dict[str, Any]) -> None:
    configure_logs(json=True)
    env = dict(os.environ)
    new_id("x")  # as `up` does before it forks
    stages = [
        [
            Child(name, argv, env, ends_within=what["ends_within"], is_ours=argv[0].startswith("tests."))
            for name, argv in stage.items()
        ]
        for stage in what["stages"]
    ]
    try:
        with only_one(Path(what["data"])) as lock:
            if what["web_processes"]:
                listener = web.listen("127.0.0.1", 0)
                stages.append(web.children(listener, what["web_processes"], env, "tests.tiny_application:create_app"))
            fresh = [Child(name, argv, env) for name, argv in what["reload"].items()]
            supervisor.run(stages, lock, reload=Reload(lambda: fresh, lambda wrong: None))
    except StartError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
