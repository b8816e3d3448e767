"""The list of webhooks, what became of one, and the explanation of it."""

import re

from gateway.ledger.database import Ledger
from gateway.ledger.facts.submission import TranslatedItem
from gateway.ledger.schema import events, webhooks
from gateway.ledger.status import Outcome
from tests.desk.conftest import Visitor
from tests.making import payment, record, rows, submission, told

BOUNCE = (
    b'[{"email": "ana@example.com", "timestamp": 1763640000, "event": "bounce", "sg_event_id": "b1", '
    b'"sg_message_id": "m1.filter", "reason": "550 no such user", "type": "bounce"}, '
    b'{"email": "ana@example.com", "timestamp": 1763640000, "event": "teleport", "sg_event_id": "b2"}]'
)


def listed(page: str) -> list[str]:
    return re.findall(r'data-row>.*?/received/(wh_\w+)"', page, re.DOTALL)


def test_webhooks_are_listed_filtered_and_searched(ledger: Ledger, viewer: Visitor) -> None:
    quarantined = TranslatedItem(Outcome.QUARANTINED, "x", reason="no e-mail address in it")
    one, two = record(
        ledger, submission(told(payment("p:1")), delivery_id="evt_1"), submission(quarantined, source="sendgrid")
    )
    assert sorted(listed(viewer.page("/received"))) == sorted([one.webhook, two.webhook])
    page = viewer.page("/received?status=quarantined&source=sendgrid")
    assert (listed(page), "no e-mail address in it" in page) == ([two.webhook], True)
    assert listed(viewer.page("/received?q=evt_1")) == [one.webhook]
    assert listed(viewer.page("/received?q=ana@example.com")) == [one.webhook]
    assert listed(viewer.page(f"/received?q={one.events[0]}")) == [one.webhook]


def test_a_webhook_shows_its_events_its_reasons_and_its_body(ledger: Ledger, viewer: Visitor) -> None:
    ignored = TranslatedItem(Outcome.IGNORED, "charge.updated", reason="nothing that Lumail wants")
    headers = {"stripe-signature": "sha256:0123", "content-type": "application/json"}
    [one] = record(ledger, submission(told(payment("p:1")), ignored, headers=headers, body=b'{"a": [1, 2]}'))
    page = viewer.page(f"/received/{one.webhook}")
    shown = [one.events[0], "charge.updated", "nothing that Lumail wants", "sha256:0123", "&#34;a&#34;: ["]
    assert [word for word in shown if word not in page] == []


def test_a_form_is_shown_field_by_field_with_json_in_it_read(ledger: Ledger, viewer: Visitor) -> None:
    headers = {"content-type": "application/x-www-form-urlencoded"}
    body = b"signature=s3cret&token=t&event-data=%7B%22event%22%3A%22opened%22%7D"
    [one] = record(ledger, submission(told(), headers=headers, body=body))
    page = viewer.page(f"/received/{one.webhook}")
    assert ("s3cret" in page, "&#34;event&#34;: &#34;opened&#34;" in page) == (False, True)


def test_bytes_that_are_no_text_are_counted(ledger: Ledger, viewer: Visitor) -> None:
    [one] = record(ledger, submission(told(), body=b"\xff\xfe\x00"))
    assert "3 bytes that are no text" in viewer.page(f"/received/{one.webhook}")


def test_an_explanation_translates_again_and_changes_nothing(ledger: Ledger, viewer: Visitor) -> None:
    [one] = record(ledger, submission(told(), source="sendgrid", adapter="sendgrid", body=BOUNCE))
    before = rows(ledger, webhooks, "outcome", "events_made")
    page = viewer.page(f"/received/{one.webhook}/explain")
    assert [word for word in ("EMAIL_BOUNCED", "ana@example.com", "quarantined", "teleport") if word not in page] == []
    assert rows(ledger, webhooks, "outcome", "events_made") == before
    assert rows(ledger, events, "id") == []


def test_an_explanation_of_one_fact_tells_of_that_alone(ledger: Ledger, viewer: Visitor) -> None:
    [one] = record(
        ledger, submission(told(payment("sendgrid:-:event:b1")), source="sendgrid", adapter="sendgrid", body=BOUNCE)
    )
    [group] = re.findall(r"group=(gr_\w+)", viewer.page(f"/events/{one.events[0]}"))
    page = viewer.page(f"/received/{one.webhook}/explain?group={group}")
    assert ("EMAIL_BOUNCED" in page, "teleport" in page) == (True, False)


def test_what_can_not_be_explained_says_why(ledger: Ledger, viewer: Visitor) -> None:
    [gone] = record(ledger, submission(told(), body=None))
    [unknown] = record(ledger, submission(told(), source="former"))
    assert "is not kept any more" in viewer.page(f"/received/{gone.webhook}/explain")
    assert "former is not configured" in viewer.page(f"/received/{unknown.webhook}/explain")
