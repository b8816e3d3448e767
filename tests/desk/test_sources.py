"""Whether a source's webhooks arrive, and if not, why."""

from datetime import UTC, datetime, timedelta

import pytest

from gateway.desk import Desk
from gateway.ledger.database import Ledger
from gateway.ledger.views import rejections
from gateway.ledger.views.rejections import Refused
from tests.desk.conftest import Visitor
from tests.making import record, submission, told

NOW = datetime.now(UTC)


def turned_away(
    ledger: Ledger, cause: str, detail: str = "", *, source: str | None = "stripe", path: str = "/x"
) -> None:
    with ledger.write() as connection:
        rejections.add(connection, [Refused(source, path, cause, detail, 3)], NOW)


def test_a_wrong_secret_is_told_in_words_with_what_to_do(ledger: Ledger, viewer: Visitor) -> None:
    turned_away(ledger, "wrong", "Stripe-Signature does not fit this secret and body")
    page = viewer.page("/sources/stripe")
    assert "The newest requests are turned away" in page
    assert "Copy the signing secret of exactly this endpoint" in page
    assert "Stripe-Signature does not fit this secret and body" in page


@pytest.mark.parametrize("cause", ["missing", "malformed", "stale", "too_large", "encoded", "unreadable", "unheard-of"])
def test_each_cause_has_its_words(ledger: Ledger, viewer: Visitor, cause: str) -> None:
    turned_away(ledger, cause, "signed 4000 s old; 300 s are allowed")
    page = viewer.page("/sources/stripe")
    assert ("signed 4000 s old" in page, 'class="flash fault"' in page) == (True, True)


def test_a_misspelt_url_is_shown_at_the_source_that_it_means(ledger: Ledger, viewer: Visitor) -> None:
    turned_away(ledger, "unknown_source", source=None, path="/webhooks/strpe")
    assert "requests came to /webhooks/strpe" in viewer.page("/sources/stripe")
    assert "/webhooks/strpe" not in viewer.page("/sources/sendgrid")


def test_a_source_to_which_nothing_came_shows_the_url_to_enter(viewer: Visitor, desk_parts: Desk) -> None:
    page = viewer.page("/sources/sendgrid")
    assert "No request has ever come to this URL." in page
    assert f"{desk_parts.config.public_url}/webhooks/sendgrid" in page


def test_a_source_whose_webhooks_arrive_says_so(ledger: Ledger, viewer: Visitor) -> None:
    record(ledger, submission(told(), received_at=NOW - timedelta(seconds=9)))
    assert "Webhooks arrive, the last" in viewer.page("/sources/stripe")
    turned_away(ledger, "wrong")
    assert "but not all: the signature fits none" in viewer.page("/sources/stripe")


def test_a_source_that_went_silent_says_since_when(ledger: Ledger, viewer: Visitor) -> None:
    record(ledger, submission(told(), received_at=NOW - timedelta(days=3)))
    assert "The last webhook came 3 d ago, and nothing was turned away since" in viewer.page("/sources/stripe")


def test_secrets_tell_when_they_were_used_last(ledger: Ledger, viewer: Visitor, desk_parts: Desk) -> None:
    [configured] = desk_parts.routes["stripe"].secrets
    record(
        ledger,
        submission(told(), received_at=NOW, secret=configured),
        submission(told(), received_at=NOW - timedelta(hours=5), secret="fedcba9876543210"),
    )
    page = viewer.page("/sources/stripe")
    assert page.index("number 1") < page.index(configured) < page.index("not configured any more")
    assert page.index("fedcba9876543210") < page.index("5 h ago")
    assert "whsec_for_tests" not in page


def test_a_source_that_is_gone_says_so(ledger: Ledger, viewer: Visitor) -> None:
    record(ledger, submission(told(), source="former", received_at=NOW))
    assert "not configured or not enabled: its URL answers 404" in viewer.page("/sources/former")
