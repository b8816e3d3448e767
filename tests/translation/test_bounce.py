"""Hard or soft: the code knows better than the label."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.translation import bounce

HARD, SOFT, OPEN = bounce.Verdict(bounce.HARD), bounce.Verdict(bounce.SOFT), bounce.Verdict(bounce.UNDETERMINED)
BLOCKED = bounce.Verdict(bounce.SOFT, bounce.BLOCKED)
SUPPRESSED = bounce.Verdict(bounce.UNDETERMINED, bounce.REJECTED)


@pytest.mark.parametrize(
    ("label", "texts", "verdict"),
    [
        (OPEN, ("550 5.1.1 no such user",), HARD),
        (SOFT, ("550-5.1.1 The account does not exist",), HARD),
        (HARD, ("552 5.2.2 mailbox full",), SOFT),
        (HARD, ("5.0.0", "452 4.2.2 over quota"), SOFT),
        (HARD, ("421 try again later",), SOFT),
        (HARD, ("552 no room",), SOFT),
        (SUPPRESSED, ("552 no room",), bounce.Verdict(bounce.SOFT, bounce.REJECTED)),
        (HARD, ("550 5.4.7 the time for it is over",), SOFT),
        (OPEN, ("Sorry, no such address. (#5.1.1)",), HARD),
        (OPEN, ("571 5.1.1 gone",), HARD),
        (OPEN, ("gone (5.1.1)", "tracker (#5.1.1 is closed)", "issue #5.1.1"), OPEN),
        (OPEN, ("smtp; 550 5.1.10 null MX",), HARD),
        (HARD, ("550 unknown",), HARD),
        (SOFT, ("5.0.0",), SOFT),
        (OPEN, ("bounced (550 5.1.1 gone)",), HARD),
        (OPEN, ("550 #5.1.1 gone",), HARD),
        (OPEN, ("dear sender,\n  550-5.1.1 gone\n",), HARD),
        (HARD, ("through 4.2.2.1 and 10.4.2.2",), HARD),
        (HARD, ("since version 14.4.2",), HARD),
        (HARD, ("550 No such user here (Exim 4.97.1)",), HARD),
        (HARD, ("550 rejected on 4.1.2026",), HARD),
        (HARD, ("450@example.com is gone",), HARD),
        (OPEN, ("498", "No MX for example.con"), OPEN),
        (OPEN, ("605", "Not delivering to a previously bounced address"), OPEN),
        (SUPPRESSED, ("blocked: spam",), SUPPRESSED),
        (SUPPRESSED, ("550 5.1.1 unknown",), bounce.Verdict(bounce.HARD, bounce.REJECTED)),
        (OPEN, (None, ""), OPEN),
    ],
)
def test_a_code_that_decides_overrules_the_label(
    label: bounce.Verdict, texts: tuple[str | None, ...], verdict: bounce.Verdict
) -> None:
    assert bounce.judge(label, *texts) == verdict


@pytest.mark.parametrize("label", [HARD, SOFT, OPEN, BLOCKED])
@pytest.mark.parametrize(
    ("words", "verdict"),
    [
        ("550 5.7.1 Client host blocked using zen.example", BLOCKED),
        ("554 Service unavailable; Client host [192.0.2.1] blacklisted", BLOCKED),
        ("550-5.7.26 unauthenticated email is not accepted due to the domain's DMARC policy", BLOCKED),
        ("550 spam content", BLOCKED),
        ("550 5.7.0 rejected", BLOCKED),
        ("550 5.7.13 account disabled", BLOCKED),
        ("550-Verification failed for <news@example.com>\n550-No such user here\n550 Sender verify failed", BLOCKED),
        ("550 5.7.17 the mailbox has a new owner", HARD),
        ("550 5.7.18 the domain has a new owner", HARD),
        ("550 5.7.1 <ana@example.com>: user unknown", HARD),
        ("550 5.4.1 Recipient not found by SMTP address lookup", HARD),
        ("550 5.1.1 unknown user; listed at zen.example as a source of spam", HARD),
        ("550 5.2.1 disabled for spam", HARD),
        ("550 <spamtrap@example.com> no such user", HARD),
        ("554 delivery error: dd This user doesn't have a mail.example.com account", HARD),
        ("550 Invalid recipient", HARD),
        ("552 1 Requested mail action aborted, mailbox not found", HARD),
        ("550 No account by that name here", HARD),
        ("550 ana@example.com: user no longer exists", HARD),
        ("550 5.1.7 The sender's address is no address", BLOCKED),
        ("550 5.1.8 the domain does not exist", BLOCKED),
        ("550 5.6.0 no such content", BLOCKED),
        ("550 From address unknown", BLOCKED),
        ("550 Return-Path: no such user", BLOCKED),
        ("550 Callback verification failed: user unknown", BLOCKED),
        ("571 5.7.1 refused", BLOCKED),
        ("553 not in my list of allowed hosts (#5.7.1)", BLOCKED),
        ("552 spam", BLOCKED),
        ("550 Message blocked", BLOCKED),
        ("550 relay not permitted", BLOCKED),
        ("mailbox is full", SOFT),
    ],
)
def test_words_and_codes_of_policy_are_about_the_sender_unless_nobody_is_there(
    label: bounce.Verdict, words: str, verdict: bounce.Verdict
) -> None:
    expected = BLOCKED if (label, verdict) == (BLOCKED, SOFT) else verdict
    assert bounce.judge(label, words) == expected


def test_where_the_provider_says_soft_and_the_server_says_no_more_than_never_nobody_knows() -> None:
    assert bounce.judge(SOFT, "5.3.0", "550 Mailbox access denied") == OPEN
    assert bounce.judge(SOFT, "5.0.0", "550 Mailbox access denied") == SOFT
    assert bounce.judge(BLOCKED, "5.3.0", "550 Mailbox access denied") == BLOCKED


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
    assert bounce.judge(OPEN, text).kind in (bounce.HARD, bounce.SOFT, bounce.UNDETERMINED)


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
