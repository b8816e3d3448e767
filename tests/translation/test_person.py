"""E-mail addresses as Lumail takes them."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.translation import person
from tests.docs.test_provider_pages import table_under


def documented() -> list[tuple[str, str | None]]:
    """The examples of docs/mail.md."""
    rows = table_under("| told | is |", (Path(__file__).parents[2] / "docs" / "mail.md").read_text())
    return [(told.strip("`"), None if address == "no address" else address.strip("`")) for told, address in rows]


@pytest.mark.parametrize(
    ("value", "address"),
    [
        *documented(),
        ("<ana@example.com>", "ana@example.com"),
        ("'ana@example.com'", "ana@example.com"),
        ('"ana@example.com"', "ana@example.com"),
        ('"Ana".lopez@example.com', "ana.lopez@example.com"),
        ('ana."van lopez"@example.com', 'ana."van lopez"@example.com'),
        ('ana"lopez"@example.com', None),
        ("utf-8; ana@exämple.com", "ana@exämple.com"),
        ("\u2068ana@example.com\u2069", "ana@example.com"),
        ("ana\u200b@example.com\ufeff", "ana@example.com"),
        ("Ana (at home) <ana@example.com> (and away)", "ana@example.com"),
        ('"ana (at) work"@example.com', '"ana (at) work"@example.com'),
        ('"ana \\" lopez"@example.com', '"ana \\" lopez"@example.com'),
        ("o'neil@example.com", "o'neil@example.com"),
        ("ana@localhost", "ana@localhost"),
        ("ana@", None),
        ("@example.com", None),
        ("ana@b@example.com", None),
        ('""@example.com', None),
        ("ana@-example.com", None),
        ("ana@example.com\nleo@example.com", None),
        ("an\ufffd@example.com", None),
        ("a" * 250 + "@example.com", None),
        ("(" * 900 + "ana@example.com", None),
        ("", None),
        (None, None),
        (17, None),
        (["ana@example.com"], None),
    ],
)
def test_an_address_is_cleaned_and_nothing_else_is_one(value: object, address: str | None) -> None:
    assert person.email(value) == address


def test_the_first_address_of_several_counts() -> None:
    assert person.first_email(None, "", "n/a", "Bob@example.com", "ana@example.com") == "bob@example.com"
    assert person.first_email(None) is None


@given(st.text(max_size=60))
def test_what_is_cleaned_stays_as_it_is(text: str) -> None:
    address = person.email(text + "@example.com")
    assert address is None or person.email(address) == address
