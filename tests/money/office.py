"""The gateway between a provider's posts and Lumail, in one process, where time is an argument."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from gateway.config import Destination, Source
from gateway.delivery.tick import drop_outdated
from gateway.intake.accept import submission
from gateway.intake.memory_cache import MemoryCache
from gateway.intake.route import Route
from gateway.ledger.database import Ledger
from gateway.ledger.facts.submission import Recorded
from gateway.ledger.identity import fingerprint
from gateway.ledger.migration import migrate
from gateway.ledger.recording.commit import record_group
from gateway.ledger.schema import events, webhooks
from gateway.lumail.sandbox import Sandbox, SandboxServer, SandboxSettings, create_sandbox, sandbox_of
from gateway.lumail.transport import Transport
from gateway.translation.registry import adapters
from gateway.translation.signature import verify
from gateway.translation.webhook import Headers, Webhook
from tests.making import add_destinations, rows
from tests.money.spans import Found
from tests.money.telling import BEGIN
from tests.town import Town

SECRET = "whsec_of_the_office"
URL = "https://hooks.example.com/webhooks/office"
TOKEN = "lum_of_the_office"
MONEY = {"SUBSCRIBER_PAYMENT": "payment", "SUBSCRIBER_REFUND": "refund"}


BETWEEN_CHORES = timedelta(hours=6)


class TimedLedger(Ledger):
    """A ledger whose clock is set by hand."""

    time = BEGIN

    def now(self, connection: object) -> datetime:
        return self.time


@dataclass(frozen=True)
class Post:
    """A request of a provider: headers are those besides the signature's."""

    source: str
    body: Mapping[str, Any]
    headers: Mapping[str, str] = field(default_factory=dict)
    form: bool = False


@dataclass
class Office:
    """`post` takes a group in that comes at once; `until` lets time pass, in which whatever is due is delivered."""

    town: Town
    ledger: TimedLedger
    routes: dict[str, Route] = field(default_factory=dict)
    memory_cache: MemoryCache = field(default_factory=MemoryCache)
    signing: dict[str, str] = field(default_factory=dict)

    @property
    def now(self) -> datetime:
        return self.town.now

    def serve(self, sources: Sequence[Source]) -> None:
        """Have these sources."""
        self.routes.update({one.name: _route(one) for one in sources})

    def open(self, name: str, adapter: str, **options: Any) -> None:
        """Have one source more, with a secret of the kind that its adapter asks for."""
        made = source(name, adapter, **options)
        pair = adapters()[adapter].scheme(made.options).generate()
        self.serve([replace(made, secrets=(pair.verifying,))])
        self.signing[name] = pair.signing

    def post(self, *posts: Post) -> list[Recorded]:
        """All are translated before one of them is recorded, as on several threads."""
        self.ledger.time = self.now
        submissions = []
        for one in posts:
            route = self.routes[one.source]
            kind = "application/x-www-form-urlencoded" if one.form else "application/json"
            body = urlencode(one.body) if one.form else json.dumps(one.body, default=float)
            headers = Headers({"Content-Type": kind, **one.headers})
            webhook = Webhook(one.source, URL, headers, body.encode(), self.now)
            signed = route.scheme.sign(webhook, self.signing.get(one.source, SECRET), self.now)
            verified = verify(route.scheme, signed, route.source.secrets)
            submissions.append(self.memory_cache.corrected_by(submission(route, verified, self.memory_cache.recall)))
        with self.ledger.write(["main"]) as connection:
            return record_group(connection, self.ledger, submissions)

    def until(self, end: datetime) -> None:
        """Deliver what is due, and do the chores of a worker, though not each minute."""
        while self.now < end:
            self.town.until(min(end, self.now + BETWEEN_CHORES))
            self.ledger.time = self.now
            drop_outdated(self.ledger, {"main": self.town.destination})

    def later(self, **by: float) -> None:
        """Let so much time pass."""
        self.until(self.now + timedelta(**by))

    def found(self) -> list[Found]:
        """What Lumail has recorded of money."""
        return [
            (one["subscriber"], one["data"]["currency"], MONEY[one["eventType"]], Decimal(str(one["data"]["amount"])))
            for one in self.town.sandbox.events()
            if one["eventType"] in MONEY
        ]

    def unsettled(self) -> list[tuple[str, str | None, str | None]]:
        """What is neither delivered nor held or dropped with a reason, and webhooks that were not understood."""
        odd = [one for one in self.kept() if one[0] not in ("held", "dropped") or one[1] is None]
        found = rows(self.ledger, webhooks, "outcome", "source")
        return [*odd, *((outcome, None, name) for outcome, name in found if outcome == "quarantined")]

    def kept(self) -> list[tuple[str, str | None, str | None]]:
        """Status, reason and subscriber of all that did not get to Lumail."""
        found = rows(self.ledger, events, "status", "reason", "subscriber")
        return [(status, reason, who) for status, reason, who in found if status != "delivered"]


@contextmanager
def lumail() -> Iterator[tuple[Sandbox, Transport, str]]:
    """The stand-in over HTTP, to be shared and reset between histories."""
    app = create_sandbox(SandboxSettings(api_tokens=(TOKEN,)))
    with SandboxServer(app) as server:
        transport = Transport(server.base_url, TOKEN)
        yield sandbox_of(app), transport, server.base_url
        transport.close()
    sandbox_of(app).close()


@contextmanager
def office(database_url: str, at: tuple[Sandbox, Transport, str], **destination: Any) -> Iterator[Office]:
    """Opened on a ledger that has its tables and the destination `main`."""
    sandbox, transport, base_url = at
    sandbox.reset()
    ledger = TimedLedger(database_url)
    main = replace(Destination("main", base_url, TOKEN, requests_per_minute=1_000_000), **destination)
    town = Town(ledger, sandbox, transport, main, now=BEGIN)
    try:
        yield Office(town, ledger)
    finally:
        ledger.close()


def source(name: str, adapter: str, **options: Any) -> Source:
    """A source with the adapter's options, those of them that are left out filled in; `common` are a source's own."""
    common = options.pop("common", {})
    loaded = adapters()[adapter].options().load(options)
    return Source(name, adapter, "main", (SECRET,), options=loaded, **common)


def _route(one: Source) -> Route:
    adapter = adapters()[one.adapter]
    return Route(one, adapter, adapter.scheme(one.options), tuple(fingerprint(secret) for secret in one.secrets))


def empty_ledger(folder: Path) -> Path:
    """A file to copy: a ledger with all tables and the destination `main`."""

    file = folder / "empty.db"
    ledger = Ledger(f"sqlite:///{file}")
    migrate(ledger)
    add_destinations(ledger, "main")
    ledger.close()
    return file
