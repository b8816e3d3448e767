"""Every adapter behind the real door and ledger: whatever a genuine webhook holds, it is kept and answered 200."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.config import Source
from gateway.events import WRITABLE_TYPES, EventType
from gateway.intake.drift import DriftWatch
from gateway.intake.endpoints import EndpointServices, endpoints
from gateway.intake.refusals import Refusals
from gateway.intake.route import Route
from gateway.ledger.database import Ledger
from gateway.ledger.identity import fingerprint
from gateway.ledger.migration import migrate
from gateway.ledger.recording.commit import Committer
from gateway.ledger.schema import events, webhooks
from gateway.translation.adapter import Adapter
from gateway.translation.registry import adapters, default_sample, samples
from gateway.translation.sample import Sample
from tests.adapters.cases import ADAPTERS, keys_of
from tests.adapters.test_fuzz import ODD_BODIES, odd_bodies
from tests.making import add_destinations, rows


class Provider:
    """A provider who posts to a door of its own."""

    def __init__(
        self, adapter: Adapter, ledger: Ledger, options: Mapping[str, Any] | None = None, source: str | None = None
    ) -> None:
        self.adapter = adapter
        self.source = source or adapter.name
        self.options = adapter.options().load(options or {})
        scheme: Any = adapter.scheme(self.options)
        self.scheme = scheme
        self.keys = keys_of(scheme)
        configured = Source(
            self.source,
            adapter.name,
            "main",
            (self.keys.verifying,),
            forward=frozenset(WRITABLE_TYPES | {EventType.EMAIL_DELIVERY_DELAYED}),
            accept_test_events=True,
            options=self.options,
        )
        self.committer, self.refusals = Committer(ledger), Refusals(ledger)
        route = Route(configured, adapter, self.scheme, (fingerprint(self.keys.verifying),))
        self.drift = DriftWatch(ledger)
        routes = {self.source: route}
        door = EndpointServices(
            routes, self.committer, self.refusals, self.drift, "https://hooks.example.com", 10_000_000
        )
        app = Flask("test")
        app.register_blueprint(endpoints(door))
        self.client: FlaskClient = app.test_client()

    def post(self, sample: Sample, end: str = "") -> Any:
        now = datetime.now(UTC)
        url = f"https://hooks.example.com/webhooks/{self.source}{end}"
        signed = self.scheme.sign(sample.webhook(self.source, url, now), self.keys.signing, now)
        path = signed.url.removeprefix("https://hooks.example.com")
        return self.client.post(path, data=signed.body, headers=dict(signed.headers))

    def receipt(self, sample: Sample) -> dict[str, Any]:
        """The answer of a provider's kind: a door that has too much to do is asked again."""
        answer = self.post(sample)
        for _ in range(5):
            if answer.status_code == 503:
                answer = self.post(sample)
        assert answer.status_code == 200, answer.text
        receipt: dict[str, Any] = answer.get_json()
        return receipt

    def close(self) -> None:
        self.refusals.close()
        self.drift.close()
        self.committer.close()


@pytest.fixture
def small_ledger(sqlite_url: str) -> Iterator[Ledger]:
    ledger = Ledger(sqlite_url)
    migrate(ledger)
    add_destinations(ledger, "main")
    yield ledger
    ledger.close()


@pytest.mark.parametrize("adapter", ADAPTERS, ids=lambda adapter: adapter.name)
@settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_no_payload_of_a_known_sender_brings_the_door_down(
    small_ledger: Ledger, adapter: Adapter, data: st.DataObject
) -> None:
    sample = data.draw(st.sampled_from(list(samples(adapter.name).values())), label="sample")
    body = data.draw(st.one_of(odd_bodies(sample.body), st.sampled_from(ODD_BODIES)), label="body")
    provider = Provider(adapter, small_ledger, sample.options)
    try:
        answer = provider.post(replace(sample, body=body))
    finally:
        provider.close()
    assert answer.status_code in (200, 401), answer.text  # 401: signed inside the body, which has no place for it now


@pytest.fixture
def sendgrid(ledger: Ledger) -> Iterator[Provider]:
    provider = Provider(adapters()["sendgrid"], ledger)
    yield provider
    provider.close()


def batch(*items: Any) -> Sample:
    return replace(default_sample("sendgrid"), body=json.dumps(items).encode())


def opened(number: int) -> dict[str, Any]:
    return {
        "event": "open",
        "email": f"reader{number}@example.com",
        "timestamp": 1762160400 + number,
        "sg_event_id": f"event-{number}",
        "sg_message_id": f"message-{number}.recvd-1-2-3.0",
    }


def test_one_unreadable_item_of_a_thousand_is_quarantined_alone_and_a_replay_repeats_nothing(
    sendgrid: Provider, ledger: Ledger
) -> None:
    items: list[Any] = [opened(number) for number in range(1000)]
    items[500] = {"event": "open", "email": "not an address", "timestamp": "never"}
    first = sendgrid.receipt(batch(*items))
    again = sendgrid.receipt(batch(*items))
    assert (len(first["events"]), first["quarantined"]) == (999, 1)
    assert (again["events"], again["merged"], again["quarantined"]) == ([], 999, 1)
    assert len(rows(ledger, events, "id")) == 999


def test_an_event_told_again_in_one_batch_in_another_and_in_a_retry_is_one(sendgrid: Provider, ledger: Ledger) -> None:
    one, other = opened(1), opened(2)
    receipts = [
        sendgrid.receipt(batch(one, one, other)),
        sendgrid.receipt(batch(other, one)),
        sendgrid.receipt(batch(one, one, other)),
    ]
    assert [(len(receipt["events"]), receipt["merged"]) for receipt in receipts] == [(2, 1), (0, 2), (0, 3)]
    assert len(rows(ledger, webhooks, "id")) == 3
    assert len(rows(ledger, events, "id")) == 2


BOUNCED = {"event": "bounce", "type": "bounce", "reason": "550 ung\xfcltig", "sg_message_id": "message-9.recvd-1"}


def test_a_byte_that_is_no_text_costs_the_words_it_stands_in_and_no_event(sendgrid: Provider, ledger: Ledger) -> None:
    items = [{**BOUNCED, "email": "ana@example.com"}, {**BOUNCED, "email": "an\xe4@example.com"}]
    receipt = sendgrid.receipt(replace(batch(), body=json.dumps(items, ensure_ascii=False).encode("latin-1")))
    assert (len(receipt["events"]), receipt["quarantined"]) == (1, 1)  # an address that can't be read is nobody's
    assert "550 ung\ufffdltig" in rows(ledger, events, "data")[0][0]


def test_a_reason_of_any_length_is_cut_with_a_mark(sendgrid: Provider, ledger: Ledger) -> None:
    sendgrid.receipt(batch({**BOUNCED, "email": "ana@example.com", "reason": "550 " + "x" * 200_000}))
    reason = json.loads(rows(ledger, events, "data")[0][0])["reason"]
    assert (len(reason), reason[-5:]) == (1000, "x […]")


def test_a_retry_of_a_complaint_without_time_and_id_is_the_same_complaint(sendgrid: Provider, ledger: Ledger) -> None:
    complaint = {"event": "spamreport", "email": "ana@example.com"}
    receipts = [sendgrid.receipt(batch(complaint)), sendgrid.receipt(batch(opened(1), complaint))]
    assert [(len(receipt["events"]), receipt["merged"]) for receipt in receipts] == [(1, 0), (1, 1)]


def test_one_delivery_under_two_ids_is_one(sendgrid: Provider, ledger: Ledger) -> None:
    one = {**opened(1), "event": "delivered"}
    receipts = [sendgrid.receipt(batch(one)), sendgrid.receipt(batch({**one, "sg_event_id": "another"}, opened(2)))]
    assert [(len(receipt["events"]), receipt["merged"]) for receipt in receipts] == [(1, 0), (1, 1)]


@pytest.mark.parametrize("name", ["sendgrid", "mandrill", "square"])
def test_a_slash_at_the_end_is_the_source_itself_and_belongs_to_the_url_that_is_signed(
    small_ledger: Ledger, name: str
) -> None:
    sample = default_sample(name)
    provider = Provider(adapters()[name], small_ledger, sample.options)
    try:
        answer = provider.post(sample, end="/")
    finally:
        provider.close()
    assert (answer.status_code, len(answer.get_json()["events"])) == (200, 1), answer.text


@pytest.fixture
def sparkpost(small_ledger: Ledger) -> Iterator[Provider]:
    provider = Provider(adapters()["sparkpost"], small_ledger)
    yield provider
    provider.close()


def openings(*told: str) -> Sample:
    """A batch of openings of messages to Ana: `initial_open 1`, `open 1`."""
    facts = [dict(zip(("type", "message_id"), one.split(), strict=True)) for one in told]
    body = [{"msys": {"e": fact | {"rcpt_to": "ana@example.com", "event_id": f"{fact}"}}} for fact in facts]
    return replace(default_sample("sparkpost"), body=json.dumps(body).encode(), headers={})  # a batch id of its own


@pytest.mark.parametrize(
    "batches",
    [
        (("initial_open 1",), ("open 1",)),
        (("open 1",), ("initial_open 1",)),
        (("initial_open 1", "open 1"),),
        (("initial_open 1",), ("open 1",), ("initial_open 1", "open 1"), ("initial_open 1",)),
    ],
)
def test_an_opening_that_is_told_of_top_and_end_is_one_whichever_came_first(
    sparkpost: Provider, small_ledger: Ledger, batches: Sequence[Sequence[str]]
) -> None:
    for batch_of in batches:
        sparkpost.receipt(openings(*batch_of))
    assert len(rows(small_ledger, events, "id")) == 1


def test_openings_of_the_top_count_where_nothing_else_is_told(sparkpost: Provider) -> None:
    receipts = [sparkpost.receipt(openings(*one)) for one in (("initial_open 1",), ("initial_open 2", "injection 3"))]
    assert [len(receipt["events"]) for receipt in receipts] == [1, 2]
