"""The processes of one installation: started in stages, replaced when they die, ended in the opposite order."""

import contextlib
import os
import select
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

import structlog

from gateway.errors import GatewayError
from gateway.runtime.forked import FORKS, Forked, end_with_parent
from gateway.runtime.only_one import OnlyOne
from gateway.runtime.supervised import READY, SUPERVISED_BY

PAUSES = (0.0, 0.5, 1.0, 2.0, 5.0)
"""Seconds before a child is started again, by how often it has died; the last holds for every further death."""

STEADY = 30.0
"""Seconds alive after which earlier deaths are forgotten."""

READY_WITHIN = 15.0
"""Seconds that the next stage waits for this one; later it starts all the same and has to wait by itself."""

STANDS_WITHIN = 60.0
"""Seconds that a child has to stand which is to replace another."""


def _has_terminal() -> bool:
    """Asked at the start: a terminal that has gone can't be asked any more."""
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY))
    except OSError:
        return False
    return True


ENDS = frozenset({signal.SIGTERM, signal.SIGINT})

RELOADS = frozenset({signal.SIGHUP, signal.SIGUSR1})
"""SIGUSR1 is what a child sends (`supervised.ask_reload`), also where SIGHUP means the end."""

_HAS_TERMINAL = _has_terminal()

log = structlog.get_logger()


@dataclass(frozen=True)
class Child:
    """A process to keep running.

    `ends_within`: seconds from SIGTERM until it is killed; whatever it may still have to finish fits into them.
    `listener` is inherited by the child, and closed here once the child is told to end, so that nobody queues there.
    `ready` tells whether the next stage may start. `is_ours`: `argv` is a module of the gateway and its arguments,
    which is forked where that can be.
    """

    name: str
    argv: Sequence[str]
    env: Mapping[str, str] = field(repr=False)
    ends_within: float = 5.0
    listener: socket.socket | None = None
    ready: Callable[[], bool] | None = None
    is_ours: bool = False

    @property
    def command_line(self) -> Sequence[str]:
        return [sys.executable, "-m", *self.argv] if self.is_ours else self.argv


class _Process(Protocol):
    """What `subprocess.Popen` and `Forked` have in common."""

    pid: int
    returncode: int | None

    def poll(self) -> int | None: ...

    def wait(self, timeout: float | None = None) -> int: ...

    def terminate(self) -> None: ...

    def kill(self) -> None: ...


@dataclass(frozen=True)
class Reload:
    """How running processes get other settings.

    `children` are those to replace, by name, with what they are to be started with; it raises GatewayError where the
    settings are at fault, and nothing changes. `reported` hears how it went: None, or what was wrong, and which
    have the new settings all the same.
    """

    children: Callable[[], Sequence[Child]]
    reported: Callable[[str | None], None]


@dataclass
class _Life:
    """A child's present process and what came before it."""

    child: Child
    process: _Process | None = None
    started: float = 0.0
    deaths: int = 0
    start_at: float | None = None

    @property
    def runs(self) -> bool:
        return self.process is not None and self.process.poll() is None


def run(
    stages: Sequence[Sequence[Child]],
    lock: OnlyOne | None = None,
    started: Callable[[], None] | None = None,
    reload: Reload | None = None,
) -> None:
    """Keeps all children running until SIGTERM or SIGINT, then ends them, the last stage first.

    `started` is called once, when all of them stand or have had their time to. `reload` follows SIGHUP and SIGUSR1;
    where there is a controlling terminal, whose end SIGHUP tells, that is the end as well.

    To be called in the main thread. A second signal ends nothing sooner: a request may be under way whose answer
    must not be lost, and the longest takes as long as `ends_within` says.
    """
    _Supervisor(stages, lock, reload).run(started)


class _Supervisor:
    def __init__(self, stages: Sequence[Sequence[Child]], lock: OnlyOne | None, reload: Reload | None) -> None:
        self._stages = [[_Life(child) for child in stage] for stage in stages]
        self._lives = [life for stage in self._stages for life in stage]
        self._lock = lock
        self._reload = reload
        self._ending = False
        self._wants_reload = False

    def run(self, started: Callable[[], None] | None) -> None:
        with _signals() as wait:
            self._wait = wait
            try:
                for stage in self._stages:
                    for life in stage:
                        self._start(life)
                    self._until(partial(self._ready, stage), READY_WITHIN)
                if started is not None and not self._ending:
                    started()
                while not self._ending:
                    self._until(lambda: self._wants_reload, None)
                    if self._wants_reload and not self._ending:
                        self._wants_reload = False
                        self._replace_all()
            finally:
                self._ending = True
                log.info("up.ends")
                for stage in reversed(self._stages):
                    self._end(stage)

    def _until(self, done: Callable[[], bool], seconds: float | None) -> None:
        """Looks after the children until it is done, the time is over or the end is asked for."""
        deadline = None if seconds is None else time.monotonic() + seconds
        while not self._ending and not done() and (deadline is None or time.monotonic() < deadline):
            due = [life.start_at for life in self._lives if life.start_at is not None]
            pause = min(due) - time.monotonic() if due else None
            if deadline is not None:
                pause = 0.02
            self._hear(self._wait(pause))
            for life in self._lives:
                self._look_after(life)

    def _hear(self, signals: Collection[int]) -> None:
        ends = ENDS if self._reload is not None and not _HAS_TERMINAL else ENDS | {signal.SIGHUP}
        self._ending = self._ending or not ends.isdisjoint(signals)
        self._wants_reload = self._wants_reload or not (RELOADS - ends).isdisjoint(signals)

    def _look_after(self, life: _Life) -> None:
        if self._ending:
            return
        now = time.monotonic()
        if life.start_at is not None:
            if life.start_at <= now:
                self._start(life)
        elif life.process is not None and not life.runs:
            if now - life.started >= STEADY:
                life.deaths = 0
            self._again(life, died=_death(life.process.wait()))

    def _again(self, life: _Life, died: str) -> None:
        pause = PAUSES[min(life.deaths, len(PAUSES) - 1)]
        life.deaths += 1
        life.process = None
        life.start_at = time.monotonic() + pause
        log.warning("child.died", child=life.child.name, died=died, again_in_seconds=pause)
        if pause == 0:
            self._start(life)

    def _start(self, life: _Life) -> None:
        life.start_at = None
        life.started = time.monotonic()
        try:
            life.process = self._spawn(life.child)
        except OSError as error:
            self._again(life, died=f"could not be started: {error}")
            return
        self._note()

    def _spawn(self, child: Child, ready: int | None = None) -> _Process:
        """`ready` is where it writes once it stands. Raises OSError."""
        inherited = [child.listener.fileno()] if child.listener is not None else []
        if self._lock is not None:
            inherited.append(self._lock.fileno)
        env = {**child.env, SUPERVISED_BY: str(os.getpid())}
        if ready is not None:
            inherited.append(ready)
            env[READY] = str(ready)
        process: _Process
        if child.is_ours and FORKS:
            process = Forked(child.name, child.argv, env, inherited)
        else:
            process = _begun(child, env, inherited)
        log.info("child.started", child=child.name, pid=process.pid)
        return process

    def _note(self) -> None:
        if self._lock is not None:
            self._lock.write({one.child.name: one.process.pid for one in self._lives if one.process is not None})

    def _replace_all(self) -> None:
        """Children with new settings in the place of the old ones, one by one: the new one stands first."""
        if self._reload is None:
            return
        try:
            fresh = {child.name: child for child in self._reload.children()}
        except GatewayError as error:
            self._tell(str(error))
            return
        replaced: list[str] = []
        for life in self._lives:
            child = fresh.get(life.child.name)
            if child is None or self._ending:
                continue
            if not self._replace(life, child):
                if not self._ending:
                    self._tell(f"{child.name} did not start with the new settings; see its lines in the log", replaced)
                return
            replaced.append(child.name)
        if not self._ending:
            self._tell(None)

    def _tell(self, wrong: str | None, replaced: Sequence[str] = ()) -> None:
        """`replaced` are those that have the new settings though the reload failed."""
        effect = "the processes go on as they were"
        if replaced:
            effect = f"{', '.join(replaced)} run with the new settings, the others as they were: reload again"
            wrong = f"{wrong}; {effect}"
        if wrong is None:
            log.info("reload.done")
        else:
            log.error("reload.refused", why=wrong, effect=effect)
        if self._reload is not None:
            self._reload.reported(wrong)

    def _replace(self, life: _Life, child: Child) -> bool:
        """False where the new one does not come to stand; the old one goes on."""
        reading, writing = os.pipe()
        try:
            new = self._spawn(child, writing)
        except OSError as error:
            log.warning("child.died", child=child.name, died=f"could not be started: {error}")
            os.close(reading)
            return False
        finally:
            os.close(writing)
        self._until(lambda: bool(select.select([reading], [], [], 0)[0]), STANDS_WITHIN)
        stands = bool(select.select([reading], [], [], 0)[0]) and os.read(reading, 1) == b"1"
        os.close(reading)
        if not stands or self._ending:
            new.kill()
            log.warning("child.died", child=child.name, died="before it stood", pid=new.pid)
            new.wait()
            return False
        old, life.process, life.child = life.process, new, child
        life.started, life.start_at = time.monotonic(), None
        self._note()
        self._await_end(child, old)
        return True

    def _await_end(self, child: Child, old: _Process | None) -> None:
        if old is None or old.poll() is not None:
            return
        old.terminate()
        deadline = time.monotonic() + child.ends_within
        while old.poll() is None and time.monotonic() < deadline:
            self._until(lambda: old.poll() is not None, max(0.0, deadline - time.monotonic()))
            if self._ending:
                time.sleep(0.02)  # its end is awaited all the same: what it has begun must not be lost
        if old.poll() is None:
            log.warning("child.killed", child=child.name, after_seconds=child.ends_within)
            old.kill()
        old.wait()

    def _ready(self, stage: list[_Life]) -> bool:
        return all(life.child.ready is None or (life.runs and life.child.ready()) for life in stage)

    def _end(self, stage: list[_Life]) -> None:
        ends = time.monotonic() + max((life.child.ends_within for life in stage), default=0.0)
        for life in stage:
            if life.child.listener is not None:
                life.child.listener.close()
            if life.process is not None and life.runs:
                life.process.terminate()
        while running := [life for life in stage if life.runs]:
            left = ends - time.monotonic()
            if left <= 0:
                break
            if not ENDS.isdisjoint(self._wait(left)):
                log.info(
                    "up.waits",
                    children=[life.child.name for life in running],
                    seconds_at_most=round(left),
                    why="what was begun is finished first; nothing is interrupted",
                )
        for life in stage:
            if life.process is None:
                continue
            if life.runs:
                log.warning("child.killed", child=life.child.name, after_seconds=life.child.ends_within)
                life.process.kill()
            life.process.wait()


@contextmanager
def _signals() -> Iterator[Callable[[float | None], Collection[int]]]:
    """A function that waits for a signal, or so many seconds, and tells which came."""
    reading, writing = socket.socketpair()
    reading.setblocking(False)
    writing.setblocking(False)
    numbers = {*ENDS, *RELOADS, signal.SIGCHLD}
    if _HAS_TERMINAL and signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        numbers.discard(signal.SIGHUP)  # as nohup wants it
    former = {number: signal.getsignal(number) for number in numbers}
    wakeup = signal.set_wakeup_fd(writing.fileno(), warn_on_full_buffer=False)
    for number in former:
        signal.signal(number, lambda *_: None)
    with selectors.DefaultSelector() as selector:
        selector.register(reading, selectors.EVENT_READ)

        def wait(seconds: float | None) -> Collection[int]:
            selector.select(None if seconds is None else max(seconds, 0.0))
            with contextlib.suppress(BlockingIOError):
                return reading.recv(4096)
            return ()

        try:
            yield wait
        finally:
            signal.set_wakeup_fd(wakeup)
            for number, handler in former.items():
                signal.signal(number, handler)
            reading.close()
            writing.close()


def _begun(child: Child, env: Mapping[str, str], inherited: Collection[int]) -> _Process:
    return subprocess.Popen(  # noqa: S603 - the command line is ours
        child.command_line,
        env=env,
        stdin=subprocess.DEVNULL,
        pass_fds=list(inherited),
        start_new_session=True,  # a Ctrl-C in the terminal is the supervisor's to pass on
        preexec_fn=end_with_parent,
    )


def _death(status: int) -> str:
    return f"exit status {status}" if status >= 0 else signal.Signals(-status).name
