"""Makes each listed mutant in a copy of the tree, runs the tests that can notice it, and says which survive.

Exit status 1 where a part has less than LEAST of its mutants killed, 2 where the tests fail without any mutant.
"""

import argparse
import os
import queue
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.mutants.mutant import ROOT, Mutant, read_all

LEAST = 0.9
TIMEOUT = 240
"""Seconds after which a mutant counts as killed: it made something wait for ever."""

NEEDED = ("adapters", "benchmarks", "config", "docs", "gateway", "tests", "pyproject.toml", "worker.py", "README.md", "Makefile")
NEVER = shutil.ignore_patterns(".hypothesis", ".pytest_cache", "*.png")


@dataclass(frozen=True)
class Verdict:
    """What became of a mutant: `killer` is the test that noticed it, None where none did."""

    mutant: Mutant
    killer: str | None
    seconds: float


def main() -> int:
    asked = argparse.ArgumentParser(prog="make mutants", description=__doc__)
    asked.add_argument("only", nargs="*", help="parts or single mutants, such as `roles` or `roles.viewer-replays`")
    asked.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="how many are tried at the same time")
    given = asked.parse_args()
    chosen = [one for one in read_all() if not given.only or one.part in given.only or one.id in given.only]
    if not chosen:
        print(f"no mutant is called {' or '.join(given.only)}")
        return 2
    began = time.monotonic()
    with copies(given.jobs) as free:
        if not are_green(free, sorted({test for one in chosen for test in one.tests if one.equivalent is None})):
            return 2
        print(f"The tests pass; now {len(chosen)} mutants.", flush=True)
        with ThreadPoolExecutor(given.jobs) as threads:
            verdicts = list(threads.map(lambda one: judged(free, one), (one for one in chosen if one.equivalent is None)))
    return told(chosen, verdicts, time.monotonic() - began)


@contextmanager
def copies(number: int) -> Iterator["queue.Queue[Path]"]:
    """Copies of the tree, with the compiled files of what is not changed: each is changed by one at a time."""
    free: queue.Queue[Path] = queue.Queue()
    with tempfile.TemporaryDirectory(prefix="gateway-mutants-") as folder:
        for count in range(number):
            copy = Path(folder, f"copy-{count}")
            copy.mkdir()
            for name in NEEDED:
                if (ROOT / name).is_dir():
                    shutil.copytree(ROOT / name, copy / name, ignore=NEVER)
                else:
                    shutil.copy2(ROOT / name, copy / name)
            free.put(copy)
        yield free


def are_green(free: "queue.Queue[Path]", tests: Sequence[str]) -> bool:
    """Whether all these tests pass where nothing is changed: else they could notice nothing."""
    copy = free.get()
    try:
        status, output = tried(copy, tests, 3600)
    finally:
        free.put(copy)
    if status != 0:
        print(output)
    return status == 0


def judged(free: "queue.Queue[Path]", mutant: Mutant) -> Verdict:
    copy = free.get()
    file = copy / mutant.file
    text, began = file.read_text(), time.monotonic()
    try:
        file.write_text(mutant.applied(text))
        status, output = tried(copy, mutant.tests, TIMEOUT)
    finally:
        shutil.copy2(ROOT / mutant.file, file)
        free.put(copy)
    verdict = Verdict(mutant, killer(mutant, status, output), time.monotonic() - began)
    print(f"{'killed  ' if verdict.killer else 'SURVIVED'} {mutant.id:50} {verdict.seconds:5.0f} s  {verdict.killer or ''}", flush=True)
    return verdict


def killer(mutant: Mutant, status: int | None, output: str) -> str | None:
    """The test that noticed; a mutant that no test could be run for is no mutant, but a mistake in the list."""
    if status is None:
        return "(nothing ended)"
    if status == 0:
        return None
    noticed = [line.split(" - ")[0].partition(" ")[2] for line in output.splitlines() if line.startswith(("FAILED ", "ERROR "))]
    if status != 1 or not any("::" in one for one in noticed):
        raise RuntimeError(f"{mutant.id}: no test could be run with it\n{output}")
    return noticed[0]


def tried(copy: Path, tests: Sequence[str], seconds: float) -> tuple[int | None, str]:
    """Run tests in a copy up to the first that fails; the status is None where they do not end."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", "--tb=line", "-p", "no:cacheprovider", *tests]
    environ = {**os.environ, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
    process = subprocess.Popen(
        command, cwd=copy, env=environ, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True
    )
    try:
        output, _ = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.communicate(timeout=20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
        return None, ""
    return process.returncode, output


def told(chosen: Sequence[Mutant], verdicts: Sequence[Verdict], seconds: float) -> int:
    """Print the figures of each part; the exit status."""
    survived = [one.mutant for one in verdicts if one.killer is None]
    equivalent = [one for one in chosen if one.equivalent is not None]
    print(f"\n{'part':16} {'killed':>8} {'survived':>9} {'equivalent':>11}")
    weak = []
    for part in dict.fromkeys(one.part for one in chosen):
        killed = sum(one.killer is not None and one.mutant.part == part for one in verdicts)
        left = sum(one.part == part for one in survived)
        print(f"{part:16} {killed:8} {left:9} {sum(one.part == part for one in equivalent):11}")
        if killed < LEAST * (killed + left):
            weak.append(part)
    killed = len(verdicts) - len(survived)
    print(f"{'all':16} {killed:8} {len(survived):9} {len(equivalent):11}   in {seconds:.0f} s")
    for one in survived:
        print(f"\nsurvived: {one.id} ({one.file})\n  {one.why}")
    for one in equivalent:
        print(f"\nequivalent: {one.id} ({one.file})\n  {one.equivalent}")
    if weak:
        print(f"\nLess than {LEAST:.0%} killed: {', '.join(weak)}")
    return 1 if weak else 0


if __name__ == "__main__":
    sys.exit(main())
