"""Two revisions beside one another: measured in turns on one machine, so that what else runs there hits both."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

HERE = Path(__file__).parents[1]
TURNS = 3


def compare(revision: str, only: str, *, quick: bool) -> Sequence[str]:
    """A line a figure: here, there, and here as a share of there; medians of TURNS runs of each."""
    found: dict[str, list[dict[str, float]]] = {"here": [], "there": []}
    with _checked_out(revision) as there:
        for _ in range(TURNS):
            found["there"].append(_measured(there, only, quick=quick))
            found["here"].append(_measured(HERE, only, quick=quick))
    names = [name for name in found["here"][0] if all(name in one for ones in found.values() for one in ones)]
    width = max(map(len, names))
    text = [f"{'':{width}} {'here':>12} {revision[:12]:>12}  here/there"]
    for name in names:
        here, there_ = (median(one[name] for one in found[side]) for side in ("here", "there"))
        share = f"{here / there_:10.2f}" if there_ else f"{'-':>10}"
        text.append(f"{name:{width}} {here:12.2f} {there_:12.2f}  {share}")
    return text


@contextmanager
def _checked_out(revision: str) -> Iterator[Path]:
    with TemporaryDirectory(prefix=".benchmark-", dir=HERE) as folder:
        tree = Path(folder) / "tree"
        subprocess.run(["git", "worktree", "add", "--quiet", "--detach", str(tree), revision], cwd=HERE, check=True)
        try:
            yield tree
        finally:
            subprocess.run(["git", "worktree", "remove", "--force", str(tree)], cwd=HERE, check=True)


def _measured(tree: Path, only: str, *, quick: bool) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks", "--json", "--only", only, *(["--quick"] if quick else [])]
    env = {**os.environ, "PYTHONPATH": str(tree)}  # before the installed one, which is the code here
    done = subprocess.run(command, cwd=tree, env=env, stdout=subprocess.PIPE, text=True, check=True)
    return dict(_numbers(json.loads(done.stdout[done.stdout.index("{\n") :]), ()))


def _numbers(told: Any, path: Sequence[str]) -> Iterator[tuple[str, float]]:
    if isinstance(told, Mapping):
        for name, value in told.items():
            yield from _numbers(value, (*path, str(name)))
    elif isinstance(told, int | float) and path[0] != "machine":
        yield ".".join(path), float(told)
