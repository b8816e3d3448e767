"""A source made ready: its adapter, its signature scheme and the names of its secrets."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from gateway import http_get
from gateway.config import Config, Destination, Source
from gateway.ledger.identity import fingerprint
from gateway.translation.adapter import Adapter
from gateway.translation.signature import Fetch, Scheme, SelfProving


@dataclass(frozen=True)
class Route:
    """What /webhooks/<source> needs to know; `secrets` are the fingerprints, in the order of the configuration.

    `currencies` is the currency of the destination, and what becomes of money in another one where that is not sent.
    `fetch` gets what a proof or a confirmation needs from elsewhere.
    """

    source: Source
    adapter: Adapter
    scheme: Scheme
    secrets: tuple[str, ...]
    currencies: tuple[str, str] | None = None
    fetch: Fetch = http_get.get


def routes(config: Config, adapters: Mapping[str, Adapter]) -> dict[str, Route]:
    """One route a source that is enabled."""
    made = {}
    fetch = partial(http_get.get, outgoing=config.outgoing)
    for name, source in config.sources.items():
        adapter = adapters[source.adapter]
        marks = tuple(fingerprint(secret) for secret in source.secrets)
        scheme = adapter.scheme(source.options)
        if isinstance(scheme, SelfProving):
            scheme = scheme.fetching(fetch)
        currencies = _currencies(config.destinations[source.destination])
        made[name] = Route(source, adapter, scheme, marks, currencies, fetch)
    return made


def _currencies(destination: Destination) -> tuple[str, str] | None:
    if destination.currency is None or destination.other_currencies in (None, "send"):
        return None
    return destination.currency, destination.other_currencies
