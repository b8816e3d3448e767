"""What every process does before its own work: reads the configuration, and sees to it that the ledger stands."""

from collections.abc import Mapping, Sequence
from typing import Any

import structlog

from gateway.config import AdapterTerms, Config, Flags, configuration_file, load
from gateway.errors import AdapterError, ConfigError
from gateway.ledger.database import Ledger
from gateway.ledger.migration import migrate
from gateway.ledger.outbox import destination_identity, restore_guard
from gateway.ledger.outbox.destination_identity import Moved
from gateway.replay.resting import fingerprint_of
from gateway.runtime import private_redis
from gateway.runtime.private_files import hide_folder
from gateway.runtime.wakeups import refuse_cluster
from gateway.translation.adapter import Adapter
from gateway.translation.registry import adapters, beside
from gateway.translation.secret_strength import weakness

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
        if secret in adapter.published_secrets:
            return f"is printed in the documentation of {adapter.title}: anybody could sign with it; copy your own"
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
    hidden = hide_folder(config.data)
    if hidden:
        _log.warning("data_folder.hidden", folder=str(config.data), changed=hidden, why="others could read it")
    for name, weak in weak_secrets(config).items():
        _log.warning("secret.weak", source=name, why="; ".join(weak))
    if config.redis_url is not None:
        refuse_cluster(config.redis_url)
    ledger = Ledger(config.database_url)
    try:
        migrate(ledger)
        strange = restore_guard.recognise(ledger, config.data, config.destinations, sandbox=config.sandbox)
        if strange is not None:
            _log.error("ledger.copied", why=strange, advice="lumail-gateway destinations resume NAME")
        found = {name: fingerprint_of(destination) for name, destination in config.destinations.items()}
        with ledger.write(config.destinations) as connection:
            moved = destination_identity.register(connection, found, standing_in=config.sandbox)
        if moved:
            raise ConfigError(*map(_refused, moved))
    finally:
        ledger.close()


def _refused(one: Moved) -> str:
    return (
        f"destinations.{one.name}.base_url: was {one.was} and is now {one.is_now}. What waits would go there. "
        f"If that is right: lumail-gateway destinations accept {one.name}"
    )


def weak_secrets(config: Config) -> Mapping[str, Sequence[str]]:
    """What is weak about the secrets of each source that has such. It stops nothing: what runs goes on."""
    if config.sandbox:
        return {}
    known = adapters(beside(config.file))
    found: dict[str, list[str]] = {}
    for name, source in config.sources.items():
        adapter = known[source.adapter]
        for number, secret in enumerate(source.secrets, 1):
            weak = weakness(adapter, adapter.scheme(source.options), secret)
            if weak is not None:
                found.setdefault(name, []).append(f"secret {number} is weak: {weak}")
    return found


def redis_url(config: Config) -> str:
    """Where Redis is, or will be once it is started."""
    return config.redis_url or private_redis.url(config.data)


def awaited_redis(config: Config) -> str | None:
    """The same; None where there is to be none: nobody named one, and this machine has no program for it."""
    absent = config.redis_url is None and private_redis.binary() is None
    return None if absent else redis_url(config)
