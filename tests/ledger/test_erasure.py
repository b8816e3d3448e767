"""A person leaves the ledger: nothing says who it was, and what is told of it later is left out."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import LargeBinary, Text, cast, insert, make_url, select, update

from gateway.config import Retention
from gateway.delivery.upkeep import Upkeep
from gateway.events import EventType, Memo
from gateway.ledger import schema
from gateway.ledger.database import Ledger
from gateway.ledger.facts.submission import Recorded, TranslatedItem
from gateway.ledger.jobs import privacy_requests
from gateway.ledger.jobs.privacy_requests import Origin
from gateway.ledger.migration import migrate
from gateway.ledger.retention import erasure
from gateway.ledger.retention.erasure import Erased
from gateway.ledger.schema import attempts, events, jobs, keys, memory, tombstones, unknown_subscribers, webhooks
from gateway.privacy import Duty, PrivacyRequest, Subject
from tests.making import NOON, add_attempt, fact, opened, payment, record, record_facts, rows, submission, told

ANA, BEN = "ana@example.com", "ben@example.com"
BY_ANA = Subject(addresses=(ANA,))
BEFORE = datetime.now(UTC)
LATER = BEFORE + timedelta(days=1)


def demand(ledger: Ledger, subject: Subject, duty: Duty = Duty.ERASE) -> str:
    with ledger.write(["main"]) as connection:
        return privacy_requests.record(
            connection, PrivacyRequest(duty, subject), Origin("Dora (terminal)"), ledger.now(connection)
        )


def erased(ledger: Ledger, subject: Subject = BY_ANA) -> Erased:
    return erasure.erase(ledger, demand(ledger, subject))


def texts(ledger: Ledger) -> Sequence[tuple[str, str, str]]:
    """Everything that stands in the ledger: table, column, text."""
    found = []
    with ledger.read() as connection:
        for table in schema.metadata.sorted_tables:
            for row in connection.execute(select(*(_text(column) for column in table.columns))).mappings():
                found += [(table.name, name, str(value)) for name, value in row.items() if value is not None]
    return found


def _text(column: Any) -> Any:
    return column if isinstance(column.type, (LargeBinary, schema.Packed)) else cast(column, Text).label(column.name)


def places_of(ledger: Ledger, text: str) -> list[tuple[str, str]]:
    return sorted({(table, column) for table, column, value in texts(ledger) if text in value.lower()})


def learnt(key: str, email: str = ANA, at: datetime = NOON) -> TranslatedItem:
    return told(memos=(Memo(key, {"email": email}, at),))


def everything(ledger: Ledger) -> None:
    """Ana wherever somebody can be."""
    once = replace(opened("open:1"), once=f"once:{ANA}")
    webhook = submission(
        told(payment("payment:1", "invoice:1")),
        told(once),
        learnt("customer:cus_100", "Ana@Example.com"),
        told(fact(EventType.FIELD_UPDATED, {"newValue": f"friend of {ANA}"}, "field:1", subscriber=BEN)),
        body=b"email=ana%40example.com",
        headers={"x-about": ANA},
        url=f"https://hooks.example.com/webhooks/stripe?for={ANA}",
    )
    record(ledger, webhook, submission(told(), body=rb'{"who": "ana\u0040example.com"}'))
    record(ledger, submission(told(payment("payment:2", subscriber=None, waits_for="customer:cus_100"))))
    (event, *_) = rows(ledger, events, "id")
    add_attempt(ledger, event[0], NOON, sent=ANA, body=f"no {ANA}", error=ANA)
    add_attempt(ledger, None, NOON, kind="ask", sent=ANA)
    with ledger.write(["main"]) as connection:
        connection.execute(
            insert(unknown_subscribers).values(destination="main", subscriber=ANA, since=NOON, times_asked=1)
        )
        rejection = {"id": "rj_1", "path": f"/webhooks/{ANA}", "cause": "unknown", "count": 1, "at": NOON}
        connection.execute(insert(schema.rejections).values(**rejection))
        edit = {"id": "ed_1", "event": event[0], "at": NOON, "who": "Dora"}
        connection.execute(insert(schema.edits).values(**edit, before={"subscriber": ANA}, after={}))
    demand(ledger, BY_ANA, Duty.COPY)


def test_afterwards_no_table_holds_the_address(ledger: Ledger) -> None:
    everything(ledger)
    assert len(places_of(ledger, ANA)) > 12
    done = erased(ledger)
    assert done.is_done
    assert places_of(ledger, "ana@") == places_of(ledger, "ana%40") == places_of(ledger, "cus_100") == []
    assert places_of(ledger, BEN) != []


def test_what_was_erased_is_told_and_written_down_without_the_address(ledger: Ledger) -> None:
    record(ledger, submission(told(payment("payment:1")), learnt("customer:1"), body=b"{}"))
    done = erased(ledger)
    assert done.counts == {"memory": 1, "events": 1, "webhooks": 1, "keys": 1}
    [(who, action, subject, after)] = rows(ledger, schema.audit, "who", "action", "subject", "after")
    assert (who, action, subject[:1], len(subject), after) == ("Dora (terminal)", "erase", "#", 17, done.counts)
    [(status, request)] = rows(ledger, jobs, "status", "request")
    assert (status, request["people"]) == ("done", [subject])


def test_events_are_counted_still_and_those_that_waited_are_dropped(ledger: Ledger) -> None:
    statuses = ("waiting", "held", "delivered", "failed")
    for number, status in enumerate(statuses):
        (event,) = record_facts(ledger, payment(f"payment:{number}"))
        with ledger.write(["main"]) as connection:
            connection.execute(update(events).where(events.c.id == event).values(status=status))
    erased(ledger)
    dropped, kept = ("dropped", "person_erased"), ("delivered", None)
    assert rows(ledger, events, "status", "reason") == [dropped, dropped, kept, ("failed", "person_erased")]
    assert set(rows(ledger, events, "subscriber", "data")) == {(None, "{}")}
    assert rows(ledger, schema.lines, "subscriber") == []


def test_a_batch_that_speaks_of_others_too_loses_its_bytes_and_says_so(ledger: Ledger) -> None:
    batch = (told(complaint := opened("open:1")), told(opened("open:2", BEN)))
    record(ledger, submission(*batch, body=b"[1, 2]"), submission(told(opened("open:3", BEN)), body=b"[3]"))
    assert complaint.subscriber == ANA
    erased(ledger)
    assert [(body, [note["word"] for note in notes]) for body, notes in rows(ledger, webhooks, "body", "notes")] == [
        (None, ["erased"]),
        (b"[3]", []),
    ]
    assert rows(ledger, events, "subscriber") == [(None,), (BEN,), (BEN,)]


def test_who_is_alike_stays(ledger: Ledger) -> None:
    alike = ("joana@example.com", "ana@example.com.au", "diana.ana@example.com")
    record(ledger, *(submission(told(payment(f"p:{who}", subscriber=who)), body=who.encode()) for who in alike))
    record(ledger, submission(*(learnt(f"customer:{who}", who) for who in alike)))
    before = texts(ledger)
    erased(ledger)
    assert [row for row in texts(ledger) if row[0] in ("webhooks", "events", "memory")] == [
        row for row in before if row[0] in ("webhooks", "events", "memory")
    ]


def test_what_is_told_of_an_erased_fact_later_is_left_out_and_not_kept(ledger: Ledger) -> None:
    record_facts(ledger, payment("payment:1", "charge:1"))
    erased(ledger)
    late = submission(told(payment("charge:1", "refund:1", occurred_at=LATER)), body=ANA.encode())
    assert record(ledger, late)[0].events == ()
    assert record_facts(ledger, payment("refund:1", subscriber=None, waits_for="customer:1")) == []
    assert places_of(ledger, ANA) == []
    assert {key[:1] for (key,) in rows(ledger, keys, "key")} == {"#"}


def test_what_happened_before_is_left_out_also_where_its_fact_was_not_known(ledger: Ledger) -> None:
    record(ledger, submission(learnt("customer:1")))
    erased(ledger)
    [late] = record(ledger, submission(told(payment("payment:9")), learnt("customer:1")))
    assert (late.events, late.word, [item.reason for item in late.items]) == ((), "ignored", ["person erased"] * 2)
    assert record_facts(ledger, payment("payment:8", subscriber=None, waits_for="customer:1")) == []
    assert rows(ledger, memory, "key") == []


def test_what_has_no_time_counts_as_from_before(ledger: Ledger) -> None:
    erased(ledger)
    memo = Memo("customer:1", {"email": ANA}, LATER, undated=True)
    undated = opened("open:1", subscriber=ANA, occurred_at=LATER, undated=True)
    [late] = record(ledger, submission(told(undated), told(memos=(memo,))))
    assert (late.events, late.word, rows(ledger, memory, "key")) == ((), "ignored", [])


def demanded_at(ledger: Ledger, at: datetime, subject: Subject = BY_ANA) -> str:
    """A demand to erase Ana that was made at this time."""
    identity = demand(ledger, subject)
    with ledger.write(["main"]) as connection:
        connection.execute(update(jobs).where(jobs.c.id == identity).values(made_at=at))
    return identity


def test_what_is_of_the_very_instant_of_the_demand_goes(ledger: Ledger) -> None:
    record(ledger, submission(told(payment("payment:1")), learnt("customer:1")))
    with ledger.write(["main"]) as connection:
        connection.execute(update(events).values(created_at=NOON))
    assert erasure.erase(ledger, demanded_at(ledger, NOON)).is_done
    assert (places_of(ledger, ANA), rows(ledger, memory, "key")) == ([], [])


def test_what_is_told_late_of_that_very_instant_is_left_out(ledger: Ledger) -> None:
    erasure.erase(ledger, demanded_at(ledger, NOON))
    assert record_facts(ledger, payment("payment:1", occurred_at=NOON)) == []
    assert len(record_facts(ledger, payment("payment:2", occurred_at=NOON + timedelta(seconds=1)))) == 1


def test_what_was_taught_after_the_demand_stays(ledger: Ledger) -> None:
    named = Subject(memories=("customer:1", "customer:2"), destination="main")
    identity = demanded_at(ledger, NOON, named)
    memos = [Memo("customer:1", {"into": "2"}, NOON), Memo("customer:2", {"into": "3"}, NOON + timedelta(hours=1))]
    record(ledger, submission(*(told(memos=(memo,)) for memo in memos)))
    assert erasure.erase(ledger, identity).is_done
    assert rows(ledger, memory, "key", "values") == [("customer:2", {"into": "3"})]


def test_an_address_that_was_taught_after_the_demand_stays_as_it_is(ledger: Ledger) -> None:
    identity = demanded_at(ledger, BEFORE)
    memo = Memo("customer:1", {"email": ANA}, LATER)
    record(ledger, submission(told(memos=(memo,)), body=ANA.encode(), received_at=LATER))
    assert erasure.erase(ledger, identity).is_done
    assert rows(ledger, memory, "key", "values") == [("customer:1", {"email": ANA})]


def test_an_address_of_before_the_demand_goes_though_its_row_was_touched_since(ledger: Ledger) -> None:
    identity = demanded_at(ledger, NOON)
    for memo in (Memo("customer:1", {"email": ANA}, BEFORE), Memo("customer:1", {"name": "Mug"}, LATER)):
        record(ledger, submission(told(memos=(memo,)), body=b"{}", received_at=memo.at))
    assert erasure.erase(ledger, identity).is_done
    assert (rows(ledger, memory, "key"), places_of(ledger, ANA)) == ([], [])


def test_a_webhook_that_came_after_the_demand_keeps_its_body(ledger: Ledger) -> None:
    identity = demanded_at(ledger, NOON)
    for hours in (-1, 1):
        received_at = NOON + timedelta(hours=hours)
        record(ledger, submission(told(), body=ANA.encode(), received_at=received_at))
    assert erasure.erase(ledger, identity).is_done
    assert rows(ledger, webhooks, "body") == [(None,), (ANA.encode(),)]


def test_a_stranger_for_whom_an_event_came_since_is_asked_for_still(ledger: Ledger) -> None:
    identity = demanded_at(ledger, BEFORE)
    record_facts(ledger, payment("payment:1", occurred_at=LATER))
    with ledger.write(["main"]) as connection:
        connection.execute(update(events).values(status="held", reason="not_in_lumail", created_at=LATER))
        stranger = {"destination": "main", "subscriber": ANA, "since": NOON, "times_asked": 1, "ask_at": LATER}
        connection.execute(insert(unknown_subscribers).values(stranger))
    assert erasure.erase(ledger, identity).is_done
    assert rows(ledger, unknown_subscribers, "subscriber") == [(ANA,)]


def test_an_erasure_is_not_done_while_lumail_is_asked_for_the_person(ledger: Ledger) -> None:
    add_attempt(ledger, None, NOON, kind="ask", sent=ANA)
    with ledger.write(["main"]) as connection:
        connection.execute(update(attempts).values(outcome=None, ends_by=LATER))
    done = erased(ledger)
    assert (done.is_done, rows(ledger, attempts, "sent")) == (False, [(ANA,)])
    with ledger.write(["main"]) as connection:
        connection.execute(update(attempts).values(outcome="answered"))
    assert (erasure.erase(ledger, done.id).is_done, rows(ledger, attempts, "sent")) == (True, [(None,)])


def test_nobody_can_be_given_a_copy_of_what_is_erased(ledger: Ledger) -> None:
    copy = demand(ledger, BY_ANA, Duty.COPY)
    erased(ledger)
    assert dict(rows(ledger, jobs, "id", "status"))[copy] == "done"


def test_who_comes_anew_is_a_new_person(ledger: Ledger) -> None:
    record(ledger, submission(told(payment("payment:1")), learnt("customer:1")))
    erased(ledger)
    anew = payment("payment:2", occurred_at=LATER)
    [recorded] = record(ledger, submission(learnt("customer:1", at=LATER), told(anew)))
    assert (len(recorded.events), recorded.word) == (1, "translated")
    assert record_facts(ledger, payment("payment:3", subscriber=None, waits_for="customer:1", occurred_at=LATER))
    assert rows(ledger, memory, "key", "values") == [("customer:1", {"email": ANA})]


@pytest.mark.parametrize("status", ["delivering", "unknown"])
def test_what_is_on_its_way_ends_first(ledger: Ledger, status: str) -> None:
    event, _ = record_facts(ledger, payment("payment:1"), payment("payment:2"))
    add_attempt(ledger, event, NOON, sent=ANA)
    with ledger.write(["main"]) as connection:
        connection.execute(update(events).where(events.c.id == event).values(status=status))
    done = erased(ledger)
    assert (done.is_done, done.left) == (False, 1)
    assert rows(ledger, events, "status", "subscriber") == [(status, ANA), ("dropped", None)]
    assert rows(ledger, attempts, "sent") == [(ANA,)]  # by which it is recognised at Lumail
    with ledger.write(["main"]) as connection:
        connection.execute(update(events).where(events.c.id == event).values(status="delivered"))
    assert erasure.erase(ledger, done.id).is_done
    assert rows(ledger, events, "status", "subscriber") == [("delivered", None), ("dropped", None)]
    assert (rows(ledger, attempts, "sent"), places_of(ledger, ANA)) == ([(None,)], [])


def test_facts_and_customers_are_erased_by_their_names(ledger: Ledger) -> None:
    record_facts(ledger, payment("shop:-:order:1"), payment("shop:-:order:2"))
    record(ledger, submission(learnt("shop:-:customer:17")))
    subject = Subject(memories=("shop:-:customer:17",), keys=("shop:-:order:1",), destination="main")
    erased(ledger, subject)
    assert rows(ledger, events, "subscriber") == [(None,), (ANA,)]
    assert (rows(ledger, memory, "key"), len(rows(ledger, tombstones, "name"))) == ([], 1)


def test_the_webhook_that_demands_it_goes_too_though_the_door_is_ahead_of_the_ledger(ledger: Ledger) -> None:
    asked = replace(told(), demand=PrivacyRequest(Duty.ERASE, replace(BY_ANA, destination="main")))
    record(ledger, submission(asked, body=ANA.encode(), received_at=LATER))
    with ledger.read() as connection:
        [identity] = erasure.open_ids(connection)
    assert erasure.erase(ledger, identity).is_done
    assert places_of(ledger, ANA) == []


def test_an_account_goes_as_a_whole_and_others_stay(ledger: Ledger) -> None:
    def reported_at(shop: str) -> Sequence[Recorded]:
        order = payment(f"shopify:{shop}:order:1", subscriber=f"{shop}@example.com")
        memo = learnt(f"shopify:{shop}:customer:1", f"{shop}@example.com")
        tried = payment(f"shopify:{shop}~test:order:1", subscriber=f"{shop}@example.com")
        headers, body = {"x-shopify-shop-domain": shop}, b"{}"
        ignored = submission(told(), source="shopify", headers=headers, body=body)
        return record(ledger, submission(told(order), told(tried), memo, source="shopify", headers=headers), ignored)

    reported_at("one.example")
    reported_at("two.example")
    subject = Subject(account="shopify:one.example:", destination="main")
    with ledger.write(["main"]) as connection:
        origin = Origin("source shopify", "shopify", "wh_1")
        identity = privacy_requests.record(
            connection, PrivacyRequest(Duty.ERASE, subject), origin, ledger.now(connection)
        )
    assert erasure.erase(ledger, identity).is_done
    assert places_of(ledger, "one.example") == []
    assert len(rows(ledger, memory, "key")) == 1
    assert [body for (body,) in rows(ledger, webhooks, "body")] == [None, None, b"{}", b"{}"]


def test_an_erasure_that_is_stopped_after_any_step_goes_on_where_it_was(ledger: Ledger) -> None:
    everything(ledger)
    identity = demand(ledger, BY_ANA)
    for most in count(1):
        left = list(range(most % 3 + 1))
        if erasure.erase(ledger, identity, stopping=partial(_is_used_up, left)).is_done:
            break
    assert places_of(ledger, "ana@") == []


def _is_used_up(left: list[int]) -> bool:
    return not left or left.pop() < 0


def test_many_facts_go_by_steps(ledger: Ledger) -> None:
    record(ledger, submission(*(told(opened(f"open:{number}")) for number in range(130))))
    done = erased(ledger)
    assert (done.counts["events"], done.counts["keys"], set(rows(ledger, events, "subscriber"))) == (
        130,
        130,
        {(None,)},
    )


def bytes_of(ledger: Ledger) -> bytes:
    """All that lies in the folder of a ledger in a file."""
    folder = Path(make_url(ledger.url).database or "").parent
    return b"".join(path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file())


@pytest.fixture
def ledger_in_a_file(tmp_path: Path) -> Iterator[Ledger]:
    made = Ledger(f"sqlite:///{tmp_path / 'gateway.db'}")
    migrate(made)
    yield made
    made.close()


def test_what_a_reader_keeps_in_the_files_goes_once_nobody_reads(ledger_in_a_file: Ledger) -> None:
    ledger = ledger_in_a_file
    canary = b"ana-the-canary"
    person = f"{canary.decode()}@example.com"
    record(ledger, submission(learnt("customer:cus_1", person)))
    upkeep = Upkeep(ledger, Retention())
    with ledger.read() as reader:
        reader.execute(select(memory)).all()
        erased(ledger, Subject(addresses=(person,)))
        assert canary in bytes_of(ledger)
    upkeep.work()
    assert canary not in bytes_of(ledger)
    assert not upkeep.is_due()


def test_not_a_byte_of_the_files_says_who_it_was(ledger_in_a_file: Ledger) -> None:
    ledger = ledger_in_a_file
    canary = b"ana-the-canary"
    person = f"{canary.decode()}@example.com"
    record_facts(ledger, *(payment(f"payment:{number}", subscriber=person) for number in range(50)))
    record(ledger, submission(learnt("customer:cus_1", person)))
    assert canary in bytes_of(ledger)
    erased(ledger, Subject(addresses=(person,)))
    assert canary not in bytes_of(ledger)
