"""A signature that covers no body is good for one event: Mailgun's, at two sources that share a key."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from adapters.mailgun import SCHEME, adapter
from gateway.config import Retention, Source
from gateway.events import EventType
from gateway.intake.drift import DriftWatch
from gateway.intake.endpoints import EndpointServices, endpoints
from gateway.intake.refusals import Refusals
from gateway.intake.route import Route
from gateway.ledger.database import Ledger
from gateway.ledger.identity import fingerprint
from gateway.ledger.recording.commit import Committer
from gateway.ledger.retention.purge import purge
from gateway.ledger.schema import events, single_uses
from gateway.translation.registry import default_sample
from gateway.translation.webhook import Webhook
from tests.making import rows

KEY, OTHER_KEY = "key-of-the-account", "key-of-another-account"
FORWARDED = frozenset({EventType.EMAIL_CLICKED, EventType.EMAIL_OPENED, EventType.EMAIL_BOUNCED})


@pytest.fixture
def client(ledger: Ledger) -> Iterator[FlaskClient]:
    """Sources `one` and `two` of one key and two destinations, `three` of another key."""
    told = {"one": ("main", KEY), "two": ("other", KEY), "three": ("main", OTHER_KEY)}
    sources = [Source(name, "mailgun", to, (key,), forward=FORWARDED) for name, (to, key) in told.items()]
    routes = {one.name: Route(one, adapter, SCHEME, (fingerprint(one.secrets[0]),)) for one in sources}
    committer, refusals, drift = Committer(ledger), Refusals(ledger), DriftWatch(ledger)
    app = Flask("test")
    app.register_blueprint(
        endpoints(
            EndpointServices(routes, committer, refusals, drift, "https://hooks.example.com", max_body_bytes=10**6)
        )
    )
    yield app.test_client()
    refusals.close()
    drift.close()
    committer.close()


def signed(key: str = KEY) -> Webhook:
    now = datetime.now(UTC)
    return SCHEME.sign(default_sample("mailgun").webhook("one", "https://hooks.example.com/", now), key, now)


def changed(webhook: Webhook, **data: object) -> Webhook:
    told: dict[str, Any] = json.loads(webhook.body)
    told["event-data"] |= data
    return replace(webhook, body=json.dumps(told).encode())


def as_form(webhook: Webhook, recipient: str) -> Webhook:
    block = json.loads(webhook.body)["signature"]
    fields = "&".join(f"{name}={value}" for name, value in {"event": "opened", "recipient": recipient, **block}.items())
    return replace(webhook, body=fields.encode())


def post(client: FlaskClient, source: str, webhook: Webhook) -> TestResponse:
    return client.post(f"/webhooks/{source}", data=webhook.body, headers=dict(webhook.headers))


def test_one_event_is_taken_at_each_source_of_a_key_and_is_a_duplicate_at_each(client: FlaskClient) -> None:
    webhook = signed()
    answers = [post(client, source, webhook).get_json() for source in ("one", "two", "one", "two")]
    assert [(answer["duplicate"], len(answer["events"])) for answer in answers] == [
        (False, 1),
        (False, 1),
        (True, 0),
        (True, 0),
    ]


def test_another_event_under_a_signature_that_was_used_is_refused_everywhere(
    client: FlaskClient, ledger: Ledger
) -> None:
    webhook = signed()
    assert post(client, "one", webhook).status_code == 200
    forged = [changed(webhook, id="another"), changed(webhook, id=None), as_form(webhook, "eve@example.com")]
    statuses = {post(client, source, each).status_code for source in ("one", "two") for each in forged}
    assert (statuses, len(rows(ledger, events, "id"))) == ({401}, 1)


def test_a_form_is_told_from_another_by_what_it_says(client: FlaskClient) -> None:
    webhook = signed()
    first, forged = as_form(webhook, "ana@example.com"), as_form(webhook, "eve@example.com")
    answers = [("one", first), ("two", forged), ("two", first)]
    assert [post(client, source, each).status_code for source, each in answers] == [200, 401, 200]


def test_a_key_knows_nothing_of_what_was_signed_with_another(client: FlaskClient, ledger: Ledger) -> None:
    at = datetime.now(UTC)
    plain = default_sample("mailgun").webhook("one", "https://hooks.example.com/", at)
    mine, other = SCHEME.sign(plain, KEY, at), changed(SCHEME.sign(plain, OTHER_KEY, at), id="another")
    assert [post(client, "one", mine).status_code, post(client, "three", other).status_code] == [200, 200]
    assert len({token for (token,) in rows(ledger, single_uses, "token")}) == 1


def test_what_a_signature_was_used_for_goes_with_the_bodies(client: FlaskClient, ledger: Ledger) -> None:
    post(client, "one", signed())
    assert len(rows(ledger, single_uses, "token")) == 1
    later = datetime.now(UTC) + timedelta(days=31)
    done = [one.what for one in purge(ledger, Retention(), later, stopping=lambda: False)]
    assert ("signatures" in done, rows(ledger, single_uses, "token")) == (True, [])
