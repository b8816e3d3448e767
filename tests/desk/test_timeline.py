"""The subscriber's timeline at Lumail, asked for by button."""

from collections.abc import Iterator
from dataclasses import replace
from types import MappingProxyType

import pytest
from flask import Flask
from sqlalchemy import update

from gateway.config import Destination
from gateway.desk import Desk
from gateway.ledger.database import Ledger
from gateway.ledger.schema import attempts, events, pauses
from gateway.lumail.client import Lumail, SubscriberDetails
from gateway.lumail.sandbox import Sandbox, SandboxServer, SandboxSettings, create_sandbox, sandbox_of
from tests.desk.conftest import Visitor
from tests.making import payment, record_facts, rows

TOKEN = "lum_for_tests"
ANA = "ana@example.com"


@pytest.fixture
def lumail() -> Iterator[tuple[Sandbox, str]]:
    made = create_sandbox(SandboxSettings(api_tokens=(TOKEN,)))
    with SandboxServer(made) as server:
        yield sandbox_of(made), server.base_url
    sandbox_of(made).close()


@pytest.fixture
def desk_parts(desk_parts: Desk, lumail: tuple[Sandbox, str]) -> Desk:
    """One whose destination `main` is the stand-in."""
    main = Destination("main", lumail[1], TOKEN, requests_per_minute=2)
    return replace(desk_parts, config=replace(desk_parts.config, destinations=MappingProxyType({"main": main})))


def test_the_timeline_shows_what_lumail_has_and_takes_a_place(
    ledger: Ledger, operator: Visitor, lumail: tuple[Sandbox, str], app: Flask
) -> None:
    client = Lumail(lumail[1], TOKEN)
    client.upsert_subscriber(SubscriberDetails(ANA))
    ours = client.track_event("SUBSCRIBER_PAYMENT", ANA, {"amount": 49.99, "product": "Course"})
    client.track_event("SUBSCRIBER_PAYMENT", ANA, {"amount": 1, "product": "<b>vip</b>"})
    client.close()
    [made] = record_facts(ledger, payment("p:1"))
    with ledger.write(["main"]) as connection:
        connection.execute(update(events).values(status="delivered", lumail_event_id=ours.id))
    operator.get(f"/events/{made}")
    page = operator.post(f"/events/{made}/timeline").text
    assert ("this event" in page, "not from here" in page, "&lt;b&gt;vip" in page) == (True, True, True)
    assert rows(ledger, attempts, "destination", "event", "kind", "outcome", "status") == [
        ("main", made, "timeline", "answered", 200)
    ]


def test_a_part_of_the_page_is_enough_for_a_page_that_asks_by_itself(ledger: Ledger, operator: Visitor) -> None:
    [made] = record_facts(ledger, payment("p:1"))
    operator.get(f"/events/{made}")
    answer = operator.client.post(
        f"/events/{made}/timeline", data={"csrf_token": operator.token}, headers={"HX-Request": "true"}
    )
    assert ("Lumail does not know ana@example.com" in answer.text, "<html" in answer.text) == (True, False)


def test_a_plan_that_is_used_up_is_told_instead(ledger: Ledger, operator: Visitor) -> None:
    [made] = record_facts(ledger, payment("p:1"))
    operator.get(f"/events/{made}")
    pages = [operator.post(f"/events/{made}/timeline").text for _ in range(3)]
    assert ["is used up" in page for page in pages] == [False, False, True]
    assert len(rows(ledger, attempts, "id")) == 2


def test_lumail_is_not_asked_while_it_wants_no_requests(
    ledger: Ledger, operator: Visitor, lumail: tuple[Sandbox, str]
) -> None:
    [made] = record_facts(ledger, payment("p:1"))
    lumail[0].fail("429", call="any", count=1)
    operator.get(f"/events/{made}")
    refused, resting = (operator.post(f"/events/{made}/timeline").text for _ in range(2))
    assert ("Lumail answered 429" in refused, "rests because Lumail wants no requests" in resting) == (True, True)
    assert rows(ledger, pauses, "kind") == [("rate_limited",)]
    assert rows(ledger, attempts, "status") == [(429,)]


def test_an_answer_that_makes_no_sense_is_told(ledger: Ledger, operator: Visitor, lumail: tuple[Sandbox, str]) -> None:
    [made] = record_facts(ledger, payment("p:1"))
    lumail[0].fail("error_500_before", call="any", count=1)
    operator.get(f"/events/{made}")
    assert "Lumail answered 500" in operator.post(f"/events/{made}/timeline").text
