"""The door as Flask serves it, with a provider that exists in tests only."""

import hashlib
import hmac
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from marshmallow import Schema
from werkzeug.test import TestResponse

from gateway.config import Source
from gateway.events import EventType, LumailEvent, MemoryKey
from gateway.intake.drift import DriftWatch
from gateway.intake.endpoints import EndpointServices, endpoints
from gateway.intake.refusals import Refusals
from gateway.intake.route import Route
from gateway.ledger.database import Ledger
from gateway.ledger.identity import fingerprint
from gateway.ledger.recording.commit import Committer
from gateway.translation.adapter import (
    Adapter,
    Context,
    Docs,
    Handlers,
    Memo,
    SourceEvent,
    Translation,
    Unreadable,
    taught,
    translated,
)
from gateway.translation.schemes import Hmac
from gateway.translation.webhook import VerifiedWebhook

SECRET = "a secret of the shop"
FORMER = "the shop's former secret"
SCHEME = Hmac(header="X-Shop-Signature")

handlers = Handlers()


@handlers.on("complaint")
def complained(payload: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    known = context.memory.recall(MemoryKey("person", payload["person"])) if "person" in payload else None
    return translated(
        LumailEvent(
            EventType.EMAIL_COMPLAINED,
            payload.get("email") or (known["email"] if known else None),
            {"emailId": payload["id"], "subject": ""},
            event.occurred_at,
            keys=(f"complaint:{payload['id']}",),
            waits_for=MemoryKey("person", payload.get("person", "nobody")),
        )
    )


@handlers.on("open")
def opened(payload: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    data = {"emailId": payload.get("mail", payload["id"]), "subject": ""}
    return translated(
        LumailEvent(EventType.EMAIL_OPENED, payload["email"], data, event.occurred_at, keys=(f"open:{payload['id']}",))
    )


@handlers.on("person")
def introduced(payload: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    return taught(Memo(MemoryKey("person", payload["person"]), {"email": payload["email"]}, event.occurred_at))


@handlers.on("bug")
def broken(payload: Mapping[str, Any], event: SourceEvent, context: Context) -> Translation:
    raise ZeroDivisionError


def split(verified: VerifiedWebhook) -> Sequence[SourceEvent | Unreadable]:
    at = datetime(2026, 11, 20, 12, tzinfo=UTC)
    return [
        SourceEvent(item.get("id"), item["type"], at, item, test=item.get("test", False))
        if isinstance(item, dict)
        else Unreadable("no object")
        for item in verified.json["items"]
    ]


SHOP = Adapter(
    name="shop",
    title="Shop",
    docs=Docs("https://example.com/events", "https://example.com/security"),
    scheme=lambda options: SCHEME,
    split=split,
    handlers=handlers,
    ignored={"inventory.*": "not about people"},
    options=Schema,
    delivery_id=lambda verified: verified.headers.get("X-Shop-Delivery"),
)

SOURCE = Source("shop", "shop", "main", (SECRET, FORMER), max_age=timedelta(minutes=5))


@dataclass(frozen=True)
class Shop:
    """A provider who posts to a door."""

    client: FlaskClient
    ledger: Ledger
    door: EndpointServices

    def post(self, *items: Any, secret: str = SECRET, **headers: str) -> TestResponse:
        return self.post_body(json.dumps({"items": items}).encode(), secret=secret, **headers)

    def post_body(self, body: bytes, *, secret: str = SECRET, **headers: str) -> TestResponse:
        signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.post("/webhooks/shop", data=body, headers={"X-Shop-Signature": signature, **sent})

    def receipt(self, *items: Any, **headers: str) -> dict[str, Any]:
        answer = self.post(*items, **headers)
        assert answer.status_code == 200, answer.text
        receipt: dict[str, Any] = answer.get_json()
        return receipt


@pytest.fixture
def shop(ledger: Ledger) -> Iterator[Shop]:
    with shop_at(ledger, SHOP, SOURCE) as made:
        yield made


@contextmanager
def shop_at(ledger: Ledger, adapter: Adapter, source: Source) -> Iterator[Shop]:
    """A door whose source `shop` is this one."""
    scheme = adapter.scheme(source.options)
    route = Route(source, adapter, scheme, tuple(fingerprint(secret) for secret in source.secrets))
    committer = Committer(ledger)
    refusals = Refusals(ledger)
    drift = DriftWatch(ledger)
    door = EndpointServices(
        {"shop": route}, committer, refusals, drift, "https://hooks.example.com", max_body_bytes=50_000
    )
    app = Flask("test")
    app.register_blueprint(endpoints(door))
    yield Shop(app.test_client(), ledger, door)
    refusals.close()
    drift.close()
    committer.close()
