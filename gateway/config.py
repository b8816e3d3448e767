"""The configuration: gateway.yaml and the environment become one frozen Config; nobody else reads the environment."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any

from gateway.events import DEFAULT_FORWARDED, EventType


@dataclass(frozen=True)
class Destination:
    """One Lumail organization. `requests_per_minute` is the plan's limit, or the number given in its place."""

    name: str
    base_url: str
    api_token: str = field(repr=False)
    requests_per_minute: int
    doubt_seconds_money: int = 600
    doubt_seconds_other: int = 120


@dataclass(frozen=True)
class Source:
    """One endpoint, /webhooks/<name>. `max_age` None leaves the age of a signature to the scheme."""

    name: str
    adapter: str
    destination: str
    secrets: tuple[str, ...] = field(repr=False)
    forward: frozenset[EventType] = DEFAULT_FORWARDED
    settle_seconds: int = 5
    accept_test_events: bool = False
    max_age: timedelta | None = None
    options: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True)
class Config:
    """Everything that an operator decides. `redis_url` None asks for the private Redis in `data`."""

    file: Path
    data: Path
    sandbox: bool
    public_url: str
    trusted_proxies: int
    max_body_bytes: int
    destinations: Mapping[str, Destination]
    sources: Mapping[str, Source]
    disabled_sources: frozenset[str]
    database_url: str
    redis_url: str | None = field(repr=False)
    secret_key: str = field(repr=False)
    metrics_token: str | None = field(repr=False)
    host: str
    port: int
