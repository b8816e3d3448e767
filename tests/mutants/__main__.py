"""Makes each listed mutant in a copy of the tree, runs the tests that can notice it, and says which survive.

Exit status 1 where a part has less than LEAST of its mutants killed, 2 where the tests fail without any mutant.
"""

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.mutants.mutant import ROOT, Mutant, read_all
from tests.mutants.trial import Trial, begin, ended
from tests.services import LENT_POSTGRES, postgres_server

LEAST = 0.9
TIMEOUT = 300
"""Seconds after which a mutant counts as killed: it made something wait for ever."""

NEEDED = (
    *("adapters", "benchmarks", "config", "docs", "gateway", "tests"),
    *("pyproject.toml", "worker.py", "README.md", "CONTRIBUTING.md", "Makefile"),
)


def main() -> int:
    asked = argparse.ArgumentParser(prog="make mutants", description=__doc__)
    asked.add_argument("only", nargs="*", help="parts or single mutants, such as `roles` or `roles.viewer-replays`")
    asked.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="how many are tried at the same time")
    given = asked.parse_args()
    chosen = [one for one in read_all() if not given.only or one.part in given.only or one.id in given.only]
    if not chosen:
        print(f"no mutant is called {' or '.join(given.only)}")
        return 2
    tried = [one for one in chosen if one.equivalent is None]
    began = time.monotonic()
    with postgres_server() as postgres, copies(given.jobs) as folders:
        os.environ[LENT_POSTGRES] = str(postgres.folder)
        if not are_green(folders[0], list(dict.fromkeys(one.tests[0] for one in tried))):
            return 2
        print(f"Without a mutant they pass, after {time.monotonic() - began:.0f} s.", flush=True)
        killers = judged(folders, tried)
    return told(chosen, killers, time.monotonic() - began)


@contextmanager
def copies(number: int) -> Iterator[list[Path]]:
    """Copies of the tree, with the compiled files of what is not changed: each is changed by one at a time."""
    with tempfile.TemporaryDirectory(prefix="gateway-mutants-") as folder:
        made = [Path(folder, f"copy-{count}") for count in range(number)]
        for copy in made:
            copy.mkdir()
            for name in NEEDED:
                if (ROOT / name).is_dir():
                    shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("*.png"))
                else:
                    shutil.copy2(ROOT / name, copy / name)
        yield made


def are_green(copy: Path, tests: Sequence[str]) -> bool:
    """Whether the tests pass where nothing is changed: else they could notice nothing."""
    trial = begin(copy, tests, 3600)
    while not ended(trial):
        time.sleep(0.1)
    if trial.status != 0:
        print(trial.output)
    return trial.status == 0


def judged(folders: Sequence[Path], mutants: Sequence[Mutant]) -> dict[str, str | None]:
    """The test that noticed each mutant, None where none did; one at a time in each folder."""
    left, free = list(mutants), list(folders)
    running: list[tuple[Mutant, Trial]] = []
    killers: dict[str, str | None] = {}
    while left or running:
        while left and free:
            one = left.pop(0)
            copy = free.pop()
            file = copy / one.file
            file.write_text(one.applied(file.read_text()))
            running.append((one, begin(copy, one.tests, TIMEOUT)))
        time.sleep(0.05)
        for one, trial in [pair for pair in running if ended(pair[1])]:
            running.remove((one, trial))
            shutil.copy2(ROOT / one.file, trial.copy / one.file)
            free.append(trial.copy)
            killers[one.id] = killer(one, trial)
            verdict = f"killed    {one.id:46} by {killers[one.id]}" if killers[one.id] else f"SURVIVED  {one.id}"
            print(f"{verdict}, {time.monotonic() - trial.began:.0f} s", flush=True)
    return killers


def killer(mutant: Mutant, trial: Trial) -> str | None:
    """The test that noticed; a mutant that no test could be run for is no mutant, but a mistake in the list."""
    if trial.status is None:
        return "waiting for ever"
    if trial.status == 0:
        return None
    noticed = [line.split(" - ")[0] for line in trial.output.splitlines() if line.startswith(("FAILED ", "ERROR "))]
    if trial.status != 1 or not any("::" in one for one in noticed):
        raise RuntimeError(f"{mutant.id}: no test could be run with it\n{trial.output}")
    return noticed[0].partition(" ")[2]


def told(chosen: Sequence[Mutant], killers: dict[str, str | None], seconds: float) -> int:
    """Print the figures of each part; the exit status."""
    weak = []
    print(f"\n{'part':20} {'killed':>7} {'survived':>9} {'equivalent':>11}")
    for part in [*dict.fromkeys(one.part for one in chosen), ""]:
        mine = [one for one in chosen if part in ("", one.part)]
        killed = count(mine, lambda one: one.equivalent is None and killers[one.id] is not None)
        equivalent = count(mine, lambda one: one.equivalent is not None)
        print(f"{part or 'all':20} {killed:7} {len(mine) - killed - equivalent:9} {equivalent:11}")
        if killed < LEAST * (len(mine) - equivalent):
            weak.append(part or "all")
    print(f"in {seconds:.0f} s")
    for one in chosen:
        if one.equivalent is not None:
            print(f"\nequivalent: {one.id} ({one.file})\n  {one.equivalent}")
        elif killers[one.id] is None:
            print(f"\nsurvived: {one.id} ({one.file})\n  {one.why}")
    if weak:
        print(f"\nLess than {LEAST:.0%} are killed of: {', '.join(weak)}")
    return 1 if weak else 0


def count(among: Sequence[Mutant], which: Callable[[Mutant], bool]) -> int:
    return sum(map(which, among))


if __name__ == "__main__":
    sys.exit(main())
