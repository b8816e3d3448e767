"""Tests run in a copy of the tree, in a process that has all but the copy's own modules in it when it begins.

To start Python anew and to import what others wrote takes three times as long as most of these tests.
"""

import importlib
import os
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import pytest

OWN = {"gateway", "adapters", "config", "tests", "worker", "benchmarks"}
OTHERS = (
    *("alembic.command", "cryptography.x509", "flask_wtf", "hypothesis.stateful", "marshmallow", "psycopg"),
    *("requests", "responses", "rich.table", "rq", "sqlalchemy.dialects.sqlite", "structlog", "yaml"),
    *("sqlalchemy.dialects.postgresql.psycopg", "alembic.autogenerate", "click", "jmespath", "prometheus_client"),
)


@dataclass
class Trial:
    """`status` is that of pytest once it ended, None where it took too long."""

    copy: Path
    process: int
    ends_by: float
    said: IO[bytes]
    began: float = field(default_factory=time.monotonic)
    status: int | None = None

    @property
    def output(self) -> str:
        self.said.seek(0)
        return self.said.read().decode(errors="replace")


def begin(copy: Path, tests: Sequence[str], seconds: float) -> Trial:
    """Run tests in a copy, up to the first that fails."""
    for name in OTHERS:
        importlib.import_module(name)
    said = tempfile.TemporaryFile()  # noqa: SIM115 - it is read when the process has ended
    process = os.fork()
    if process == 0:
        status = 70
        try:
            os.setsid()
            os.dup2(said.fileno(), 1)
            os.dup2(said.fileno(), 2)
            status = _run(copy, tests)
        finally:
            os._exit(status)
    return Trial(copy, process, time.monotonic() + seconds, said)


def _run(copy: Path, tests: Sequence[str]) -> int:
    for name in [name for name in sys.modules if name.partition(".")[0] in OWN]:
        del sys.modules[name]
    os.chdir(copy)
    sys.path.insert(0, str(copy))
    sys.dont_write_bytecode = True
    os.environ.update({"PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"})
    plain = ("-x", "-q", "--tb=line", "-p", "no:cacheprovider", "-W", "ignore::pytest.PytestAssertRewriteWarning")
    status = int(pytest.main([*plain, *tests]))
    sys.stdout.flush()
    return status


def ended(trial: Trial) -> bool:
    """Whether it has; what takes too long is ended, with all that it started."""
    process, status = os.waitpid(trial.process, os.WNOHANG)
    if process:
        trial.status = os.waitstatus_to_exitcode(status)
        return True
    if time.monotonic() < trial.ends_by:
        return False
    os.killpg(trial.process, signal.SIGKILL)
    os.waitpid(trial.process, 0)
    return True
