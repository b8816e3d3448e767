"""What a second translation of one webhook, or sending one event again, would do; nothing is written by asking."""

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import update

from gateway.intake.route import Route
from gateway.ledger.database import Ledger
from gateway.ledger.schema import audit, events, webhooks
from gateway.replay.deciding import cancel_event
from gateway.replay.sending import Cause, preview_event
from gateway.replay.translating import Difference, Verdict, preview_webhook, replay_webhook
from gateway.translation.adapter import Context, SourceEvent, Translation
from tests.making import payment, rows
from tests.replay.standing import ME, recorded
from tests.replay.test_again import came, route

ROUTES = {"stripe": route()}


def repeats(**data: Any) -> Route:
    """The adapter as it will be: it tells this otherwise of each event that it makes."""

    def corrected(handler: Any) -> Any:
        def handle(event: SourceEvent, context: Context) -> Translation:
            told: Translation = handler(event, context)
            made = tuple(replace(one, data={**one.data, **data}) for one in told.events)
            return replace(told, events=made, sums=())

        return handle

    mine = route().adapter
    return replace(
        route(), adapter=replace(mine, handlers={name: corrected(one) for name, one in mine.handlers.items()})
    )


def verdicts(ledger: Ledger, webhook: str, by: Route) -> list[tuple[Verdict, tuple[Difference, ...]]]:
    """What is foreseen; and that nothing of the ledger has changed by asking."""
    before = [rows(ledger, table, *table.c.keys()) for table in (events, webhooks, audit)]
    found = [(one.verdict, one.differences) for one in preview_webhook(ledger, {"stripe": by}, webhook)]
    assert [rows(ledger, table, *table.c.keys()) for table in (events, webhooks, audit)] == before
    return found


def test_what_was_not_understood_is_new(ledger: Ledger) -> None:
    webhook = came(ledger, "session_paid", by=replace(route(), adapter=replace(route().adapter, handlers={})))
    [foreseen] = preview_webhook(ledger, ROUTES, webhook)
    assert (foreseen.verdict, foreseen.lumail_type, foreseen.status, foreseen.lane) == (
        Verdict.NEW,
        "SUBSCRIBER_PAYMENT",
        "waiting",
        1,
    )
    assert verdicts(ledger, webhook, route()) == [(Verdict.NEW, ())]


def test_what_is_not_understood_still_says_why(ledger: Ledger) -> None:
    webhook = came(ledger, "unknown_type", by=route())
    [foreseen] = preview_webhook(ledger, ROUTES, webhook)
    assert (foreseen.verdict, foreseen.type) == (Verdict.NOT_UNDERSTOOD, "hologram.projected")
    assert foreseen.reason is not None
    assert foreseen.reason.startswith("unknown type")


def test_what_is_told_as_before_is_unchanged(ledger: Ledger) -> None:
    webhook = came(ledger, "session_paid", by=repeats())
    assert verdicts(ledger, webhook, repeats()) == [(Verdict.UNCHANGED, ())]


def test_what_was_mistranslated_is_changed_as_the_preview_says_as_long_as_nobody_has_sent_it(ledger: Ledger) -> None:
    webhook = came(ledger, "session_paid", by=repeats(product="Wrong"))
    right = repeats(product="Right")
    assert verdicts(ledger, webhook, right) == [(Verdict.CHANGED, (Difference("product", "Wrong", "Right"),))]
    replay_webhook(ledger, {"stripe": right}, webhook, ME)
    assert '"product":"Right"' in rows(ledger, events, "data")[0][0]


def test_what_is_delivered_stays_and_the_preview_says_what_is_told_otherwise_now(ledger: Ledger) -> None:
    webhook = came(ledger, "session_paid", by=repeats(product="Wrong"))
    with ledger.write(["main"]) as connection:
        connection.execute(update(events).values(status="delivered", lumail_event_id="evt_1"))
    right = repeats(product="Right")
    assert verdicts(ledger, webhook, right) == [(Verdict.DELIVERED, (Difference("product", "Wrong", "Right"),))]
    replay_webhook(ledger, {"stripe": right}, webhook, ME)
    assert rows(ledger, events, "status") == [("delivered",)]
    assert '"product":"Wrong"' in rows(ledger, events, "data")[0][0]


def test_what_was_cancelled_is_told_never_again(ledger: Ledger) -> None:
    webhook = came(ledger, "session_paid", by=repeats())
    cancel_event(ledger, rows(ledger, events, "id")[0][0], ME)
    with ledger.read() as connection:
        assert preview_event(connection, rows(ledger, events, "id")[0][0]).status == "dropped"
    [foreseen] = preview_webhook(ledger, {"stripe": repeats()}, webhook)
    assert (foreseen.verdict, foreseen.reason) == (Verdict.NEVER, "cancelled")


def test_a_fact_whose_event_failed_is_told_anew(ledger: Ledger) -> None:
    webhook = came(ledger, "session_paid", by=repeats())
    with ledger.write(["main"]) as connection:
        connection.execute(update(events).values(status="failed"))
    assert verdicts(ledger, webhook, repeats()) == [(Verdict.NEW, ())]


@pytest.mark.parametrize(
    ("state", "cause", "by_force"),
    [
        ({"status": "failed"}, None, False),
        ({"status": "waiting"}, Cause.MOVES, False),
        ({"status": "delivered"}, Cause.DELIVERED, True),
        ({"status": "held", "reason": "answer_lost"}, Cause.UNCONFIRMED, True),
        ({"status": "dropped", "reason": "expired"}, Cause.FINAL, False),
    ],
)
def test_sending_one_event_again_is_foreseen(
    ledger: Ledger, state: dict[str, str], cause: Cause | None, by_force: bool
) -> None:
    [identity] = recorded(ledger, payment("p:1"), **state)
    with ledger.read() as connection:
        found = preview_event(connection, identity)
    assert (found.refusal.cause if found.refusal else None, found.by_force) == (cause, by_force)
