"""The overview as the server tells it: what needs a person, in order, with links only to pages that there are."""

import html
import re
from datetime import timedelta

from sqlalchemy import insert, update

from gateway.attention import KINDS, Code
from gateway.desk import Desk
from gateway.ledger.facts import incidents
from gateway.ledger.jobs import privacy_requests
from gateway.ledger.jobs.privacy_requests import Origin
from gateway.ledger.scheduling import pauses
from gateway.ledger.scheduling.pauses import Pause
from gateway.ledger.schema import events, groups
from gateway.ledger.status import PauseKind, Reason
from gateway.ledger.views import rejections
from gateway.ledger.views.rejections import Refused
from gateway.privacy import Duty, PrivacyRequest, Subject
from tests.desk.conftest import Visitor
from tests.making import complained, payment, record, record_facts, submission, told

REFUSES = "Lumail answered 401: it refuses the API token"
INCIDENT = KINDS[Code.INCIDENT].cure
UNDECIDED = KINDS[Code.UNDECIDED].cure.replace("'", "&#39;")
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
        for event, status, reason in (
            (failed, "failed", "no"),
            (held, "held", "waits"),
            (lost, "held", Reason.ANSWER_LOST),
        ):
            connection.execute(update(events).where(events.c.id == event).values(status=status, reason=reason))
        incidents.record(connection, "main", "gr_1", "Lumail heard twice of a payment")
        connection.execute(update(events).where(events.c.id == twice).values(group="gr_1"))
        pauses.begin(connection, "other", Pause(None, PauseKind.TOKEN_REFUSED, {"status": 401}), now)
        rejections.add(
            connection,
            [
                Refused("sendgrid", "/webhooks/sendgrid", "wrong", "fits no secret", 3),
                Refused(None, "/webhooks/strip", "unknown", "", 2),
            ],
            now,
        )
    assert [(word, text.partition(" since")[0]) for word, text in needs(viewer.page("/"))] == [
        ("destination refuses", f"other sends nothing until somebody resumes it {REFUSES}"),
        ("incident", f"Lumail heard twice of a payment Lumail was told what is not true (main) {INCIDENT}"),
        ("undecided", f"1 held event may have reached Lumail {UNDECIDED}"),
        ("failed", "1 event to main failed"),
        ("rejected", "3 requests to sendgrid rejected"),
        ("unknown path", "2 requests to /webhooks/strip, which is no source was stripe meant?"),
        ("held", "2 events to main held"),
    ]


def test_incidents_beyond_those_shown_are_listed_by_a_link(desk_parts: Desk, viewer: Visitor) -> None:
    ledger = desk_parts.ledger
    made = record_facts(ledger, *(payment(f"p:{number}") for number in range(8)))
    with ledger.write(["main"]) as connection:
        for number, event in enumerate(made[:7]):
            incidents.record(connection, "main", f"gr_{number}", "told twice")
            connection.execute(update(events).where(events.c.id == event).values(group=f"gr_{number}"))
    page = viewer.page("/")
    assert needs(page)[-1] == (
        "incident",
        f"2 more facts that Lumail was told as they are not {INCIDENT}",
    )
    assert 'href="/events?incident=yes"' in page
    listed = viewer.page("/events?incident=yes")
    assert [event in listed for event in made] == [True] * 7 + [False]
    assert viewer.get("/events?incident=no").status_code == 400


def test_what_people_may_demand_is_told_with_what_to_type(desk_parts: Desk, viewer: Visitor, operator: Visitor) -> None:
    ledger = desk_parts.ledger
    with ledger.write(["main"]) as connection:
        now = ledger.now(connection)
        asked = PrivacyRequest(Duty.COPY, Subject(("ana@example.com",)), reference="data request 7")
        copy = privacy_requests.record(connection, asked, Origin("shopify", "shopify"), now - timedelta(hours=2))
        for ago in (30, 90):  # minutes
            privacy_requests.record(
                connection,
                PrivacyRequest(Duty.ERASE, Subject(("ben@example.com",))),
                Origin("ana"),
                now - timedelta(minutes=ago),
            )
    text = "data request 7: somebody wants a copy of what is held on them Asked by shopify since 2 h ago "
    text += KINDS[Code.COPY_REQUESTED].cure
    late = f"1 erasure has not ended for 1 h {KINDS[Code.ERASURE_LATE].cure}"
    assert needs(viewer.page("/")) == [("erasure late", late), ("copy requested", text)]
    assert needs(operator.page("/")) == [
        ("erasure late", f"{late} lumail-gateway check"),
        ("copy requested", f"{text} lumail-gateway export {copy} --out copy.json"),
    ]


def test_a_payment_that_nothing_makes_is_told(desk_parts: Desk, viewer: Visitor) -> None:
    ledger = desk_parts.ledger
    with ledger.write(["main"]) as connection:
        then = ledger.now(connection) - timedelta(days=2)
        connection.execute(insert(groups).values(id="gr_1", destination="main", heard_at=then))
    cure = KINDS[Code.PAYMENT_NOT_MADE].cure
    assert [(word, html.unescape(text)) for word, text in needs(viewer.page("/"))] == [
        ("payment not made", f"1 payment was told only by objects that make none since 1 d ago {cure}")
    ]


def test_what_puts_it_right_is_offered_where_it_can_be_done_by_whom_it_may(
    desk_parts: Desk, viewer: Visitor, operator: Visitor
) -> None:
    ledger = desk_parts.ledger
    [failed] = record_facts(ledger, payment("p:1"))
    with ledger.write(["main"]) as connection:
        now = ledger.now(connection)
        connection.execute(update(events).where(events.c.id == failed).values(status="failed", reason="no"))
        pauses.begin(connection, "main", Pause(None, PauseKind.BY_HAND, {"who": "ana"}), now)
    offered = re.compile(r'class="put-right" href="([^"]+)"')
    assert offered.findall(viewer.page("/")) == []
    links = [html.unescape(link) for link in offered.findall(operator.page("/"))]
    assert links == [
        "/destinations/main",
        "/replays/new?kind=events&status=failed&destination=main",
    ]
    assert ["Resume" in operator.page(links[0]), "Send again" in operator.page(links[1])] == [True, True]


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
        pauses.begin(connection, "main", Pause(now + timedelta(hours=1), PauseKind.BY_HAND, {"who": HOSTILE}), now)
        rejections.add(connection, [Refused(None, f"/webhooks/{HOSTILE}", "unknown", HOSTILE, 1)], now)
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
