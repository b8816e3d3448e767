"""The list of events and the story of one, as the server tells them."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert, update

from gateway.ledger.accounts import audit
from gateway.ledger.accounts.audit import Deed
from gateway.ledger.database import Ledger
from gateway.ledger.facts import incidents
from gateway.ledger.schema import attempts, events
from tests.desk.conftest import Visitor
from tests.making import complained, opened, payment, record, record_facts, rows, submission, told

NOW = datetime.now(UTC)


def listed(page: str) -> list[str]:
    """The ids of the events in a list, in its order."""
    return re.findall(r'data-row>.*?/events/(ev_\w+)"', page, re.DOTALL)


def post(ledger: Ledger, event: str, **given: Any) -> None:
    row = {"id": f"at_{given.get('kind', 'event')}", "destination": "main", "kind": "event", "event": event}
    times = dict.fromkeys(("taken_at", "send_before", "ends_by", "place_until"), NOW)
    with ledger.write(["main"]) as connection:
        connection.execute(insert(attempts).values(**{**row, **times, **given}))


def test_the_newest_come_first_and_filters_stand_in_the_url(ledger: Ledger, viewer: Visitor) -> None:
    paid, clicked = record_facts(ledger, payment("p:1"), opened("m:1", "bo@example.com"))
    assert listed(viewer.page("/events")) == [clicked, paid]
    assert listed(viewer.page("/events?lane=revenue&status=waiting&type=SUBSCRIBER_PAYMENT&source=stripe")) == [paid]
    assert listed(viewer.page("/events?q=bo@")) == [clicked]
    assert listed(viewer.page("/events?subscriber=Bo@Example.com&age=15m")) == [clicked]
    assert "No such event." in viewer.page("/events?status=failed")
    assert "<option selected>failed</option>" in viewer.page("/events?status=failed")


@pytest.mark.parametrize("asked", ["lane=fast", "since=yesterday", "age=15", "until=0000-00-00"])
def test_a_filter_that_makes_no_sense_is_refused_with_what_would(viewer: Visitor, asked: str) -> None:
    answer = viewer.get(f"/events?{asked}")
    assert (answer.status_code, asked.split("=")[0] in answer.text) == (400, True)


def test_a_long_list_goes_on_both_ways(ledger: Ledger, viewer: Visitor) -> None:
    made = record_facts(ledger, *(opened(f"m:{number}") for number in range(120)))[::-1]
    first = viewer.page("/events?lane=bulk")
    assert (listed(first), "120 events" in first) == (made[:50], True)
    second = viewer.page(link(first, "next"))
    assert listed(second) == made[50:100]
    assert listed(viewer.page(link(second, "next"))) == made[100:]
    assert listed(viewer.page(link(second, "prev"))) == made[:50]


def link(page: str, rel: str) -> str:
    [found] = re.findall(rf'href="([^"]+)" rel="{rel}"', page)
    return str(found).replace("&amp;", "&")


def test_what_is_new_is_counted_beside_the_list(ledger: Ledger, viewer: Visitor) -> None:
    record_facts(ledger, payment("p:1"))
    [news] = re.findall(r'hx-get="(/events/news[^"]+)"', viewer.page("/events?lane=revenue"))
    news = news.replace("&amp;", "&")
    assert viewer.page(news).strip() == ""
    record_facts(ledger, payment("p:2"), payment("p:3"), opened("m:1"))
    assert viewer.page(news).strip() == '<a href="/events?lane=revenue">2 new</a>'


def test_an_event_tells_its_whole_story(ledger: Ledger, viewer: Visitor) -> None:
    body = b'{"id": "evt_1", "data": {"client_secret": "pi_1_secret_2", "amount": 4999}}'
    sent = submission(
        told(payment("stripe:-:payment:pi_1")), body=body, delivery_id="evt_1", url="https://u:p@h.example.com/?token=t"
    )
    [first] = record(ledger, sent)
    [again] = record(ledger, submission(told(payment("stripe:-:payment:pi_1")), delivery_id="evt_2"))
    identity = first.events[0]
    post(
        ledger,
        identity,
        sent='{"eventType": "SUBSCRIBER_PAYMENT"}',
        outcome="refused",
        status=402,
        body="over the limit",
    )
    post(ledger, identity, kind="read", sent="/subscribers/ana/events", outcome="found", status=200, duration_ms=12)
    [(group,)] = rows(ledger, events, "group")
    with ledger.write(["main"]) as connection:
        connection.execute(update(events).values(status="failed", reason="refused", reason_detail="402"))
        incidents.record(connection, "main", group, "sent twice")
        audit.record(connection, NOW, Deed("otto", "replay event", identity), {"status": "held"}, {"status": "waiting"})
    page = viewer.page(f"/events/{identity}")
    shown = [
        "SUBSCRIBER_PAYMENT", "Lumail refused it with 402", "sent twice", "stripe:-:payment:pi_1", "evt_1", "evt_2",
        f"/received/{first.webhook}", f"/received/{again.webhook}", "over the limit", "402", "/subscribers/ana/events",
        "replay event", "otto", "&#34;amount&#34;: 49.99",
    ]  # fmt: skip
    assert [word for word in shown if word not in page] == []
    assert "pi_1_secret_2" not in page
    assert "client_secret" in page


def test_the_url_of_a_webhook_is_shown_without_secrets(ledger: Ledger, viewer: Visitor) -> None:
    [one] = record(ledger, submission(told(), url="https://user:pass@h.example.com/webhooks/x?api_key=k&a=1"))
    page = viewer.page(f"/received/{one.webhook}")
    assert "https://h.example.com/webhooks/x?api_key=…&amp;a=1" in page
    assert "pass@" not in page


def test_the_other_events_of_a_fact_are_named(ledger: Ledger, viewer: Visitor) -> None:
    first, second = record_facts(ledger, payment("p:1"), payment("i:1"))
    record(ledger, submission(told(links=(("p:1", "i:1"),))))
    assert f"/events/{second}" in viewer.page(f"/events/{first}")
    assert f"/events/{first}" in viewer.page(f"/events/{second}")


def test_what_retention_removed_is_told_to_be_gone(ledger: Ledger, viewer: Visitor) -> None:
    [first] = record(ledger, submission(told(complained("c:1")), body=None))
    page = viewer.page(f"/events/{first.events[0]}")
    assert "Its body is not kept any more." in page


def test_what_does_not_exist_is_not_found(viewer: Visitor) -> None:
    assert {viewer.get(path).status_code for path in ("/events/ev_x", "/received/wh_x", "/sources/nobody")} == {404}
    assert viewer.get("/received/wh_x/explain").status_code == 404


def test_a_place_in_time_is_taken_from_the_url(ledger: Ledger, viewer: Visitor) -> None:
    [made] = record_facts(ledger, payment("p:1"))
    tomorrow = (NOW + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M")
    assert listed(viewer.page(f"/events?until={tomorrow}")) == [made]
    assert listed(viewer.page(f"/events?since={tomorrow}")) == []
