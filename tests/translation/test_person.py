"""E-mail addresses as Lumail takes them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.translation import person


@pytest.mark.parametrize(
    ("value", "address"),
    [
        (" Ana@Example.com ", "ana@example.com"),
        ("Ana Lopez <ana@example.com>", "ana@example.com"),
        ('"Lopez, Ana" <ANA@example.com>', "ana@example.com"),
        ("<ana@example.com>", "ana@example.com"),
        ("ana+shop@mail.example.com", "ana+shop@mail.example.com"),
        ("o'neil@exämple.com", "o'neil@exämple.com"),
        ("ana", None),
        ("ana@", None),
        ("@example.com", None),
        ("ana@b@example.com", None),
        ("ana lopez@example.com", None),
        ("ana@example.com, bob@example.com", None),
        ("a" * 250 + "@example.com", None),
        ("", None),
        (None, None),
        (17, None),
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
