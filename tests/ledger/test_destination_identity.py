"""A destination's address and token: what is new, what is tried out, what is refused."""

from sqlalchemy import update

from gateway.ledger.database import Ledger
from gateway.ledger.outbox import destination_identity
from gateway.ledger.outbox.destination_identity import Fingerprint, Moved
from gateway.ledger.schema import destinations
from tests.making import rows

FIRST = Fingerprint("https://lumail.io/api/v1", "token-1")


def registered(ledger: Ledger, one: Fingerprint, *, standing_in: bool = False) -> list[Moved]:
    with ledger.write(["main"]) as connection:
        return destination_identity.register(connection, {"main": one}, standing_in=standing_in)


def main(ledger: Ledger) -> tuple[object, ...]:
    return rows(ledger, destinations, "base_url", "fingerprint", "organization", "on_trial")[0]


def named(ledger: Ledger, organization: str) -> None:
    with ledger.write(["main"]) as connection:
        connection.execute(update(destinations).values(organization=organization))


def test_what_is_first_seen_is_believed(ledger: Ledger) -> None:
    assert registered(ledger, FIRST) == []
    assert main(ledger) == ("https://lumail.io/api/v1", "token-1", None, False)


def test_another_address_is_refused_and_changes_nothing(ledger: Ledger) -> None:
    registered(ledger, FIRST)
    assert registered(ledger, Fingerprint("https://b.example.com", "token-2")) == [
        Moved("main", "https://lumail.io/api/v1", "https://b.example.com")
    ]
    assert main(ledger) == ("https://lumail.io/api/v1", "token-1", None, False)


def test_another_token_is_tried_out_where_the_organization_is_known(ledger: Ledger) -> None:
    registered(ledger, FIRST)
    registered(ledger, Fingerprint(FIRST.base_url, "token-2"))
    assert main(ledger) == (FIRST.base_url, "token-2", None, False)
    named(ledger, "org_a")
    registered(ledger, Fingerprint(FIRST.base_url, "token-3"))
    assert main(ledger) == (FIRST.base_url, "token-3", "org_a", True)


def test_a_stand_in_may_be_anywhere(ledger: Ledger) -> None:
    registered(ledger, FIRST, standing_in=True)
    other = Fingerprint("http://127.0.0.1:9001/api/v1", "token-2")
    assert registered(ledger, other, standing_in=True) == []
    assert main(ledger) == ("http://127.0.0.1:9001/api/v1", "token-2", None, False)


def test_what_is_accepted_is_the_destination_from_now_on(ledger: Ledger) -> None:
    registered(ledger, FIRST)
    named(ledger, "org_a")
    other = Fingerprint("https://b.example.com", "token-2")
    with ledger.write(["main"]) as connection:
        changes = destination_identity.accept(connection, "main", other)
    assert changes == (
        {"base_url": FIRST.base_url, "organization": "org_a"},
        {"base_url": "https://b.example.com", "organization": None},
    )
    assert registered(ledger, other) == []
    assert main(ledger) == ("https://b.example.com", "token-2", None, False)
