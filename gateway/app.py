"""The web process: the door, the desk, health and metrics put together around one ledger."""

import atexit
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import redis
import structlog
from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from gateway import embedded
from gateway.bell import Bell, connect
from gateway.config import AdapterTerms, Config, Flags, configuration_file, load
from gateway.desk import Desk, desk
from gateway.errors import AdapterError, ConfigError
from gateway.health import health
from gateway.intake.drift import DriftWatch
from gateway.intake.endpoints import Door, endpoints
from gateway.intake.refusals import Refusals
from gateway.intake.route import routes
from gateway.ledger import copies, fingerprints
from gateway.ledger.commit import Committer
from gateway.ledger.database import Ledger
from gateway.ledger.fingerprints import Moved
from gateway.ledger.migration import migrate
from gateway.ledger.telling import Recorded, Submission
from gateway.replay.resting import fingerprint_of
from gateway.translation.adapter import Adapter
from gateway.translation.registry import adapters, beside

_log = structlog.get_logger()

METRICS_FOLDER = "metrics"
"""In the data folder: where the processes of one machine count together."""


def configured(flags: Flags, environ: Mapping[str, str]) -> Config:
    """The configuration, judged with all adapters that there are. Raises ConfigError with every fault."""
    try:
        known = adapters(beside(configuration_file(flags, environ)))
    except AdapterError as error:
        raise ConfigError(*str(error).splitlines()) from error
    return load(flags, environ, {name: _terms(adapter) for name, adapter in known.items()})


def _terms(adapter: Adapter) -> AdapterTerms:
    def check_secret(options: Mapping[str, Any], secret: str) -> str | None:
        return adapter.scheme(options).check_secret(secret)

    def generate(options: Mapping[str, Any]) -> tuple[str, str]:
        pair = adapter.scheme(options).generate()
        return pair.verifying, pair.signing

    return AdapterTerms(adapter.options, check_secret, generate, adapter.needs_secret)


def prepare(config: Config) -> None:
    """What has to stand before any process of the gateway starts: the ledger's tables and its destinations.

    Raises ConfigError where events would go elsewhere than they were meant to. A ledger that was copied or restored
    delivers nothing from now on until somebody resumes.
    """
    ledger = Ledger(config.database_url)
    try:
        migrate(ledger)
        strange = copies.recognise(ledger, config.data, config.destinations, sandbox=config.sandbox)
        if strange is not None:
            _log.error("ledger.copied", why=strange, advice="lumail-gateway destinations resume NAME")
        found = {name: fingerprint_of(destination) for name, destination in config.destinations.items()}
        with ledger.write(config.destinations) as connection:
            moved = fingerprints.register(connection, found, standing_in=config.sandbox)
        if moved:
            raise ConfigError(*map(_refused, moved))
    finally:
        ledger.close()


def _refused(one: Moved) -> str:
    return (
        f"destinations.{one.name}.base_url: was {one.was} and is now {one.is_now}. What waits would go there. "
        f"If that is right: lumail-gateway destinations accept {one.name}"
    )


def redis_url(config: Config) -> str:
    """Where Redis is, or will be once it is started."""
    return config.redis_url or embedded.url(config.data)


def application() -> Flask:
    """The WSGI application of a web process that was started with its settings in the environment."""
    return create_app(configured(Flags(), os.environ))


def create_app(config: Config) -> Flask:
    """The WSGI application. Made once in each web process, after any fork; `prepare` has run before."""
    ledger = Ledger(config.database_url)
    bell = Bell(redis_url(config))
    refusals, drift = Refusals(ledger), DriftWatch(ledger)

    def ring(done: Sequence[tuple[Submission, Recorded]]) -> None:
        for destination in {one.destination for one, recorded in done if recorded.due_at is not None}:
            bell.ring(destination)

    committer = Committer(ledger, after_commit=ring)
    app = Flask("gateway", static_folder=None)
    app.secret_key = config.secret_key
    known = adapters(beside(config.file))
    ready = routes(config, known)
    door = Door(
        routes=ready,
        committer=committer,
        refusals=refusals,
        drift=drift,
        public_url=config.public_url.rstrip("/"),
        max_body_bytes=config.max_body_bytes,
    )
    app.register_blueprint(endpoints(door))
    app.register_blueprint(
        health(ledger, _redis_question(redis_url(config)), config.data / METRICS_FOLDER, config.metrics_token)
    )
    for blueprint in desk(Desk(ledger, config, ready, known, bell)):
        app.register_blueprint(blueprint)
    if config.trusted_proxies:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=config.trusted_proxies, x_proto=config.trusted_proxies)  # type: ignore[method-assign]  # Flask's own way to add middleware
    atexit.register(refusals.close)
    atexit.register(drift.close)
    return app


def _redis_question(url: str) -> Callable[[], bool]:
    connection = connect(url)

    def answers() -> bool:
        try:
            return bool(connection.ping())
        except redis.RedisError:
            return False

    return answers
