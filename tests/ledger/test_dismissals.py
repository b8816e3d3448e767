"""What somebody set aside needs nobody, can be found with its reason, and needs somebody once it is taken back."""

import pytest
from sqlalchemy import delete, text

from gateway.ledger.database import Ledger
from gateway.ledger.facts import dismissals, incidents
from gateway.ledger.facts.dismissals import Kind, Matter
from gateway.ledger.facts.submission import TranslatedItem
from gateway.ledger.schema import audit, webhooks
from gateway.ledger.status import Outcome
from gateway.ledger.views import rejections
from gateway.ledger.views.overview import Overview, overview
from gateway.ledger.views.rejections import Refused
from tests.making import payment, record, record_facts, rows, submission

WHY = "a trial of the provider's"


def quarantined(ledger: Ledger) -> str:
    [one] = record(ledger, submission(TranslatedItem(Outcome.QUARANTINED, "x", reason="?")))
    return one.webhook


def asked_for(ledger: Ledger) -> str:
    with ledger.write() as connection:
        rejections.add(connection, [Refused(None, "/wp-login.php", "unknown", "", 3)], ledger.now(connection))
    return "/wp-login.php"


def told_twice(ledger: Ledger, what: str = "sent for one fact") -> str:
    [event] = record_facts(ledger, payment("p:1"))
    with ledger.write(["main"]) as connection:
        group = connection.execute(text(f"SELECT \"group\" FROM events WHERE id = '{event}'")).scalar_one()
        incidents.record(connection, "main", group, what)
    return event


def put(ledger: Ledger, matter: Matter, why: str = WHY) -> dismissals.Dismissal | None:
    with ledger.write() as connection:
        return dismissals.put(connection, matter, why, "ana", ledger.now(connection))


def undo(ledger: Ledger, matter: Matter) -> dismissals.Dismissal | None:
    with ledger.write() as connection:
        return dismissals.undo(connection, matter, "ben", ledger.now(connection))


def seen(ledger: Ledger) -> tuple[int, int, int]:
    """Webhooks in quarantine, unknown paths and incidents that need somebody."""
    with ledger.read() as connection:
        found: Overview = overview(connection, ledger.now(connection), {"main": 100}, ["stripe"])
    return found.sources[0].quarantined, len(found.unknown_paths), found.incident_count


CASES = {
    Kind.WEBHOOK: (quarantined, (1, 0, 0)),
    Kind.PATH: (asked_for, (0, 1, 0)),
    Kind.INCIDENT: (told_twice, (0, 0, 1)),
}


@pytest.mark.parametrize("kind", Kind)
def test_what_is_set_aside_needs_nobody_until_it_is_taken_back(ledger: Ledger, kind: Kind) -> None:
    make, shown = CASES[kind]
    matter = Matter(kind, make(ledger))
    assert seen(ledger) == shown
    done = put(ledger, matter)
    assert done is not None
    assert (seen(ledger), done.reason, done.who) == ((0, 0, 0), WHY, "ana")
    with ledger.read() as connection:
        assert list(dismissals.newest(connection, 10)) == [done]
    assert undo(ledger, matter) == done
    assert seen(ledger) == shown
    assert rows(ledger, audit, "who", "action", "before", "after") == [
        ("ana", f"set aside {kind}", None, {"reason": WHY}),
        ("ben", f"take back {kind}", {"reason": WHY}, None),
    ]


@pytest.mark.parametrize("kind", Kind)
def test_what_is_not_there_can_not_be_set_aside_nor_taken_back(ledger: Ledger, kind: Kind) -> None:
    assert (put(ledger, Matter(kind, "nothing")), undo(ledger, Matter(kind, "nothing"))) == (None, None)


def test_a_new_reason_takes_the_place_of_the_former(ledger: Ledger) -> None:
    matter = Matter(Kind.PATH, asked_for(ledger))
    put(ledger, matter)
    put(ledger, matter, "a scanner")
    with ledger.read() as connection:
        assert [one.reason for one in dismissals.newest(connection, 10)] == ["a scanner"]
    assert rows(ledger, audit, "before", "after")[1] == ({"reason": WHY}, {"reason": "a scanner"})


def test_a_path_that_is_tried_again_stays_aside(ledger: Ledger) -> None:
    put(ledger, Matter(Kind.PATH, asked_for(ledger)))
    asked_for(ledger)
    assert seen(ledger) == (0, 0, 0)


def test_an_incident_of_which_something_else_is_told_is_shown_again(ledger: Ledger) -> None:
    event = told_twice(ledger)
    done = put(ledger, Matter(Kind.INCIDENT, event))
    assert done is not None
    with ledger.write(["main"]) as connection:
        incidents.record(connection, "main", done.subject, "refunded more than was paid")
    assert seen(ledger) == (0, 0, 1)


def test_what_was_set_aside_is_forgotten_with_it(ledger: Ledger) -> None:
    put(ledger, Matter(Kind.WEBHOOK, quarantined(ledger)))
    put(ledger, Matter(Kind.PATH, asked_for(ledger)))
    with ledger.write() as connection:
        connection.execute(delete(webhooks))
        assert dismissals.forget_gone(connection, 10) == 1
        assert [one.kind for one in dismissals.newest(connection, 10)] == [Kind.PATH]
