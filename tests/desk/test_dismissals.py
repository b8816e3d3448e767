"""What is set aside at the desk: asked for its reason, found again, taken back; by operators alone."""

from gateway.desk import Desk
from gateway.ledger.facts.submission import TranslatedItem
from gateway.ledger.schema import audit, dismissals
from gateway.ledger.status import Outcome
from gateway.ledger.views import rejections
from gateway.ledger.views.rejections import Refused
from tests.desk.conftest import Visitor
from tests.making import record, rows, submission

PATH = "/wp-login.php"


def ask_for(desk_parts: Desk, path: str) -> None:
    with desk_parts.ledger.write() as connection:
        now = desk_parts.ledger.now(connection)
        rejections.add(connection, [Refused(None, path, "unknown", "", 3)], now)


def test_an_unknown_path_is_set_aside_from_the_overview_and_taken_back(desk_parts: Desk, operator: Visitor) -> None:
    ask_for(desk_parts, PATH)
    assert 'href="/set-aside?kind=path&amp;subject=%2Fwp-login.php"' in operator.page("/")
    assert f"Set the path {PATH} aside" in operator.page(f"/set-aside?kind=path&subject={PATH}")
    assert operator.post("/set-aside", kind="path", subject=PATH, reason="a scanner").status_code == 303
    assert "a scanner" in operator.page("/set-aside")
    assert PATH not in operator.page("/")
    assert operator.post("/set-aside/undo", kind="path", subject=PATH).status_code == 303
    assert PATH in operator.page("/")
    told = rows(desk_parts.ledger, audit, "who", "action", "subject")
    assert told[-2:] == [("otto", "set aside path", PATH), ("otto", "take back path", PATH)]


def test_a_webhook_is_set_aside_from_its_page(desk_parts: Desk, operator: Visitor, viewer: Visitor) -> None:
    [one] = record(desk_parts.ledger, submission(TranslatedItem(Outcome.QUARANTINED, "x", reason="?")))
    offered = [f"subject={one.webhook}" in who.page(f"/received/{one.webhook}") for who in (operator, viewer)]
    assert offered == [True, False]
    operator.post("/set-aside", kind="webhook", subject=one.webhook, reason="a trial")
    assert rows(desk_parts.ledger, dismissals, "kind", "subject", "reason") == [("webhook", one.webhook, "a trial")]


def test_without_a_reason_or_a_matter_nothing_is_set_aside(desk_parts: Desk, operator: Visitor) -> None:
    ask_for(desk_parts, PATH)
    operator.page("/set-aside")
    answers = [
        operator.post("/set-aside", kind="path", subject=PATH, reason=" ").status_code,
        operator.post("/set-aside", kind="path", subject="/other", reason="x").status_code,
        operator.post("/set-aside", kind="door", subject=PATH, reason="x").status_code,
        operator.post("/set-aside/undo", kind="path", subject=PATH).status_code,
    ]
    assert (answers, rows(desk_parts.ledger, dismissals, "kind")) == ([303, 303, 404, 303], [])
