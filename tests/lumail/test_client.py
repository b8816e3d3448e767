"""Lumail's calls as typed results, and errors that keep what was answered, over real HTTP."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import responses

from gateway.lumail.client import (
    EventsQuery,
    Lumail,
    LumailConnectionError,
    LumailResponseError,
    SubscriberDetails,
    Timeouts,
    event_body,
    subscriber_path,
)
from gateway.lumail.sandbox import Sandbox
from tests.lumail.conftest import TOKEN

ANA = "ana@example.com"
PAYMENT = {"amount": Decimal("49.99"), "product": "Course", "currency": "EUR"}
ODD = "https://lumail.example.com/api/v1"


def open_mail(lumail: Lumail, *subjects: str) -> list[str]:
    """Track an opened mail of each subject; their ids."""
    return [lumail.track_event("EMAIL_OPENED", ANA, {"emailId": each, "subject": each}).id for each in subjects]


def test_a_tracked_event_comes_back_as_lumail_keeps_it(lumail: Lumail) -> None:
    event = lumail.track_event("SUBSCRIBER_PAYMENT", ANA, PAYMENT)
    (kept,) = lumail.subscriber_events(ANA).events
    assert (kept.id, kept.type, kept.data, kept.email) == (event.id, "SUBSCRIBER_PAYMENT", PAYMENT, ANA)
    assert (kept.created_at, kept.subscriber_id) == (event.created_at, event.subscriber_id)


def test_an_unknown_subscriber_is_a_400_on_events_and_none_on_a_look_up(lumail: Lumail) -> None:
    with pytest.raises(LumailResponseError) as error:
        lumail.track_event("SUBSCRIBER_PAYMENT", "bob@unknown.example.com", PAYMENT)
    assert (error.value.status, json.loads(error.value.body)) == (400, {"message": "Subscriber not found"})
    assert lumail.subscriber("bob@unknown.example.com") is None
    with pytest.raises(LumailResponseError, match="answered 404"):
        lumail.subscriber_events("bob@unknown.example.com")


def test_a_wrong_token_is_a_401(lumail: Lumail) -> None:
    subscriber_answer = Lumail(lumail.transport.base_url, "lum_of_nobody")
    with pytest.raises(LumailResponseError) as error:
        subscriber_answer.subscriber(ANA)
    assert (error.value.status, str(error.value)) == (401, "GET /subscribers/{subscriber}: Lumail answered 401")


def test_an_error_keeps_rate_headers_date_and_body(lumail: Lumail, sandbox: Sandbox) -> None:
    sandbox.change(requests_per_minute=1, window="sliding", clock_offset=7200)
    open_mail(lumail, "first")
    with pytest.raises(LumailResponseError) as caught:
        open_mail(lumail, "second")
    error = caught.value
    assert error.date is not None
    ahead = error.date - datetime.now(UTC)
    assert timedelta(minutes=119) < ahead < timedelta(minutes=121)
    assert json.loads(error.body)["docs"] == "https://lumail.io/docs/api-reference/api-limits"
    assert (error.status, error.rate_limit.limit, error.rate_limit.remaining) == (429, 1, 0)
    assert 0 < (error.rate_limit.retry_after or 0) <= 60
    assert 0 < (error.rate_limit.reset or 0) - error.date.timestamp() <= 61


def test_all_pages_are_read_in_either_order(lumail: Lumail) -> None:
    ids = open_mail(lumail, *"abcdefg")
    newest_first = [event.id for event in lumail.all_subscriber_events(ANA, EventsQuery(take=3))]
    oldest_first = [event.id for event in lumail.all_subscriber_events(ANA, EventsQuery(take=3, order="asc"))]
    assert (newest_first, oldest_first) == (ids[::-1], ids)


def test_pages_go_on_from_a_cursor(lumail: Lumail) -> None:
    ids = open_mail(lumail, *"abcde")
    first = lumail.subscriber_events(ANA, EventsQuery(take=2, order="asc"))
    rest = lumail.all_subscriber_events(ANA, EventsQuery(take=2, order="asc", cursor=first.next_cursor))
    assert [event.id for event in rest] == ids[2:]


def test_every_filter_reaches_lumail(lumail: Lumail) -> None:
    (opened,) = open_mail(lumail, "Sale & more: 50% off")
    paid = lumail.track_event("SUBSCRIBER_PAYMENT", ANA, PAYMENT)
    hour = timedelta(hours=1)
    now = datetime.now(UTC)

    def found(query: EventsQuery) -> list[str]:
        return [event.id for event in lumail.all_subscriber_events(ANA, query)]

    assert found(EventsQuery(event_types=["SUBSCRIBER_PAYMENT", "SUBSCRIBER_REFUND"])) == [paid.id]
    assert found(EventsQuery(search="sale & MORE: 50%")) == [opened]
    assert found(EventsQuery(start=now - hour, end=now + hour)) == [paid.id, opened]
    assert found(EventsQuery(start=now + hour)) == found(EventsQuery(end=now - hour)) == []


def test_addresses_are_percent_encoded(lumail: Lumail) -> None:
    address = "ana+shop/2?x#y@example.com"
    assert subscriber_path(address) == "/subscribers/ana%2Bshop%2F2%3Fx%23y%40example.com"
    lumail.track_event("SUBSCRIBER_PAYMENT", address, PAYMENT)
    assert [event.email for event in lumail.subscriber_events(address).events] == [address]
    kept = lumail.subscriber(address)
    assert kept is not None
    assert kept.email == address


def test_a_subscriber_is_made_and_updated(lumail: Lumail) -> None:
    made = lumail.upsert_subscriber(SubscriberDetails(ANA, name="Ana", tags=["buyer"], fields={"city": "Lyon"}))
    lumail.track_event("SUBSCRIBER_PAYMENT", ANA, PAYMENT)
    updated = lumail.upsert_subscriber(SubscriberDetails(ANA, phone="+33 1", tags=["vip"]))
    assert (made.name, made.status, made.tags, made.revenue) == ("Ana", "SUBSCRIBED", ("buyer",), Decimal(0))
    assert (updated.id, updated.name, updated.phone) == (made.id, "Ana", "+33 1")
    assert (updated.tags, updated.fields, updated.revenue) == (("buyer", "vip"), {"city": "Lyon"}, Decimal("49.99"))
    assert lumail.subscriber(made.id) == lumail.subscriber(ANA)


@responses.activate
def test_nobody_is_subscribed_again_and_no_workflow_starts_unless_asked_for() -> None:
    responses.post(f"{ODD}/subscribers", json={"success": True, "subscriber": {"id": "sub_1"}})
    Lumail(ODD, TOKEN).upsert_subscriber(SubscriberDetails(ANA))
    assert json.loads(responses.calls[0].request.body or "") == {
        "email": ANA,
        "replaceTags": False,
        "resubscribe": False,
        "triggerWorkflows": False,
    }


def test_an_answer_that_does_not_come_says_whether_the_request_left(lumail: Lumail, sandbox: Sandbox) -> None:
    sandbox.fail("drop_after")
    with pytest.raises(LumailConnectionError, match="it may have been received") as lost:
        lumail.track_event("SUBSCRIBER_PAYMENT", ANA, PAYMENT)
    nobody = Lumail("http://127.0.0.1:9/api/v1", TOKEN, timeouts=Timeouts(send=1, total=2))
    with pytest.raises(LumailConnectionError, match="nothing was sent") as refused:
        nobody.track_event("SUBSCRIBER_PAYMENT", ANA, PAYMENT)
    assert (lost.value.sent, refused.value.sent) == (True, False)


@responses.activate
@pytest.mark.parametrize(
    "document",
    [
        [],
        {"events": {}},
        {"events": [3]},
        {"events": [{"id": "evt_1", "eventType": "SUBSCRIBED"}]},
        {"events": [{"id": 1, "eventType": "SUBSCRIBED", "createdAt": "2026-05-01T12:00:00Z"}]},
        {"events": [], "nextCursor": 7},
    ],
)
def test_a_page_that_is_not_as_documented_is_an_error_and_never_an_empty_page(document: Any) -> None:
    responses.get(f"{ODD}/subscribers/ana%40example.com/events", json=document)
    with pytest.raises(LumailResponseError) as error:
        Lumail(ODD, TOKEN).subscriber_events(ANA)
    assert "ana" not in str(error.value)


@responses.activate
def test_a_cursor_that_repeats_ends_in_an_error() -> None:
    responses.get(f"{ODD}/subscribers/ana%40example.com/events", json={"events": [], "nextCursor": "again"})
    with pytest.raises(LumailResponseError, match="its cursor repeats"):
        list(Lumail(ODD, TOKEN).all_subscriber_events(ANA))


@responses.activate
@pytest.mark.parametrize("last", [{"nextCursor": None}, {"nextCursor": ""}, {}])
def test_the_last_page_has_no_cursor_and_data_may_be_null(last: Mapping[str, Any]) -> None:
    event = {"id": "evt_1", "eventType": "SOMETHING_NEW", "data": None, "createdAt": "2026-05-01T12:00:00Z"}
    responses.get(f"{ODD}/subscribers/ana%40example.com/events", json={"events": [event], **last})
    (found,) = Lumail(ODD, TOKEN).all_subscriber_events(ANA)
    assert (found.type, found.data, found.email) == ("SOMETHING_NEW", None, None)


def test_neither_token_nor_person_stands_in_results_or_errors(lumail: Lumail, sandbox: Sandbox) -> None:
    event = lumail.track_event("SUBSCRIBER_PAYMENT", ANA, {**PAYMENT, "note": ANA})
    texts = [repr(event), repr(lumail.subscriber_events(ANA)), repr(lumail.subscriber(ANA)), repr(lumail)]
    texts.append(repr(SubscriberDetails(ANA, name="Ana")))
    sandbox.fail("drop_before", call="any")
    with pytest.raises(LumailConnectionError) as error:
        lumail.subscriber(ANA)
    texts += [str(error.value), repr(error.value), repr(error.value.answer)]
    assert [text for text in texts if "ana" in text.lower() or TOKEN in text] == []


def test_the_body_of_an_event_is_what_is_documented() -> None:
    body = event_body("SUBSCRIBER_REFUND", "zoë@example.com", '{"amount":5,"product":"Kurs ä"}')
    assert json.loads(body) == {
        "eventType": "SUBSCRIBER_REFUND",
        "subscriber": "zoë@example.com",
        "data": {"amount": 5, "product": "Kurs ä"},
    }
