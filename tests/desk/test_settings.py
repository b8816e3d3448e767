"""Admins have the settings read again, and see how that went."""

import json

from gateway.desk import Desk
from gateway.ledger.schema import audit
from gateway.runtime.supervised import RELOADED
from tests.desk.conftest import Visitor
from tests.making import rows


def last(desk: Desk, **told: object) -> None:
    desk.config.data.mkdir(exist_ok=True)
    document = {"at": "2026-11-28T10:00:00+00:00", "faults": [], "unchangeable": [], **told}
    (desk.config.data / RELOADED).write_text(json.dumps(document))


def test_it_tells_what_the_gateway_runs_with_and_how_the_last_reload_went(desk_parts: Desk, admin: Visitor) -> None:
    assert str(desk_parts.config.file) in admin.page("/settings")
    last(desk_parts, faults=["gateway.yaml:3: <script>: no such adapter"], unchangeable=["PORT"])
    page = admin.page("/settings")
    assert "gateway.yaml:3: &lt;script&gt;: no such adapter" in page
    assert "until it is restarted: PORT." in page
    last(desk_parts)
    assert "Refused" not in admin.page("/settings")


def test_what_is_damaged_is_no_reload(desk_parts: Desk, admin: Visitor) -> None:
    last(desk_parts)
    (desk_parts.config.data / RELOADED).write_text("{")
    assert "The last time" not in admin.page("/settings")


def test_only_admins_ask_for_it(operator: Visitor) -> None:
    assert operator.get("/settings").status_code == 403
    assert operator.post("/settings/reload").status_code == 403


def test_where_nobody_could_do_it_that_is_said_and_not_written_down(desk_parts: Desk, admin: Visitor) -> None:
    admin.page("/settings")
    answer = admin.post("/settings/reload")
    assert (answer.status_code, "restart it by hand" in answer.text) == (409, True)
    assert ("reload",) not in rows(desk_parts.ledger, audit, "action")
