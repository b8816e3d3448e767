"""After a changed token one event goes alone, and another organization's answer stops everything."""

from typing import Any

from sqlalchemy import update

from gateway.ledger.scheduling import pauses
from gateway.ledger.schema import destinations, events
from gateway.ledger.status import PauseKind, Reason
from tests.delivery.conftest import Later, Road
from tests.making import opened, payment, record_facts, rows
from tests.waiting import eventually


def believed(road: Road, **values: Any) -> None:
    with road.ledger.write(["main"]) as connection:
        connection.execute(update(destinations).where(destinations.c.name == "main").values(**values))


def main(road: Road) -> tuple[Any, ...]:
    return rows(road.ledger, destinations, "organization", "on_trial")[0]


def delivered_before(road: Road) -> str:
    """An organization that is known by an answer of its own."""
    record_facts(road.ledger, payment("p:0", amount=1))
    road.drain()
    organization, on_trial = main(road)
    assert (organization is not None, on_trial) == (True, False)
    return str(organization)


def test_the_organization_is_learnt_from_the_first_answer(road: Road) -> None:
    assert main(road) == (None, False)
    delivered_before(road)


def test_a_new_token_of_the_same_organization_is_tried_with_one_event_and_then_all_leave(road: Road) -> None:
    organization = delivered_before(road)
    believed(road, on_trial=True)
    record_facts(road.ledger, *(opened(f"o:{number}", f"s{number}@example.com") for number in range(20)))

    def all_left() -> bool:
        road.drain()
        return {status for status, _ in road.statuses()} == {"delivered"}

    assert eventually(all_left)
    assert main(road) == (organization, False)


def test_of_many_events_another_organization_gets_one(road: Road) -> None:
    delivered_before(road)
    believed(road, on_trial=True, organization="org_of_before")
    made = record_facts(road.ledger, *(opened(f"o:{number}", f"s{number}@example.com") for number in range(9)))
    road.drain()
    road.drain()
    statuses = [status for status, _ in road.statuses()][1:]
    assert (statuses.count("delivered"), statuses.count("waiting")) == (1, 8)
    with road.ledger.read() as connection:
        [pause] = pauses.open_pauses(connection, "main", road.ledger.now(connection))
    assert pause.until is None
    assert pause.kind == PauseKind.OTHER_ORGANIZATION
    assert pause.reason.endswith(f"which recorded {made[statuses.index('delivered')]}")


def test_while_a_token_is_on_trial_nothing_is_taken_for_not_recorded(road: Road, later: Later) -> None:
    delivered_before(road)
    record_facts(road.ledger, payment("p:1"))
    road.sandbox.fail("drop_before", count=1)
    road.drain()
    believed(road, on_trial=True)
    for _ in range(4):
        later(seconds=700)
    assert road.statuses()[1] == ("unknown", Reason.ANSWER_LOST)
    believed(road, on_trial=False)
    for _ in range(3):
        later(seconds=700)
    assert road.statuses()[1] == ("delivered", None)


def test_an_event_that_is_found_by_its_id_proves_the_organization(road: Road, later: Later) -> None:
    organization = delivered_before(road)
    record_facts(road.ledger, payment("p:1"))
    road.sandbox.fail("drop_after", count=1)
    road.drain()
    believed(road, on_trial=True)
    later(seconds=3)
    assert main(road) == (organization, False)
    assert rows(road.ledger, events, "status") == [("delivered",), ("delivered",)]
