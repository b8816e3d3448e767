"""What the configuration says once it is read: frozen, checked, free of references."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any

from marshmallow import Schema

from gateway.events import DEFAULT_FORWARDED, EventType
from gateway.outgoing import STRAIGHT, Outgoing


@dataclass(frozen=True)
class Destination:
    """One Lumail organization. `requests_per_minute` is the plan's limit, or the number given in its place.

    `annotate` False sends an event's own fields only, `refund_sign` ``negative`` turns the amounts of refunds.
    `currency` is that of Lumail's number; what becomes of money in `other_currencies`: send, hold or drop. None: it is
    sent, and the first of it needs a person.
    """

    name: str
    base_url: str
    api_token: str = field(repr=False)
    requests_per_minute: int
    doubt_seconds_money: int = 600
    doubt_seconds_other: int = 120
    unknown_subscriber: str = "wait"
    annotate: bool = True
    refund_sign: str = "positive"
    currency: str | None = None
    other_currencies: str | None = None
    hold_for: timedelta = timedelta(days=30)
    outgoing: Outgoing = STRAIGHT


@dataclass(frozen=True)
class Source:
    """One endpoint, /webhooks/<name>. `max_age` None leaves the age of a signature to the scheme.

    `expire_after` says how long after it happened an event is worth sending, `once_per` by which field of its data
    the events of one subscriber count once.
    `ignore` are types of the provider's that are left out on purpose besides those of the adapter. `expect_every` is
    how long it may be silent, None: for ever.
    `account` is the provider's account that source events belong to which name none.
    `options` are the adapter's own, defaults filled in; a URL among them may hold a password.
    """

    name: str
    adapter: str
    destination: str
    secrets: tuple[str, ...] = field(repr=False)
    forward: frozenset[EventType] = DEFAULT_FORWARDED
    settle_seconds: int = 5
    accept_test_events: bool = False
    max_age: timedelta | None = None
    options: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}), repr=False)
    expire_after: Mapping[EventType, timedelta] = field(default_factory=lambda: MappingProxyType({}))
    once_per: Mapping[EventType, str] = field(default_factory=lambda: MappingProxyType({}))
    account: str | None = None
    ignore: tuple[str, ...] = ()
    expect_every: timedelta | None = None


@dataclass(frozen=True)
class Retention:
    """How long what is kept: bodies and headers of webhooks, requests to Lumail, settled events with their webhooks,
    and what webhooks taught.
    """

    bodies: timedelta = timedelta(days=30)
    attempts: timedelta = timedelta(days=90)
    events: timedelta = timedelta(days=400)
    memory: timedelta = timedelta(days=400)


@dataclass(frozen=True)
class Config:
    """Everything that an operator decides.

    `redis_url` None asks for the private Redis in `data`. `sandbox_url` is the base URL of every destination in the
    sandbox, and None outside it. `outgoing` is for what is fetched from elsewhere; each destination has its own.
    """

    file: Path
    data: Path
    sandbox: bool
    public_url: str
    trusted_proxies: int
    max_body_bytes: int
    destinations: Mapping[str, Destination]
    sources: Mapping[str, Source]
    disabled_sources: frozenset[str]
    database_url: str = field(repr=False)
    redis_url: str | None = field(repr=False)
    secret_key: str = field(repr=False)
    metrics_token: str | None = field(repr=False)
    host: str
    port: int
    sandbox_url: str | None = None
    retention: Retention = Retention()
    outgoing: Outgoing = STRAIGHT

    @property
    def plans(self) -> Mapping[str, int]:
        """The destinations with their requests a minute."""
        return {name: one.requests_per_minute for name, one in self.destinations.items()}

    @property
    def mixing(self) -> Mapping[str, str | None]:
        """The destinations of which nothing here decides whether currencies are mixed, with their own currency."""
        return {name: one.currency for name, one in self.destinations.items() if one.other_currencies is None}


@dataclass(frozen=True)
class AdapterTerms:
    """What an adapter asks of its sources; whoever knows the adapters makes one of each.

    `options` is the schema of the adapter's own options.
    `check_secret(options, secret)` says what is wrong with the form of a secret, never quoting it, or None.
    `generate(options)` makes a secret for the sandbox: the verifying half and the signing half.
    `needs_secret` is False where a source may do without any.
    """

    options: type[Schema]
    check_secret: Callable[[Mapping[str, Any], str], str | None]
    generate: Callable[[Mapping[str, Any]], tuple[str, str]]
    needs_secret: bool = True
