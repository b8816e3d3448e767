"""No page fails on what is kept, however odd, nor on what an address asks for."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask

from gateway import desk
from gateway.desk import Desk
from tests.desk.conftest import Visitor
from tests.odd_content import nested, store

WORDS = ("%00", "a%00b", "%ed%a0%80", "%ff'%25_%5c%u0000\u202e", "x" * 3000)


def test_every_page_shows_whatever_is_kept(desk_parts: Desk, operator: Visitor) -> None:
    stored = store(desk_parts.ledger, desk_parts.routes)
    paths = [
        *("/", "/charts", "/events", "/received", "/events/news", "/received/news", "/audit", "/replays"),
        *("/sources/sendgrid", "/sources/stripe", "/destinations/main", "/adapters/sendgrid"),
        *(f"/received/{one}{page}" for one in stored.webhooks.values() for page in ("", "/explain", "/again")),
        *(f"/events/{one}{page}" for one in stored.events.values() for page in ("", "/actions", "/edit")),
    ]
    names = {identity: name for name, identity in (*stored.webhooks.items(), *stored.events.items())}
    answers = {path: operator.get(path).status_code for path in paths}
    failed = [(path, names.get(path.split("/")[2])) for path, answer in answers.items() if answer != 200]
    assert failed == []


@pytest.mark.parametrize("word", WORDS)
def test_no_question_is_too_odd(desk_parts: Desk, operator: Visitor, word: str) -> None:
    names = ("status", "type", "lane", "source", "destination", "subscriber", "age", "since", "until", "error", "q")
    paths = [
        *(
            f"/{page}?{name}={word}"
            for page in ("events", "received", "events/news", "received/news")
            for name in names
        ),
        *(f"/{page}?{name}={word}" for page in ("events", "received") for name in ("older", "newer", "incident")),
        *(f"/{page}/{word}" for page in ("events", "received", "sources", "destinations", "adapters", "replays")),
        *(
            f"/events?older=1.{word}",
            f"/received/{word}/explain?group={word}",
            f"/events/{word}/edit",
            f"/audit?q={word}",
        ),
        *(f"/received/{word}/again", f"/replays/new?{word}={word}", f"/replays/new?q={word}&what=events"),
    ]
    answers = {path: operator.get(path).status_code for path in paths}
    assert {path: answer for path, answer in answers.items() if answer >= 500} == {}


FIELDS = sorted(
    {
        "name", "password", "next", "data", "subscriber", "body", "headers", "source", "case", "role", "record", "word",
        *(
            name
            for file in Path(desk.__file__).parent.rglob("*.html")
            for name in re.findall(r'name="([a-z_]+)"', file.read_text())
        ),
    }
    - {"csrf_token", "viewport"}
)  # fmt: skip
ODD_FIELDS = {
    "NUL": "a\0b",
    "arrays very deep": f'{{"newValue": {nested(940)}}}',
    "deeper than can be read": nested(10_000),
    "many digits": "9" * 5000,
    "a number without an end": '{"newValue": 1e999999999, "amount": 1e999999999}',
    "what steers terminals": "\x1b[2J\u202e\u2028\x85",
}


def forms(app: Flask, names: dict[str, str]) -> Iterator[str]:
    """The address of each form, of something that there is where it is asked about something."""
    for rule in app.url_map.iter_rules():
        if "POST" in (rule.methods or ()) and not rule.endpoint.endswith((".sign_out", ".sign_in")):
            yield re.sub(r"<(?:[a-z]+:)?([a-z_]+)>", lambda found: names.get(found[1], "1"), rule.rule)


def test_no_form_is_too_odd(app: Flask, desk_parts: Desk, admin: Visitor) -> None:
    stored = store(desk_parts.ledger, desk_parts.routes)
    found = {"name": "main", "source": "sendgrid", "destination": "main", "adapter": "sendgrid"}
    told = (stored.events["event: half a character"], stored.webhooks["very deep"])
    paths = sorted({path for identity in told for path in forms(app, found | {"identity": identity})})
    answers = {
        (path, name, len(fields)): admin.post(path, **dict.fromkeys(fields, odd)).status_code
        for path in paths
        for name, odd in ODD_FIELDS.items()
        for fields in (FIELDS, ["data", "body"])
    }
    assert len(paths) > 15
    assert {asked: answer for asked, answer in answers.items() if answer >= 500} == {}


@pytest.mark.parametrize("name", ["otto\0", "\0", "otto"])
def test_a_stranger_signs_in_under_no_odd_name(subscriber_answer: Visitor, name: str) -> None:
    assert subscriber_answer.sign_in(name, "wrong\0password").status_code in (400, 401)
