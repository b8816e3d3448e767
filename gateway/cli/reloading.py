"""How a running `up` or `web` takes other settings: files and secrets are read again, and judged first."""

import json
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

import structlog

from gateway.config import Config
from gateway.config.schemas import EnvironmentSchema, keys_of
from gateway.errors import ConfigError, GatewayError, LedgerError
from gateway.runtime.supervised import RELOADED
from gateway.runtime.supervisor import Child, Reload
from gateway.startup import prepare
from gateway.translation import registry

NEED_A_RESTART = {
    "data": "the data folder",
    "sandbox": "whether it is a sandbox",
    "sandbox_url": "where Lumail's stand-in is",
    "host": "GATEWAY_HOST",
    "port": "PORT",
}
"""Fields of the configuration that the parts which stay are started with."""

_REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")

_log = structlog.get_logger()

Read = Callable[[], tuple[Config, Mapping[str, str]]]


@dataclass(frozen=True)
class Started:
    """What a command was started with. `children` makes those processes that settings can be changed for."""

    config: Config
    read: Read
    children: Callable[[Config, Mapping[str, str]], Sequence[Child]]


def reload_of(started: Started) -> Reload:
    """For the supervisor. How the last reload went stands in the data folder, where the desk shows it."""
    return Reload(partial(_children, started), partial(_tell, started.config))


def _children(started: Started) -> Sequence[Child]:
    """Raises GatewayError with every fault; nothing has changed then."""
    registry.forget()
    try:
        config, environ = started.read()
        _refuse_what_stays(started.config, config)
        prepare(config)
    except OSError as error:
        raise LedgerError(f"the settings can't be read: {error}") from error
    fixed = in_environment(config, os.environ)
    if fixed:
        _log.info("reload.unchangeable", variables=fixed, why="set in the environment of the process: restart it")
    return started.children(config, environ)


def in_environment(config: Config, environ: Mapping[str, str]) -> list[str]:
    """The variables that a reload can't change, since the environment itself sets them and not a file."""
    wanted = {*_REFERENCE.findall(config.file.read_text(errors="replace")), *keys_of(EnvironmentSchema())}
    return sorted(name for name in wanted if environ.get(name))


def _refuse_what_stays(before: Config, now: Config) -> None:
    faults = [
        f"{named} was {getattr(before, field)} and would be {getattr(now, field)}: restart the gateway for that"
        for field, named in NEED_A_RESTART.items()
        if getattr(before, field) != getattr(now, field)
    ]
    if (before.redis_url is None) != (now.redis_url is None):
        faults.append("REDIS_URL was set or taken away, and the private Redis stays: restart the gateway for that")
    if faults:
        raise ConfigError(*faults)


def _tell(config: Config, wrong: str | None) -> None:
    told = {
        "at": datetime.now(UTC).isoformat(),
        "faults": [] if wrong is None else wrong.splitlines(),
        "unchangeable": _fixed(config),
    }
    file = config.data / RELOADED
    fresh = file.with_suffix(".new")
    try:
        fresh.write_text(json.dumps(told, indent=2) + "\n")
        fresh.replace(file)
    except OSError as error:
        _log.warning("reload.not_noted", error=str(error))


def _fixed(config: Config) -> list[str]:
    try:
        return in_environment(config, os.environ)
    except (OSError, GatewayError):
        return []
