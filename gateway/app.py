"""The web process: the door, the desk, health and metrics put together around one ledger."""

import atexit
import os
from collections.abc import Mapping, Sequence
from functools import partial

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from gateway.attention import Watched, attention, counts, gathered
from gateway.config import Config, Flags
from gateway.desk import Desk, desk
from gateway.intake.drift import DriftWatch
from gateway.intake.endpoints import EndpointServices, endpoints
from gateway.intake.refusals import Refusals
from gateway.intake.route import routes
from gateway.ledger import heartbeats
from gateway.ledger.database import Ledger
from gateway.ledger.facts.submission import Recorded, Submission
from gateway.ledger.recording.commit import Committer
from gateway.runtime.bridge import Served
from gateway.runtime.collecting import Bounds
from gateway.runtime.health import MetricsParts, health
from gateway.runtime.heartbeat import Heartbeat
from gateway.runtime.readiness import PATIENCE, Readiness, readiness
from gateway.runtime.recent import Recent
from gateway.runtime.redis_trouble import looker
from gateway.runtime.wakeups import Wakeups
from gateway.startup import METRICS_FOLDER, awaited_redis, configured, redis_url, weak_secrets
from gateway.translation.registry import adapters, beside

BODIES_FOLDER = "bodies"
"""In the data folder: where large bodies wait until they are whole, in files without a name."""

REDIS_PATIENCE = 0.5
"""Seconds that /readyz waits for Redis, on which it does not depend."""


def application() -> Served:
    """What a web process answers with that was started with its settings in the environment."""
    config = configured(Flags(), os.environ)
    folder = config.data / BODIES_FOLDER
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    look = looker(awaited_redis(config))
    heartbeat = Heartbeat(config.database_url, heartbeats.WEB, config.data, look)
    heartbeat.start()
    atexit.register(heartbeat.close)
    bounds = Bounds(config.max_body_bytes, trusted_proxies=config.trusted_proxies, spill_to=folder)
    return Served(create_app(config), bounds)


def create_app(config: Config) -> Flask:
    """The WSGI application. Made once in each web process, after any fork; `prepare` has run before."""
    ledger = Ledger(config.database_url)
    wakeups = Wakeups(redis_url(config))
    refusals, drift = Refusals(ledger), DriftWatch(ledger)

    def notify(done: Sequence[tuple[Submission, Recorded]]) -> None:
        for destination in {one.destination for one, recorded in done if recorded.due_at is not None}:
            wakeups.notify(destination)

    committer = Committer(ledger, after_commit=notify)
    app = Flask("gateway", static_folder=None)
    app.secret_key = config.secret_key
    known = adapters(beside(config.file))
    ready = routes(config, known)
    door = EndpointServices(
        routes=ready,
        committer=committer,
        refusals=refusals,
        drift=drift,
        public_url=config.public_url.rstrip("/"),
        max_body_bytes=config.max_body_bytes,
    )
    app.register_blueprint(endpoints(door))
    look = looker(awaited_redis(config))
    ready_now = Recent(partial(readiness, ledger), PATIENCE)
    weak = weak_secrets(config)

    def trouble() -> str | None:
        return (ready_now.get() or Readiness("it has not answered for some seconds")).trouble

    def needs() -> Mapping[tuple[str, ...], int]:
        return counts(attention(gathered(ledger, Watched(config, weak), trouble())))

    app.register_blueprint(
        health(
            ledger,
            ready_now,
            Recent(lambda: (look(),), REDIS_PATIENCE),
            MetricsParts(config.data / METRICS_FOLDER, config.metrics_token, config.data, needs),
        )
    )
    for blueprint in desk(Desk(ledger, config, ready, known, wakeups, weak, trouble)):
        app.register_blueprint(blueprint)
    if config.trusted_proxies:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=config.trusted_proxies, x_proto=config.trusted_proxies)  # type: ignore[method-assign]  # Flask's own way to add middleware
    atexit.register(refusals.close)
    atexit.register(drift.close)
    return app
