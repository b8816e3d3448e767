"""Whatever comes from outside is shown as text, wherever it stands."""

import json
import re
from datetime import UTC, datetime
from urllib.parse import quote

from sqlalchemy import insert, update

from gateway.ledger.accounts import audit
from gateway.ledger.accounts.audit import Deed
from gateway.ledger.database import Ledger
from gateway.ledger.facts import incidents
from gateway.ledger.facts.submission import TranslatedItem
from gateway.ledger.schema import attempts, events
from gateway.ledger.status import Outcome
from gateway.ledger.views import rejections
from gateway.ledger.views.rejections import Refused
from tests.desk.conftest import Visitor
from tests.making import payment, record, rows, submission, told

SCRIPT = "<script>alert('x')</script>\"><img src=x onerror=alert(1)>"
NOW = datetime.now(UTC)


def fill(ledger: Ledger) -> tuple[str, str]:
    """Script in everything that somebody outside can fill; the ids of an event and its webhook."""
    body = json.dumps({SCRIPT: SCRIPT, "list": [SCRIPT]}).encode()
    fact = payment(f"stripe:-:payment:{SCRIPT}", subscriber=SCRIPT, product=SCRIPT)
    quarantined = TranslatedItem(Outcome.QUARANTINED, SCRIPT[:80], reason=SCRIPT)
    headers = {SCRIPT: SCRIPT, "content-type": SCRIPT}
    url = f"https://h.example.com/{SCRIPT}"
    kept = submission(told(fact), quarantined, body=body, headers=headers, delivery_id=SCRIPT, url=url)
    [one] = record(ledger, kept)
    record(ledger, submission(told(fact), quarantined, delivery_id=SCRIPT + "2", received_at=NOW))
    [(group,)] = rows(ledger, events, "group")
    times = dict.fromkeys(("taken_at", "send_before", "ends_by", "place_until"), NOW)
    with ledger.write(["main"]) as connection:
        texts = dict.fromkeys(("reason_detail", "last_error", "lumail_event_id", "waits_for"), SCRIPT)
        codes = dict.fromkeys(("reason", "former_reason"), SCRIPT[:40])
        connection.execute(update(events).values(status="failed", candidates=[SCRIPT], **codes, **texts))
        incidents.record(connection, "main", group, SCRIPT)
        texts = dict.fromkeys(("sent", "body", "error"), SCRIPT)
        sent = {"id": "at_1", "event": one.events[0], "destination": "main", "kind": "event", "outcome": "refused"}
        connection.execute(insert(attempts).values(**sent, **texts, **times))
        audit.record(connection, NOW, Deed(SCRIPT, SCRIPT[:60], one.events[0]), {SCRIPT: SCRIPT}, {SCRIPT: SCRIPT})
        rejections.add(connection, [Refused("stripe", SCRIPT, SCRIPT[:40], SCRIPT, 1)], NOW)
        rejections.add(connection, [Refused(None, f"/webhooks/{SCRIPT}/stripe", "unknown_source", "", 1)], NOW)
    return one.events[0], one.webhook


def test_script_in_every_field_is_text_on_every_page(ledger: Ledger, viewer: Visitor) -> None:
    event, webhook = fill(ledger)
    word = quote(SCRIPT)
    paths = [
        *("/events", f"/events?q={word}&status={word}&source={word}&error={word}", f"/events/{event}", "/received"),
        *(f"/received?q={word}&status={word}&source={word}", f"/received/{webhook}", f"/received/{webhook}/explain"),
        *("/sources/stripe", f"/sources/{word}", f"/events?lane={word}", f"/events?since={word}", f"/events/{word}"),
    ]
    pages = {path: viewer.get(path).text for path in paths}
    found = {path: re.findall(r"<script>|<img src=x", page) for path, page in pages.items()}
    assert found == {path: [] for path in paths}
    assert {path: "&lt;script&gt;alert" in pages[path] for path in ("/events", f"/events/{event}", "/received")} == {
        "/events": True,
        f"/events/{event}": True,
        "/received": True,
    }
