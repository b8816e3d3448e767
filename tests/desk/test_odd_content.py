"""No page fails on what is kept, however odd, nor on what an address asks for."""

import pytest

from gateway.desk import Desk
from tests.desk.conftest import Visitor
from tests.odd_content import store

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
