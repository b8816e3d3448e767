"""Which webhooks told of a fact, though another made its event."""

from gateway.ledger.database import Ledger
from gateway.ledger.facts import repeats
from gateway.ledger.schema import events
from tests.making import payment, record, rows, submission, told


def of_the_only_group(ledger: Ledger) -> list[str]:
    [group] = {group for (group,) in rows(ledger, events, "group")}
    with ledger.read() as connection:
        return repeats.webhooks_of(connection, group)


def test_whoever_tells_a_known_fact_is_remembered_with_it(ledger: Ledger) -> None:
    _, second = record(ledger, submission(told(payment("p:1"))), submission(told(payment("p:1"))))
    [third] = record(ledger, submission(told(payment("p:1"))))
    assert of_the_only_group(ledger) == [second.webhook, third.webhook]


def test_a_webhook_that_links_two_facts_is_remembered_with_the_one_that_they_become(ledger: Ledger) -> None:
    record(ledger, submission(told(payment("p:1"))), submission(told(payment("i:1"))))
    [both] = record(ledger, submission(told(payment("p:1")), told(payment("i:1"))))
    [linking] = record(ledger, submission(told(links=(("p:1", "i:1"),))))
    assert of_the_only_group(ledger) == [both.webhook, linking.webhook]
    with ledger.read() as connection:
        assert len(repeats.groups_of(connection, both.webhook)) == 1


def test_the_webhook_that_made_the_event_is_not_named_besides(ledger: Ledger) -> None:
    record(ledger, submission(told(payment("p:1"), links=(("p:1", "i:1"),))))
    assert of_the_only_group(ledger) == []
