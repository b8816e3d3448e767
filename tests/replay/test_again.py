"""Doing it again: what may be sent once more, what must not, and what a second translation adds."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import update

from gateway.config import Source
from gateway.errors import CommandError
from gateway.intake.accept import submission as submitted
from gateway.intake.route import Route
from gateway.ledger.database import Ledger
from gateway.ledger.identity import fingerprint
from gateway.ledger.schema import audit, destinations, events, lines, webhooks
from gateway.replay.sending import CountedTwiceError, replay_event
from gateway.replay.translating import replay_webhook
from gateway.translation.registry import adapters, samples
from gateway.translation.webhook import VerifiedWebhook
from tests.making import NOON, opened, payment, record, record_facts, rows
from tests.replay.standing import ME, recorded


@pytest.mark.parametrize(
    ("status", "reason"),
    [("failed", "refused"), ("held", "person must decide"), ("dropped", "not_in_lumail")],
)
def test_what_was_given_up_is_due_now_under_its_own_identity(ledger: Ledger, status: str, reason: str) -> None:
    (identity,) = recorded(ledger, payment("p:1"), status=status, reason=reason, tries=4)
    done = replay_event(ledger, identity, ME)
    assert (done.id, done.destination, done.was) == (identity, "main", status)
    assert rows(ledger, events, "id", "status", "reason", "tries", "due_at") == [
        (identity, "waiting", None, 0, done.due_at)
    ]
    assert rows(ledger, lines, "head", "due_at") == [(identity, done.due_at)]
    assert rows(ledger, destinations, "name", "wake_at") == [("main", done.due_at), ("other", None)]
    assert rows(ledger, audit, "who", "action", "subject", "before", "after") == [
        (
            ME,
            "replay event",
            identity,
            {"status": status, "reason": reason, "tries": 4, "lumail_event_id": None},
            {"status": "waiting", "forced": False},
        )
    ]


def test_a_bulk_event_waits_again_outside_of_any_line(ledger: Ledger) -> None:
    (identity,) = recorded(ledger, opened("m:1"), status="failed")
    replay_event(ledger, identity, ME)
    assert rows(ledger, events, "status") == [("waiting",)]
    assert rows(ledger, lines, "head") == []


@pytest.mark.parametrize("status", ["waiting", "delivering", "unknown"])
def test_what_goes_its_way_by_itself_is_left_alone_even_by_force(ledger: Ledger, status: str) -> None:
    (identity,) = recorded(ledger, payment("p:1"), status=status)
    with pytest.raises(CommandError, match=identity):
        replay_event(ledger, identity, ME, force=True)
    assert rows(ledger, events, "status") == [(status,)]
    assert rows(ledger, audit, "id") == []


@pytest.mark.parametrize(
    "state",
    [
        {"status": "delivered", "lumail_event_id": "evt_1"},
        {"status": "held", "reason": "answer_lost"},
    ],
)
def test_what_lumail_has_or_may_have_is_sent_again_by_force_only(ledger: Ledger, state: Mapping[str, str]) -> None:
    (identity,) = recorded(ledger, payment("p:1"), **state)
    with pytest.raises(CountedTwiceError, match="count it twice"):
        replay_event(ledger, identity, ME)
    assert rows(ledger, events, "status") == [(state["status"],)]
    replay_event(ledger, identity, ME, force=True)
    assert rows(ledger, events, "status", "reason", "lumail_event_id") == [("waiting", None, None)]


def test_an_event_whose_fact_another_tells_is_sent_by_force_only(ledger: Ledger) -> None:
    first, second = record_facts(ledger, payment("p:1"), payment("p:2"))
    with ledger.write(["main"]) as connection:
        connection.execute(update(events).values(group="one", status="delivered"))
        connection.execute(update(events).where(events.c.id == second).values(status="dropped", reason="superseded"))
    with pytest.raises(CountedTwiceError, match=f"{second} tells the same fact as {first}, which is delivered"):
        replay_event(ledger, second, ME)


@pytest.mark.parametrize("reason", ["cancelled", "expired", "person_erased"])
def test_what_was_dropped_for_good_stays_so(ledger: Ledger, reason: str) -> None:
    (identity,) = recorded(ledger, payment("p:1"), status="dropped", reason=reason)
    with pytest.raises(CommandError, match="for good"):
        replay_event(ledger, identity, ME, force=True)


def test_an_event_of_nobody_can_only_wait(ledger: Ledger) -> None:
    (identity,) = record_facts(ledger, payment("p:1", subscriber=None, waits_for="stripe:-:customer:cus_9"))
    with pytest.raises(CommandError, match="customer:cus_9"):
        replay_event(ledger, identity, ME, force=True)


def test_an_unknown_event_is_told(ledger: Ledger) -> None:
    with pytest.raises(CommandError, match="no event ev_nothing"):
        replay_event(ledger, "ev_nothing", ME)


# Webhooks


def route(**changes: Any) -> Route:
    adapter = adapters()["stripe"]
    source = Source(
        "stripe", "stripe", "main", ("whsec_x",), accept_test_events=True, options=adapter.options().load({})
    )
    return Route(replace(source, **changes), adapter, adapter.scheme({}), (fingerprint("whsec_x"),))


def came(ledger: Ledger, case: str, *, by: Route) -> str:
    """A sample that came to a source as it was configured then; its webhook's id."""
    webhook = samples("stripe")[case].webhook("stripe", "https://hooks.example.com/webhooks/stripe", NOON)
    (done,) = record(ledger, submitted(by, VerifiedWebhook(webhook, 0, None), lambda key: None))
    return done.webhook


def test_what_was_not_understood_is_translated_once_the_adapter_is_right(ledger: Ledger) -> None:
    unaware = replace(route().adapter, handlers={})
    identity = came(ledger, "session_paid", by=replace(route(), adapter=unaware))
    assert rows(ledger, webhooks, "outcome", "quarantined", "events_made") == [("quarantined", 1, 0)]

    done = replay_webhook(ledger, {"stripe": route()}, identity, ME)
    assert (done.was, done.recorded.word, len(done.recorded.events)) == ("quarantined", "translated", 1)
    assert rows(ledger, webhooks, "id", "outcome", "quarantined", "events_made") == [(identity, "translated", 0, 1)]
    assert rows(ledger, events, "id", "webhook", "type", "status") == [
        (done.recorded.events[0], identity, "SUBSCRIBER_PAYMENT", "waiting")
    ]
    assert rows(ledger, audit, "who", "action", "subject", "before", "after") == [
        (
            ME,
            "replay webhook",
            identity,
            {"outcome": "quarantined", "quarantined": 1},
            {"outcome": "translated", "quarantined": 0, "events": list(done.recorded.events)},
        )
    ]


def test_what_was_understood_already_is_not_told_again(ledger: Ledger) -> None:
    identity = came(ledger, "session_paid", by=route())
    before = rows(ledger, events, "id", "data", "status")
    done = replay_webhook(ledger, {"stripe": route()}, identity, ME)
    assert (done.recorded.events, done.recorded.merged) == ((), 1)
    assert rows(ledger, events, "id", "data", "status") == before
    assert rows(ledger, webhooks, "outcome", "events_made") == [("translated", 1)]


def test_what_is_still_not_understood_stays_in_quarantine(ledger: Ledger) -> None:
    identity = came(ledger, "unknown_type", by=route())
    done = replay_webhook(ledger, {"stripe": route()}, identity, ME)
    assert (done.recorded.word, done.recorded.quarantined) == ("quarantined", 1)
    assert rows(ledger, webhooks, "outcome", "quarantined") == [("quarantined", 1)]


def test_it_goes_where_it_went_at_first(ledger: Ledger) -> None:
    identity = came(ledger, "session_paid", by=replace(route(), adapter=replace(route().adapter, handlers={})))
    replay_webhook(ledger, {"stripe": route(destination="other")}, identity, ME)
    assert rows(ledger, events, "destination") == [("main",)]


def test_a_webhook_without_body_source_or_existence_is_told(ledger: Ledger) -> None:
    identity = came(ledger, "session_paid", by=route())
    with pytest.raises(CommandError, match="no webhook wh_nothing"):
        replay_webhook(ledger, {}, "wh_nothing", ME)
    with pytest.raises(CommandError, match="source stripe, which is not configured"):
        replay_webhook(ledger, {}, identity, ME)
    with ledger.write(["main"]) as connection:
        connection.execute(update(webhooks).values(body=None))
    with pytest.raises(CommandError, match="is not kept any more"):
        replay_webhook(ledger, {"stripe": route()}, identity, ME)
