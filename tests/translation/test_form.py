"""A form is read as a browser writes it, at a cost that its bytes bound."""

from urllib.parse import parse_qsl, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import PayloadError
from gateway.translation import form

NAMES_AND_VALUES = st.lists(st.tuples(st.binary(min_size=1, max_size=8), st.binary(max_size=12)), max_size=6)


@given(NAMES_AND_VALUES)
def test_what_was_written_is_read(written: list[tuple[bytes, bytes]]) -> None:
    assert form.pairs(urlencode(written).encode()) == written


@given(st.text("=+ \n\r_%a&", max_size=12).map(lambda text: text.replace("%", "%25")))
def test_a_body_is_read_as_by_everybody_else(text: str) -> None:
    usual = parse_qsl(text, keep_blank_values=True, encoding="latin-1")
    assert form.pairs(text.encode()) == [(name.encode("latin-1"), value.encode("latin-1")) for name, value in usual]


@pytest.mark.parametrize("body", [b"a=%", b"a=%4", b"a=%zz", b"%%41=1", b"a&" * 1000])
def test_what_is_no_form_or_has_too_many_fields_is_not_understood(body: bytes) -> None:
    with pytest.raises(PayloadError):
        form.pairs(body)
