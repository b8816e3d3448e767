"""The command `python -m benchmarks`: what is measured, in one run, and how it is shown."""

import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import click

from benchmarks import against, batch, claims, desk, disk, door, drain, memory, plan, replay, translation
from benchmarks.stage import Stage, stage

_MEASURES: Mapping[str, tuple[Callable[[Stage, bool], dict[str, Any]], Callable[[Mapping[str, Any]], list[str]]]] = {
    "door": (lambda on, quick: door.measure(on, door.QUICK if quick else door.FULL), door.lines),
    "batch": (lambda on, quick: batch.measure(on, 3 if quick else 20), batch.lines),
    "drain": (lambda on, quick: drain.measure(on, drain.QUICK if quick else drain.FULL), drain.lines),
    "claims": (lambda on, quick: claims.measure(on, claims.QUICK if quick else claims.FULL), claims.lines),
    "translation": (translation.measure, translation.lines),
    "backlog": (lambda on, quick: claims.drain_backlog(on, 2_000 if quick else 100_000), claims.backlog_lines),
    "plan": (lambda on, quick: plan.measure(on, ("premium",) if quick else tuple(plan.PLANS)), plan.lines),
    "desk": (lambda on, quick: desk.measure(on, desk.QUICK if quick else desk.FULL), desk.lines),
    "replay": (lambda on, quick: replay.measure(on, replay.QUICK if quick else replay.FULL), replay.lines),
    "disk": (lambda on, quick: disk.measure(on, disk.QUICK if quick else disk.FULL), disk.lines),
    "memory": (lambda on, quick: memory.measure(on), memory.lines),
}


@click.command()
@click.option("--quick", is_flag=True, help="Fewer rounds: a few minutes, and less certain.")
@click.option("--only", default=",".join(_MEASURES), show_default=True, help="Which, with commas between.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of tables.")
@click.option("--against", "revision", metavar="REV", help="Measure that revision too, in turns, and say the ratios.")
def main(quick: bool, only: str, as_json: bool, revision: str | None) -> None:
    """Measure the gateway on this machine. Ratios within one run hold; absolute figures are this machine's."""
    chosen = [name.strip() for name in only.split(",")]
    if unknown := [name for name in chosen if name not in _MEASURES]:
        raise click.BadParameter(f"{', '.join(unknown)}: there are {', '.join(_MEASURES)}")
    if revision is not None:
        _show(against.compare(revision, only, quick=quick))
        return
    found: dict[str, Any] = {}
    with stage() as on:
        found["machine"] = {"cores": os.cpu_count(), "load": os.getloadavg()[0], "fsync_ms": _fsync(on.folder)}
        if not as_json:
            _show(_machine(found["machine"]))
        for name in chosen:
            measured, lines = _MEASURES[name]
            began = time.monotonic()
            found[name] = measured(on, quick)
            if not as_json:
                _show([*lines(found[name])[:-1], f"  ({time.monotonic() - began:.0f} s)", ""])
    if as_json:
        click.echo(json.dumps(found, indent=2))


def _fsync(folder: Path) -> float:
    """Milliseconds that this disk takes to keep a page; no durable commit is faster."""
    taken = []
    with (folder / "fsync").open("wb", buffering=0) as file:
        for _ in range(100):
            file.write(bytes(4096))
            began = time.perf_counter()
            os.fdatasync(file.fileno())
            taken.append((time.perf_counter() - began) * 1000)
    return median(taken)


def _machine(told: Mapping[str, Any]) -> Sequence[str]:
    disk = f"the disk keeps a page in {told['fsync_ms']:.2f} ms"
    return [f"{told['cores']} cores, load {told['load']:.1f} before it began, {disk}", ""]


def _show(lines: Sequence[str]) -> None:
    click.echo("\n".join(lines))


if __name__ == "__main__":
    main()
