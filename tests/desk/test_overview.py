"""The overview as the server tells it: what needs a person, in order, with links only to pages that there are."""

import re
from datetime import timedelta

from sqlalchemy import update

from gateway.desk import Desk
from gateway.ledger import incidents, pauses, refusals
from gateway.ledger.doubt import ANSWER_LOST
from gateway.ledger.pauses import Pause
from gateway.ledger.refusals import Refused
from gateway.ledger.schema import events
from tests.desk.conftest import Visitor
from tests.making import complained, payment, record, record_facts, submission, told

MEANT = "Was stripe meant? Compare the URL that the provider has."
HOSTILE = "<script>alert(1)</script><b x='\"&amp;"


def needs(page: str) -> list[tuple[str, str]]:
    """The word and the text of each need."""
    found = re.findall(r'<span class="badge \w+">([^<]+)</span>\s*<span class="what">(.*?)</span>', page, re.DOTALL)
    return [(word, re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", text)).strip()) for word, text in found]


def test_where_all_is_well_it_says_so(viewer: Visitor) -> None:
    assert "Nothing needs a person." in viewer.page("/")


def test_what_needs_a_person_is_told_the_worst_first(desk_parts: Desk, viewer: Visitor) -> None:
    ledger = desk_parts.ledger
    failed, held, lost, twice = record_facts(
        ledger, payment("p:1"), payment("p:2"), payment("p:3"), payment("p:4", subscriber="ben@example.com")
    )
    with ledger.write(["main"]) as connection:
        now = ledger.now(connection)
        for event, status, reason in ((failed, "failed", "no"), (held, "held", "waits"), (lost, "held", ANSWER_LOST)):
            connection.execute(update(events).where(events.c.id == event).values(status=status, reason=reason))
        incidents.note(connection, "main", "gr_1", "Lumail heard twice of a payment")
        connection.execute(update(events).where(events.c.id == twice).values(group="gr_1"))
        pauses.begin(connection, "other", Pause(None, "the API token is refused"), now)
        refusals.add(
            connection,
            [
                Refused("sendgrid", "/webhooks/sendgrid", "wrong", "fits no secret", 3),
                Refused(None, "/webhooks/strip", "unknown", "", 2),
            ],
            now,
        )
    assert needs(viewer.page("/")) == [
        ("incident", "Lumail heard twice of a payment main"),
        ("paused", "other sends nothing until somebody resumes it the API token is refused"),
        ("undecided", "1 held event may have reached Lumail A person has to look at Lumail and decide."),
        ("failed", "1 event to main failed Given up; each says why."),
        ("rejected", "3 requests to sendgrid rejected in the last 24 hours Mostly a wrong or replaced secret."),
        ("held", "2 events to main held Each says what it waits for."),
        ("unknown path", f"2 requests to /webhooks/strip, which is no source {MEANT}"),
    ]


def test_no_link_leads_to_a_page_that_is_not_there(desk_parts: Desk, viewer: Visitor) -> None:
    record_facts(desk_parts.ledger, payment("p:1"), complained("c:1"))
    links = set(re.findall(r'href="(/[^"#]*)"', viewer.page("/")))
    answers = {}
    for link in links:
        with viewer.client.get(link.replace("&amp;", "&")) as answer:
            answers[link] = answer.status_code
    assert answers == dict.fromkeys(links, 200)


def test_text_from_outside_is_shown_as_text(desk_parts: Desk, viewer: Visitor) -> None:
    ledger = desk_parts.ledger
    with ledger.write(["main"]) as connection:
        now = ledger.now(connection)
        pauses.begin(connection, "main", Pause(now + timedelta(hours=1), HOSTILE), now)
        refusals.add(connection, [Refused(None, f"/webhooks/{HOSTILE}", "unknown", HOSTILE, 1)], now)
    page = viewer.page("/")
    assert (page.count("&lt;script&gt;alert(1)"), "<script>alert" in page, "<b x" in page) == (3, False, False)


def test_charts_are_numbers_in_equal_steps(desk_parts: Desk, viewer: Visitor) -> None:
    ledger = desk_parts.ledger
    with ledger.read() as connection:
        now = ledger.now(connection)
    record(ledger, submission(told(payment("p:1")), received_at=now))
    answer = viewer.get("/charts?span=24h").get_json()
    assert (answer["step"], answer["steps"], answer["starts"] % 900) == (900, 96, 0)
    sums = {chart: [(name, sum(row)) for name, row in lines] for chart, lines in answer["charts"].items()}
    assert sums == {
        "in": [("webhooks", 1), ("rejected", 0)],
        "out": [("delivered", 0)],
        "failures": [("failed", 0), ("held", 0), ("quarantined", 0)],
    }
