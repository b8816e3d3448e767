"""What the ledger makes of tellings: new, known, richer, joined, waiting for memory."""

from datetime import timedelta
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import update
from sqlalchemy.event import listen

from gateway.events import Memo, decode_data
from gateway.ledger.database import Ledger
from gateway.ledger.facts import incidents
from gateway.ledger.facts.submission import TranslatedItem
from gateway.ledger.recording.commit import record_group
from gateway.ledger.schema import events, groups, keys, lines, memory, webhooks
from gateway.ledger.status import Outcome
from tests.making import NOON, again, complained, opened, payment, record, record_facts, rows, submission, told


def set_status(ledger: Ledger, event: str, **values: Any) -> None:
    with ledger.write(["main"]) as connection:
        connection.execute(update(events).where(events.c.id == event).values(**values))


def test_a_new_fact_becomes_a_waiting_event_at_the_head_of_its_line(ledger: Ledger) -> None:
    [event] = record_facts(ledger, payment("payment:1"))
    assert rows(ledger, events, "id", "status", "subscriber", "lane") == [(event, "waiting", "ana@example.com", 1)]
    assert rows(ledger, lines, "destination", "lane", "subscriber", "head") == [("main", 1, "ana@example.com", event)]


def test_a_fact_told_again_under_any_of_its_keys_is_merged(ledger: Ledger) -> None:
    [first, second, third] = record(
        ledger,
        submission(told(payment("payment:1"))),
        submission(told(payment("payment:1", "invoice:1"))),
        submission(told(payment("invoice:1"))),
    )
    assert (len(first.events), second.merged, third.merged) == (1, 1, 1)
    assert len(rows(ledger, events, "id")) == 1


def test_the_same_delivery_again_is_a_duplicate_with_the_first_id_in_a_group_and_after_it(ledger: Ledger) -> None:
    one = submission(told(payment("payment:1")), delivery_id="evt_1")
    [first, twin] = record(ledger, one, one)
    [later] = record(ledger, one)
    assert (first.duplicate, twin.duplicate, later.duplicate) == (False, True, True)
    assert {first.webhook} == {twin.webhook, later.webhook}
    assert len(rows(ledger, webhooks, "id")) == 1


def test_two_sources_may_use_one_delivery_id(ledger: Ledger) -> None:
    receipts = record(
        ledger,
        submission(told(payment("a:1")), delivery_id="evt_1", source="one"),
        submission(told(payment("b:1")), delivery_id="evt_1", source="two"),
    )
    assert [one.duplicate for one in receipts] == [False, False]


def test_a_quarantined_delivery_is_translated_when_it_is_sent_again(ledger: Ledger) -> None:
    [first] = record(ledger, submission(TranslatedItem(Outcome.QUARANTINED, "x", reason="why"), delivery_id="evt_1"))
    [again_] = record(ledger, submission(told(payment("payment:1")), delivery_id="evt_1"))
    assert (again_.webhook, again_.duplicate, len(again_.events)) == (first.webhook, True, 1)
    assert rows(ledger, webhooks, "outcome", "quarantined", "events_made") == [("translated", 0, 1)]


def test_the_richer_telling_replaces_the_data_of_an_event_that_nobody_sent(ledger: Ledger) -> None:
    record_facts(ledger, payment("p:1", product="Stripe payment"))
    record_facts(
        ledger, payment("p:1", product="Course", detail_rank=5), payment("p:1", product="Worse", detail_rank=1)
    )
    assert decode_data(rows(ledger, events, "data")[0][0])["product"] == "Course"


def test_data_that_an_attempt_may_have_sent_stays_as_it_is(ledger: Ledger) -> None:
    [event] = record_facts(ledger, payment("p:1", product="Sent"))
    set_status(ledger, event, first_attempt_at=NOON)
    record_facts(ledger, payment("p:1", product="Better", detail_rank=5))
    assert decode_data(rows(ledger, events, "data")[0][0])["product"] == "Sent"


def test_two_facts_that_turn_out_to_be_one_leave_the_richer_event(ledger: Ledger) -> None:
    [poor, rich] = record_facts(ledger, payment("payment:1"), payment("invoice:1", detail_rank=3))
    record(ledger, submission(told(links=(("payment:1", "invoice:1"),))))
    assert rows(ledger, events, "id", "status", "reason") == [
        (poor, "dropped", "superseded"),
        (rich, "waiting", None),
    ]
    assert len({group for (group,) in rows(ledger, keys, "group")}) == 1


def test_two_facts_joined_within_one_group_leave_one_event(ledger: Ledger) -> None:
    record(
        ledger,
        submission(told(payment("payment:1"))),
        submission(told(payment("invoice:1"))),
        submission(told(links=(("payment:1", "invoice:1"),))),
    )
    assert sorted(status for (status,) in rows(ledger, events, "status")) == ["dropped", "waiting"]
    assert [due is not None for (due,) in rows(ledger, lines, "due_at")] == [True]


def test_of_two_facts_that_are_one_the_sent_event_stays(ledger: Ledger) -> None:
    [sent, rich] = record_facts(ledger, payment("payment:1"), payment("invoice:1", detail_rank=9))
    set_status(ledger, sent, first_attempt_at=NOON, status="delivered")
    record(ledger, submission(told(links=(("payment:1", "invoice:1"),))))
    assert rows(ledger, events, "id", "status") == [(sent, "delivered"), (rich, "dropped")]


def test_two_sent_facts_that_turn_out_to_be_one_are_an_incident(ledger: Ledger) -> None:
    sent = record_facts(ledger, payment("payment:1"), payment("invoice:1"))
    for event in sent:
        set_status(ledger, event, first_attempt_at=NOON, status="delivered")
    record(ledger, submission(told(links=(("payment:1", "invoice:1"),))))
    assert rows(ledger, events, "id", "status") == [(event, "delivered") for event in sent]
    assert rows(ledger, groups, "incident") == [(f"sent for one fact: {', '.join(sent)}",)]


def test_an_incident_goes_where_its_fact_goes(ledger: Ledger) -> None:
    first, second, third = record_facts(ledger, payment("c:1"), payment("b:1"), payment("a:1"))
    for event in (second, third):
        set_status(ledger, event, first_attempt_at=NOON, status="delivered")
    record(ledger, submission(told(links=(("a:1", "b:1"),))))
    record(ledger, submission(told(links=(("c:1", "a:1"),))))
    assert rows(ledger, events, "id", "status") == [(first, "dropped"), (second, "delivered"), (third, "delivered")]
    with ledger.read() as connection:
        assert [(one.text, one.events) for one in incidents.newest(connection, 5)] == [
            (f"sent for one fact: {second}, {third}", (first, second, third))
        ]


def test_a_fact_whose_event_failed_may_be_told_again(ledger: Ledger) -> None:
    [failed] = record_facts(ledger, payment("p:1"))
    set_status(ledger, failed, status="failed")
    assert len(record_facts(ledger, payment("p:1"))) == 1


def test_a_fact_that_was_cancelled_is_never_told_again(ledger: Ledger) -> None:
    [cancelled] = record_facts(ledger, payment("p:1"))
    set_status(ledger, cancelled, status="dropped", reason="cancelled")
    assert record_facts(ledger, payment("p:1")) == []


def test_an_event_without_subscriber_is_held_until_memory_is_taught(ledger: Ledger) -> None:
    record_facts(ledger, payment("p:1", subscriber=None, waits_for="customer:1"))
    assert rows(ledger, events, "status", "reason") == [("held", "subscriber_unknown")]
    record(ledger, submission(told(memos=(Memo("customer:1", {"email": "bo@example.com"}, NOON),))))
    assert rows(ledger, events, "status", "subscriber", "reason") == [("waiting", "bo@example.com", None)]
    assert rows(ledger, lines, "subscriber") == [("bo@example.com",)]


def test_a_lesson_in_the_same_group_releases_too(ledger: Ledger) -> None:
    record(
        ledger,
        submission(told(payment("p:1", subscriber=None, waits_for="customer:1"))),
        submission(told(memos=(Memo("customer:1", {"email": "bo@example.com"}, NOON),))),
    )
    assert rows(ledger, events, "status", "subscriber") == [("waiting", "bo@example.com")]


def test_an_older_lesson_adds_but_does_not_overwrite(ledger: Ledger) -> None:
    newer = Memo("customer:1", {"email": "new@example.com"}, NOON)
    older = Memo("customer:1", {"email": "old@example.com", "name": "Ana"}, NOON - timedelta(days=1))
    record(ledger, submission(told(memos=(newer,))))
    record(ledger, submission(told(memos=(older,))))
    assert rows(ledger, memory, "values") == [({"email": "new@example.com", "name": "Ana"},)]


def test_a_lesson_without_a_time_adds_but_does_not_overwrite(ledger: Ledger) -> None:
    dated = Memo("customer:1", {"email": "new@example.com"}, NOON)
    undated = Memo("customer:1", {"email": "?@example.com", "name": "Ana"}, NOON + timedelta(1), undated=True)
    record(ledger, submission(told(memos=(dated,))))
    record(ledger, submission(told(memos=(undated,))))
    assert rows(ledger, memory, "values") == [({"email": "new@example.com", "name": "Ana"},)]


def test_a_translation_that_rests_on_changed_memory_is_made_again_under_the_lock(ledger: Ledger) -> None:
    def translated_item(known: Any) -> TranslatedItem:
        subscriber = known and known["email"]
        return told(payment("p:1", subscriber=subscriber, waits_for="customer:1"))

    record(ledger, submission(told(memos=(Memo("customer:1", {"email": "bo@example.com"}, NOON),))))
    record(ledger, submission(again(translated_item, "customer:1", None)))
    assert rows(ledger, events, "status", "subscriber") == [("waiting", "bo@example.com")]


def test_a_webhook_that_can_not_be_recorded_is_quarantined_and_its_group_is_not(ledger: Ledger) -> None:
    too_long = payment("k" * 600) if not ledger.is_sqlite else payment("p:9", occurred_at="never")
    receipts = record(
        ledger, submission(told(payment("p:1"))), submission(told(too_long)), submission(told(payment("p:2")))
    )
    assert [(len(one.events), one.quarantined) for one in receipts] == [(1, 0), (0, 1), (1, 0)]
    assert sorted(outcome for (outcome,) in rows(ledger, webhooks, "outcome")) == [
        "quarantined",
        "translated",
        "translated",
    ]


def test_destinations_of_one_group_keep_their_facts_apart(ledger: Ledger) -> None:
    receipts = record(ledger, submission(told(payment("p:1"))), submission(told(payment("p:1")), destination="other"))
    assert [len(one.events) for one in receipts] == [1, 1]


def test_a_batch_of_a_thousand_is_a_few_statements(ledger: Ledger) -> None:
    statements: list[str] = []
    listen(ledger.engine, "before_cursor_execute", lambda *given: statements.append(given[2]))
    batch = submission(*(told(opened(f"event:{number}", f"s{number}@example.com")) for number in range(1000)))
    with ledger.write(["main"]) as connection:
        [receipt] = record_group(connection, ledger, [batch])
    assert len(receipt.events) == 1000
    assert len(statements) < 40


def test_a_line_is_headed_by_what_happened_first(ledger: Ledger) -> None:
    [late, early] = record_facts(
        ledger, complained("b", occurred_at=NOON), complained("a", occurred_at=NOON - timedelta(hours=1))
    )
    assert rows(ledger, lines, "head") == [(early,)]
    assert late != early


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.lists(st.lists(st.integers(0, 7), min_size=1, max_size=3, unique=True), min_size=1, max_size=4),
        min_size=1,
        max_size=8,
    ),
    st.integers(0, 10**9),
)
def test_however_tellings_come_each_connected_set_of_keys_has_one_live_event(
    ledger: Ledger, groups: list[list[list[int]]], salt: int
) -> None:
    for group in groups:
        record(ledger, *(submission(told(payment(*(f"{salt}:{key}" for key in names)))) for names in group))
    mine = {key: of for key, of in rows(ledger, keys, "key", "group") if key.startswith(f"{salt}:")}
    live = [of for of, status in rows(ledger, events, "group", "status") if status == "waiting" and of in mine.values()]
    assert sorted(live) == sorted(set(mine.values()))
    for group in groups:
        for names in group:
            assert len({mine[f"{salt}:{key}"] for key in names}) == 1
