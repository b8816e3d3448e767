"""The pages of adapters and their workbench."""

import html
import json
import re
from datetime import timedelta

from gateway.desk import Desk
from gateway.ledger.schema import attempts, events, webhooks
from gateway.ledger.views import payload_drift
from gateway.ledger.views.payload_drift import Seen
from gateway.translation.registry import adapters, samples
from tests.desk.conftest import Visitor
from tests.making import NOON, rows

HOSTILE = "<script>alert('x')</script>"


def seen(event_type: str, shape: str, *paths: str, days: int = 0) -> Seen:
    at = NOON + timedelta(days=days)
    return Seen("stripe", event_type, shape, paths, "wh_1", 3, at, at)


def text_of(page: str) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page)).split())


def test_every_adapter_has_a_page_and_those_in_use_come_first(viewer: Visitor) -> None:
    names = re.findall(r'href="/adapters/(\w+)"', viewer.page("/adapters"))
    assert (sorted(names[:2]), sorted(names)) == (["sendgrid", "stripe"], sorted(adapters()))


def test_the_workbench_makes_of_each_sample_what_the_adapter_makes(viewer: Visitor) -> None:
    made, expected = {}, {}
    for name in adapters():
        case = next(one for one in samples(name).values() if one.default)
        page = viewer.page(f"/adapters/{name}?case={case.case}")
        fields = {
            field: html.unescape(text)
            for field, text in re.findall(r'<textarea name="(\w+)"[^>]*>\n(.*?)</textarea>', page, re.DOTALL)
        }
        tried = text_of(viewer.post(f"/adapters/{name}", **fields).text)
        expected[name] = [one["eventType"] for one in case.outcome["expect"]]
        made[name] = re.findall(r'{ "eventType": "(\w+)"', tried)
    assert made == expected


def test_it_says_why_a_payload_is_not_understood(viewer: Visitor) -> None:
    tried = text_of(viewer.post("/adapters/stripe", body='{"id": "evt_1"').text)
    assert "quarantined an item the body is not JSON" in tried


def test_nothing_of_what_is_tried_is_kept(desk_parts: Desk, viewer: Visitor) -> None:
    viewer.post("/adapters/stripe", body=samples("stripe")["session_paid"].body.decode(), source="stripe")
    assert [rows(desk_parts.ledger, table, "id") for table in (webhooks, events, attempts)] == [[], [], []]


def test_drift_is_told_by_type(desk_parts: Desk, viewer: Visitor) -> None:
    with desk_parts.ledger.write() as connection:
        known = seen("checkout.session.completed", "aa", "id:text")
        other = seen("checkout.session.completed", "bb", "id:text", "hue:text", days=3)
        payload_drift.add(connection, [seen("hologram.projected", ""), known, other])
    page = text_of(viewer.page("/adapters/stripe"))
    assert "hologram.projected a type that the adapter does not know 3" in page
    assert "checkout.session.completed new hue:text 3" in page
    assert "2 new" in text_of(viewer.page("/adapters"))


def test_what_is_pasted_and_what_providers_say_is_shown_as_text(desk_parts: Desk, viewer: Visitor) -> None:
    with desk_parts.ledger.write() as connection:
        payload_drift.add(connection, [seen(HOSTILE, ""), seen("charge.refunded", HOSTILE[:16], HOSTILE)])
    body = json.dumps({"id": HOSTILE, "type": HOSTILE, "created": 1762160400, "data": {"object": {HOSTILE: HOSTILE}}})
    page = viewer.post("/adapters/stripe", body=body, headers=f"X-A: {HOSTILE}", source=HOSTILE, case=HOSTILE).text
    assert (HOSTILE in page, "&lt;script&gt;alert(&#39;x&#39;)" in page) == (False, True)


def test_an_adapter_that_is_not_there_is_not_found(viewer: Visitor) -> None:
    assert (viewer.get("/adapters/nobody").status_code, viewer.post("/adapters/nobody").status_code) == (404, 404)
