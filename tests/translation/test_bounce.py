"""Hard or soft: the code knows better than the label."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.translation import bounce


@pytest.mark.parametrize(
    ("label", "texts", "verdict"),
    [
        (bounce.UNDETERMINED, ("550 5.1.1 no such user",), bounce.HARD),
        (bounce.SOFT, ("550-5.1.1 The account does not exist",), bounce.HARD),
        (bounce.HARD, ("552 5.2.2 mailbox full",), bounce.SOFT),
        (bounce.HARD, ("5.0.0", "452 4.2.2 over quota"), bounce.SOFT),
        (bounce.HARD, ("421 try again later",), bounce.SOFT),
        (bounce.HARD, ("552 no room",), bounce.SOFT),
        (bounce.UNDETERMINED, ("smtp; 550 5.1.10 null MX",), bounce.HARD),
        (bounce.HARD, ("550 unknown",), bounce.HARD),
        (bounce.SOFT, ("5.0.0",), bounce.SOFT),
        (bounce.UNDETERMINED, ("554 5.7.1 refused by policy",), bounce.UNDETERMINED),
        (bounce.HARD, ("blocked by 4.2.2.1 and 10.4.2.2",), bounce.HARD),
        (bounce.HARD, ("since version 14.4.2",), bounce.HARD),
        (bounce.UNDETERMINED, (None, ""), bounce.UNDETERMINED),
    ],
)
def test_a_code_that_decides_overrules_the_label(label: str, texts: tuple[str | None, ...], verdict: str) -> None:
    assert bounce.judge(label, *texts) == verdict


@pytest.mark.parametrize(
    ("words", "status", "text"),
    [
        ("550 5.1.1 no such user", "5.1.1", "550 5.1.1 no such user"),
        ("no such user", "5.1.1", "5.1.1 no such user"),
        ("no such user", None, "no such user"),
        (None, "5.1.1", "5.1.1"),
        (None, None, ""),
    ],
)
def test_the_reason_is_the_servers_words_with_the_code(words: str | None, status: str | None, text: str) -> None:
    assert bounce.reason(words, status) == text


@given(st.text(max_size=200))
def test_any_words_get_a_verdict(text: str) -> None:
    assert bounce.judge(bounce.UNDETERMINED, text) in (bounce.HARD, bounce.SOFT, bounce.UNDETERMINED)


@pytest.mark.parametrize(
    ("field", "words"),
    [
        ("smtp; 550 5.1.1 user unknown", "550 5.1.1 user unknown"),
        ("SMTP;552 over quota", "552 over quota"),
        ("X-Postfix; unknown user", "unknown user"),
        ("550; no such user", "550; no such user"),
        ("unknown", "unknown"),
        ("", ""),
        (None, None),
    ],
)
def test_the_servers_words_are_taken_out_of_a_diagnostic_code(field: str | None, words: str | None) -> None:
    assert bounce.diagnostic(field) == words
