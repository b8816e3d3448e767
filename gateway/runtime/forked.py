"""Processes of ours that are forked: they share what their parent has imported, which is most of their memory.

The parent has one thread and no connection when it forks. Its files are left to the child, its sockets and pipes are
not: a worker that kept the listening socket would hold the port. Linux only; elsewhere, and for programs that are not
ours, a process is started anew.
"""

import atexit
import ctypes
import gc
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from subprocess import TimeoutExpired
from time import monotonic, sleep
from typing import NoReturn

FORKS = sys.platform == "linux"

STDERR = 2

_LONGEST_NAME = 15
"""Characters, of what `ps -e` and `top` show for a process (prctl(2), PR_SET_NAME)."""

_PR_SET_PDEATHSIG, _PR_SET_NAME = 1, 15  # linux/prctl.h
_libc = ctypes.CDLL(None) if FORKS else None


def share(modules: Sequence[str]) -> None:
    """Import what children need, so that they find it.

    What has been made until now is never looked at by the garbage collector again, which would copy it for each child;
    and what is free goes back to the system, for a child would write there.
    """
    for module in modules:
        import_module(module)
    gc.collect()
    gc.freeze()
    if _libc is not None and hasattr(_libc, "malloc_trim"):  # glibc
        _libc.malloc_trim(0)


def end_with_parent() -> None:
    """Run in a new process: a supervisor that is killed takes it along.

    Only Linux has that. Elsewhere the child goes on, and the lock that it holds tells of it.
    """
    if _libc is not None:
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


class Forked:
    """A child that runs `main(arguments)` of a module of ours; what of `subprocess.Popen` the supervisor asks."""

    def __init__(self, name: str, command: Sequence[str], env: Mapping[str, str], kept: Collection[int]) -> None:
        """`command` is a module and its arguments, `kept` the sockets and pipes that the child goes on with."""
        sys.stdout.flush()
        sys.stderr.flush()
        self.returncode: int | None = None
        parent = os.getpid()
        self.pid = os.fork()
        if self.pid == 0:
            _live(parent, name, command, env, kept)

    def poll(self) -> int | None:
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Raises TimeoutExpired."""
        deadline = None if timeout is None else monotonic() + timeout
        while (status := self.poll()) is None:
            if deadline is not None and monotonic() > deadline:
                raise TimeoutExpired(str(self.pid), timeout or 0)
            sleep(0.01)
        return status

    def terminate(self) -> None:
        self._send(signal.SIGTERM)

    def kill(self) -> None:
        self._send(signal.SIGKILL)

    def _send(self, number: signal.Signals) -> None:
        if self.poll() is None:  # not awaited yet: the pid is still its own
            os.kill(self.pid, number)


def _live(parent: int, name: str, command: Sequence[str], env: Mapping[str, str], kept: Collection[int]) -> NoReturn:
    """The child's whole life. It never returns into the frames of its parent."""
    status = 1
    try:
        _begin(parent, name, env, kept)
        module, *arguments = command
        status = _ended(lambda: import_module(module).main(arguments))
    except BaseException:  # noqa: BLE001 - nobody is above who could tell it
        traceback.print_exc()
    finally:
        os._exit(status)


def _begin(parent: int, name: str, env: Mapping[str, str], kept: Collection[int]) -> None:
    os.setsid()  # a Ctrl-C in the terminal is the supervisor's to pass on
    end_with_parent()
    if os.getppid() != parent:
        os._exit(1)  # killed in between
    if _libc is not None:
        _libc.prctl(_PR_SET_NAME, name.encode()[:_LONGEST_NAME], 0, 0, 0)
    signal.set_wakeup_fd(-1)
    for number in signal.Signals:
        if callable(signal.getsignal(number)):
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    _let_go_of_all_but(kept)
    os.environ.clear()
    os.environ.update(env)


def _let_go_of_all_but(kept: Collection[int]) -> None:
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    for file in list(Path("/proc/self/fd").iterdir()):
        number = int(file.name)
        if number <= STDERR or number in kept:
            continue
        with suppress(FileNotFoundError):  # that with which the folder was read
            if str(file.readlink()).startswith(("socket:", "pipe:", "anon_inode:")):
                os.close(number)


def _ended(call: Callable[[], None]) -> int:
    """The exit status; what the interpreter does at its own end is done."""
    status = 0
    try:
        call()
    except SystemExit as error:
        status = error.code if isinstance(error.code, int) else int(error.code is not None)
    except BaseException:  # noqa: BLE001 - as the interpreter does
        traceback.print_exc()
        status = 1
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    return status
