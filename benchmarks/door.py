"""The door: how many durable webhooks a second, how quickly, beside its rivals, and where the time goes."""

from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from statistics import median
from typing import Any

from benchmarks import rivals, samples, steps
from benchmarks.load import Load, post_all
from benchmarks.stage import KINDS, WEB_PROCESSES, Gateway, Stage, Web, gateway, web_processes

CONNECTIONS = 32
APPLICATIONS = {
    "gateway": "gateway.app:application",
    "durable": "benchmarks.rivals:durable",
    "bare": "benchmarks.rivals:bare",
}
DESCRIBED = {
    "gateway": "the gateway",
    "durable": "minimal: HMAC, JSON, one row, group commit",
    "bare": "reads the body only",
}


@dataclass(frozen=True)
class Size:
    rounds: int
    requests: int


FULL = Size(rounds=7, requests=3000)
QUICK = Size(rounds=2, requests=500)


@dataclass(frozen=True)
class Sent:
    """A run of requests; `cpu` (milliseconds) and `switches` are the web processes' for one of them."""

    load: Load
    cpu: float
    switches: float


@dataclass(frozen=True)
class Figures:
    """Medians of the rounds; milliseconds. `cpu` is what the web processes took for one request, `switches` how often
    their threads changed for it.

    `of_durable` is the rate as a share of the durable rival's in the same round.
    """

    rate: float
    p50: float
    p99: float
    cpu: float
    switches: float
    of_durable: float
    sender: float
    refused: int


def measure(on: Stage, size: Size) -> dict[str, Any]:
    """Both databases, by name."""
    return {kind: _on_database(on, kind, size) for kind in KINDS}


def _on_database(on: Stage, kind: str, size: Size) -> dict[str, Any]:
    with ExitStack() as ends:
        ready = ends.enter_context(gateway(on, on.database(kind)))
        sender = ends.enter_context(ProcessPoolExecutor(1, get_context("spawn")))
        apart = on.database(kind)
        rivals.prepare(apart)
        env = {**ready.env, rivals.DATABASE: apart, rivals.SECRET: ready.keys["stripe"].verifying}
        webs = {
            name: ends.enter_context(web_processes(on, application, env)) for name, application in APPLICATIONS.items()
        }

        def send(web: Web, count: int, series: str) -> Sent:
            requests = samples.payments(count, ready.keys["stripe"].signing, series)
            cpu, switches = web.cpu_seconds(), web.switches()
            load: Load = sender.submit(post_all, web.port, requests, CONNECTIONS).result()
            return Sent(load, (web.cpu_seconds() - cpu) * 1000 / count, (web.switches() - switches) / count)

        for name, web in webs.items():
            send(web, 400, f"warming {name}")
        rounds = [
            {name: send(web, size.requests, f"{name} {number}") for name, web in webs.items()}
            for number in range(size.rounds)
        ]
        told: dict[str, Any] = {name: asdict(_figures(rounds, name)) for name in APPLICATIONS}
        told["steps"] = _steps(on, ready, size, send)
        return told


def _figures(rounds: list[dict[str, Sent]], name: str) -> Figures:
    loads = [one[name].load for one in rounds]
    return Figures(
        rate=median(load.rate for load in loads),
        p50=median(load.latency(0.5) for load in loads),
        p99=median(load.latency(0.99) for load in loads),
        cpu=median(one[name].cpu for one in rounds),
        switches=median(one[name].switches for one in rounds),
        of_durable=median(one[name].load.rate / one["durable"].load.rate for one in rounds),
        sender=median(load.sender for load in loads),
        refused=sum(load.refused for load in loads),
    )


def _steps(
    on: Stage, ready: Gateway, size: Size, send: Callable[[Web, int, str], Sent]
) -> Mapping[str, Mapping[str, float]]:
    """By step: milliseconds of waiting and of CPU for one request. The server's own are what the process took more."""
    folder = on.new_folder("steps")
    with web_processes(on, "benchmarks.steps:application", {**ready.env, steps.FOLDER: str(folder)}) as web:
        cpu = send(web, size.requests, "steps").cpu
    sums = steps.read(folder)
    told = {
        step: {"wall": wall * 1000 / size.requests, "cpu": cpu_seconds * 1000 / size.requests}
        for step, (_, wall, cpu_seconds) in sums.items()
    }
    told["server"] = {"wall": 0.0, "cpu": cpu - sum(one["cpu"] for one in told.values())}
    told["group"] = {"size": size.requests / max(1.0, sums["commit"][0])}
    return told


def lines(told: Mapping[str, Any]) -> list[str]:
    text = []
    for kind, found in told.items():
        text += [f"Door on {kind}: {CONNECTIONS} connections, {WEB_PROCESSES} web process(es), Stripe events of 2 KB"]
        text += ["                                            req/s   p50 ms   p99 ms   CPU ms   switches   of minimal"]
        for name in APPLICATIONS:
            one = found[name]
            figures = (
                f"{one['rate']:6.0f} {one['p50']:8.1f} {one['p99']:8.1f} {one['cpu']:8.2f} {one['switches']:10.2f}"
            )
            refused = f"   {one['refused']} REFUSED" if one["refused"] else ""
            text.append(f"  {DESCRIBED[name]:42} {figures} {one['of_durable']:11.0%}{refused}")
        text += [f"  steps of one webhook, {found['steps']['group']['size']:.0f} in a group"]
        for step, one in found["steps"].items():
            if step != "group":
                text.append(f"    {step:24} wall {one['wall']:6.2f} ms   CPU {one['cpu']:5.2f} ms")
        text.append("")
    return text
