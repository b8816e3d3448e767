"""How the gateway is seen from outside: alive, ready, and its metrics."""

import hmac
import ipaddress
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from flask import Blueprint, Response, jsonify, request
from flask.typing import ResponseReturnValue
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from gateway.errors import LedgerUnavailableError
from gateway.ledger import heartbeats
from gateway.ledger.database import Ledger
from gateway.ledger.schema import SCHEMA
from gateway.ledger.views import gauges
from gateway.runtime.heartbeat import disk_free
from gateway.runtime.readiness import PATIENCE, Readiness
from gateway.runtime.recent import Recent
from gateway.runtime.redis_trouble import WORDS, RedisTrouble


@dataclass(frozen=True)
class MetricsParts:
    """What /metrics is made of: the folder in which all processes of this machine count, the token of who may ask, the
    data folder, and how many need a person, by severity and code.
    """

    folder: Path
    token: str | None
    data: Path
    needs: Callable[[], Mapping[tuple[str, ...], int]]


def health(
    ledger: Ledger,
    ready: Recent[Readiness],
    redis: Recent[tuple[RedisTrouble | None]],
    parts: MetricsParts,
) -> Blueprint:
    """/healthz, /readyz and /metrics."""
    blueprint = Blueprint("health", __name__)

    @blueprint.get("/healthz")
    def healthz() -> ResponseReturnValue:
        return jsonify(status="ok")

    @blueprint.get("/readyz")
    def readyz() -> ResponseReturnValue:
        """Ready is whoever can keep webhooks, and that needs the ledger alone; the rest is only told."""
        (trouble,) = redis.get() or (RedisTrouble.AWAY,)
        found = ready.get() or Readiness(f"the ledger's database has not answered for {PATIENCE:.0f} seconds")
        answer = jsonify(
            status="ok" if found.trouble is None else "unavailable",
            ledger=found.trouble or "ok",
            redis="ok" if trouble is None else WORDS[trouble],
            workers=found.workers,
            oldest_urgent_seconds=found.oldest_urgent_seconds,
        )
        answer.status_code = 200 if found.trouble is None else 503
        return answer

    @blueprint.get("/metrics")
    def metrics_page() -> ResponseReturnValue:
        if not _may_see_metrics(parts.token):
            return jsonify(error="send GATEWAY_METRICS_TOKEN as a bearer token"), 401
        registry = CollectorRegistry()
        MultiProcessCollector(registry, path=str(parts.folder))  # type: ignore[no-untyped-call]  # theirs
        registry.register(_LedgerGauges(ledger, parts))
        return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)

    return blueprint


def _may_see_metrics(token: str | None) -> bool:
    if token is not None:
        return hmac.compare_digest(request.headers.get("Authorization", "").encode(), f"Bearer {token}".encode())
    # A proxy on this machine has a loopback address too; the header tells that somebody stands behind it.
    if "X-Forwarded-For" in request.headers or "Forwarded" in request.headers:
        return False
    try:
        return ipaddress.ip_address(request.remote_addr or "").is_loopback
    except ValueError:
        return False


class _LedgerGauges(Collector):
    """Gauges that are read at each scrape, so that they are right whichever process answers."""

    def __init__(self, ledger: Ledger, parts: MetricsParts) -> None:
        self._ledger = ledger
        self._parts = parts

    def collect(self) -> Iterator[Metric]:
        yield _gauge("gateway_build_info", "The version that answers.", {(version("lumail-gateway"), SCHEMA): 1})
        yield _gauge("gateway_disk_free_bytes", "Free where the data folder lies.", {(): disk_free(self._parts.data)})
        yield _gauge("gateway_needs_attention", "What needs a person.", self._parts.needs())
        try:
            found = self._of_ledger()
        except LedgerUnavailableError:  # what does not come from it is told all the same
            return
        for name, values in found.items():
            yield _gauge(name, _TOLD[name], values)

    def _of_ledger(self) -> Mapping[str, Mapping[tuple[str, ...], float | None]]:
        with self._ledger.read() as connection:
            now = self._ledger.now(connection)
            states = gauges.events_by_state(connection)
            due = gauges.oldest_due(connection, now)
            alive = heartbeats.alive(connection, now)
            paused = gauges.paused(connection, now)
            size = gauges.size(connection)
        return {
            "gateway_events": {(name, status, lane.word): count for (name, status, lane), count in states.items()},
            "gateway_oldest_due_seconds": {(name, lane.word): seconds for (name, lane), seconds in due.items()},
            "gateway_processes": Counter((one.identity.role, one.identity.version) for one in alive),
            "gateway_redis_up": {
                (host,): float(all(one.condition.redis in _FINE for one in alive if one.identity.host == host))
                for host in {one.identity.host for one in alive}
            },
            "gateway_paused": {(name,): float(rests) for name, rests in paused.items()},
            "gateway_ledger_bytes": {(): size},
        }


_FINE = (None, RedisTrouble.ABSENT)

_TOLD: Mapping[str, str] = {
    "gateway_events": "Events in the ledger.",
    "gateway_oldest_due_seconds": "How long the oldest due event waits.",
    "gateway_processes": "Processes that live, on all machines.",
    "gateway_redis_up": "Whether each machine's processes can call workers through Redis.",
    "gateway_paused": "Whether a destination sends nothing.",
    "gateway_ledger_bytes": "How large the ledger's database is.",
}

_LABELS: Mapping[str, tuple[str, ...]] = {
    "gateway_build_info": ("version", "schema"),
    "gateway_needs_attention": ("severity", "code"),
    "gateway_events": ("destination", "status", "lane"),
    "gateway_oldest_due_seconds": ("destination", "lane"),
    "gateway_processes": ("role", "version"),
    "gateway_redis_up": ("host",),
    "gateway_paused": ("destination",),
}


def _gauge(name: str, told: str, values: Mapping[tuple[str, ...], float | None]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, told, labels=_LABELS.get(name, ()))
    for labels, value in values.items():
        if value is not None:
            family.add_metric(labels, value)
    return family
