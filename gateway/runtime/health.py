"""How the gateway is seen from outside: alive, ready, and its metrics."""

import hmac
import ipaddress
from collections.abc import Callable, Iterator
from pathlib import Path

from flask import Blueprint, Response, jsonify, request
from flask.typing import ResponseReturnValue
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from gateway.errors import LedgerUnavailableError
from gateway.ledger.database import Ledger
from gateway.ledger.views import gauges


def health(ledger: Ledger, redis_answers: Callable[[], bool], metrics: Path, metrics_token: str | None) -> Blueprint:
    """/healthz, /readyz and /metrics. `metrics` is the folder in which all processes of this machine count."""
    blueprint = Blueprint("health", __name__)

    @blueprint.get("/healthz")
    def healthz() -> ResponseReturnValue:
        return jsonify(status="ok")

    @blueprint.get("/readyz")
    def readyz() -> ResponseReturnValue:
        """Ready is whoever can take webhooks, and that needs the ledger alone."""
        redis = "ok" if redis_answers() else "away: webhooks are taken, delivery goes on when it is back"
        try:
            with ledger.read() as connection:
                ledger.now(connection)
                ledger.refuse_outdated(connection)
                connection.exec_driver_sql("SELECT name FROM destinations LIMIT 1")
        except LedgerUnavailableError as error:
            return jsonify(status="unavailable", ledger=str(error), redis=redis), 503
        return jsonify(status="ok", ledger="ok", redis=redis)

    @blueprint.get("/metrics")
    def metrics_page() -> ResponseReturnValue:
        if not _may_see_metrics(metrics_token):
            return jsonify(error="send GATEWAY_METRICS_TOKEN as a bearer token"), 401
        registry = CollectorRegistry()
        MultiProcessCollector(registry, path=str(metrics))  # type: ignore[no-untyped-call]  # theirs
        registry.register(_LedgerGauges(ledger))
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
    """Gauges that are read from the ledger at each scrape, so that they are right whichever process answers."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def collect(self) -> Iterator[Metric]:
        events = GaugeMetricFamily("gateway_events", "Events in the ledger.", labels=["destination", "status", "lane"])
        oldest = GaugeMetricFamily(
            "gateway_oldest_due_seconds", "How long the oldest due event waits.", labels=["destination", "lane"]
        )
        with self._ledger.read() as connection:
            for (destination, status, lane), count in gauges.events_by_state(connection).items():
                events.add_metric([destination, status, lane.word], count)
            for (destination, lane), seconds in gauges.oldest_due(connection, self._ledger.now(connection)).items():
                oldest.add_metric([destination, lane.word], seconds)
        yield events
        yield oldest
