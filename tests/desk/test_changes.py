"""What is pressed on the pages of an event, a webhook, a destination and a replay, and what is told of it there."""

import pytest
from flask import Flask
from sqlalchemy import update

from gateway.ledger.accounts.users import Role
from gateway.ledger.database import Ledger
from gateway.ledger.schema import audit, edits, events, job_items, pauses
from gateway.ledger.schema import jobs as job_rows
from gateway.replay.bulk import Replays
from tests.desk.conftest import NAMES, Visitor
from tests.making import opened, payment, record_facts, rows, sold
from tests.replay.standing import recorded
from tests.replay.test_bulk import came_unknown


def failed(ledger: Ledger) -> str:
    [identity] = recorded(ledger, payment("p:1"), status="failed", reason="refused", reason_detail="400")
    return identity


def acts(ledger: Ledger) -> list[tuple[str, str]]:
    """Who did what, by the audit log."""
    return [(who, action) for who, action in rows(ledger, audit, "who", "action")]


def test_a_failed_event_is_sent_again_and_the_page_tells_what_becomes_of_it(operator: Visitor, ledger: Ledger) -> None:
    identity = failed(ledger)
    assert "Send again" in operator.page(f"/events/{identity}")
    part = operator.client.post(
        f"/events/{identity}/replay", data={"csrf_token": operator.token}, headers={"HX-Request": "true"}
    ).text
    assert "It waits again" in part
    assert 'id="stands" hx-swap-oob="true"' in part
    assert '<span class="badge calm">waiting</span></h1>' in part
    assert "<title>SUBSCRIBER_PAYMENT waiting" in part
    assert 'hx-trigger="every 1s"' in part
    assert rows(ledger, events, "status") == [("waiting",)]
    assert acts(ledger)[-1][1] == "replay event"
    with ledger.write(["main"]) as connection:
        connection.execute(update(events).values(status="delivered", lumail_event_id="evt_1"))
    told = operator.page(f"/events/{identity}/actions?did=it")
    assert "It helped: Lumail has recorded it as evt_1." in told
    assert "every 1s" not in told


def test_without_script_it_is_told_on_the_page(operator: Visitor, ledger: Ledger) -> None:
    identity = failed(ledger)
    answer = operator.post(f"/events/{identity}/replay")
    assert (answer.status_code, answer.location) == (303, f"/events/{identity}?did=it")
    assert "It waits again" in operator.page(answer.location)


def test_what_lumail_has_is_sent_by_force_only_and_the_page_says_what_that_does(
    operator: Visitor, ledger: Ledger
) -> None:
    [identity] = recorded(ledger, payment("p:1"), status="delivered", lumail_event_id="evt_1")
    assert "Lumail would count it twice" in operator.page(f"/events/{identity}")
    operator.post(f"/events/{identity}/replay")
    assert "Lumail would count it twice" in operator.page(f"/events/{identity}")
    assert rows(ledger, events, "status") == [("delivered",)]
    operator.post(f"/events/{identity}/replay", force="1")
    assert rows(ledger, events, "status") == [("waiting",)]


def test_an_event_is_cancelled(operator: Visitor, ledger: Ledger) -> None:
    identity = failed(ledger)
    operator.post(f"/events/{identity}/cancel")
    assert rows(ledger, events, "status", "reason") == [("dropped", "cancelled")]
    assert (
        "can&#39;t be cancelled"
        in operator.client.post(
            f"/events/{identity}/cancel", data={"csrf_token": operator.token}, headers={"HX-Request": "true"}
        ).text
    )


def test_an_event_is_edited_and_faults_stand_beside_their_field(operator: Visitor, ledger: Ledger) -> None:
    identity = failed(ledger)
    assert "49.99" in operator.page(f"/events/{identity}/edit")
    wrong = operator.post(f"/events/{identity}/edit", subscriber="ana", data='{"amount": "1"}')
    assert wrong.status_code == 422
    assert "not an e-mail address" in wrong.text
    assert "product: Missing data" in wrong.text
    assert "this is no JSON" in operator.post(f"/events/{identity}/edit", subscriber="a@example.com", data="{").text
    right = operator.post(
        f"/events/{identity}/edit", subscriber="bo@example.com", data='{"amount": 5.50, "product": "Book"}'
    )
    assert right.status_code == 303
    assert rows(ledger, events, "subscriber", "data") == [("bo@example.com", '{"amount":5.5,"product":"Book"}')]
    assert len(rows(ledger, edits, "id")) == 1
    assert "the original is kept" in operator.page(f"/events/{identity}")


def test_a_person_decides_with_the_candidates_shown(operator: Visitor, ledger: Ledger) -> None:
    [identity] = recorded(ledger, payment("p:1"), status="held", reason="answer_lost", candidates=["evt_7"])
    assert "Lumail has it as evt_7" in operator.page(f"/events/{identity}")
    operator.post(f"/events/{identity}/decide", word="recorded")
    assert rows(ledger, events, "status") == [("held",)]
    operator.post(f"/events/{identity}/decide", word="recorded", record="evt_7")
    assert rows(ledger, events, "status", "lumail_event_id") == [("delivered", "evt_7")]
    assert operator.post(f"/events/{identity}/decide", word="else").status_code == 400


def test_a_webhook_is_translated_again_once_its_preview_was_seen(operator: Visitor, ledger: Ledger) -> None:
    identity = came_unknown(ledger, 1)
    preview = operator.page(f"/received/{identity}/again")
    assert "SUBSCRIBER_PAYMENT" in preview
    assert "1 new" in preview
    assert rows(ledger, events, "id") == []
    answer = operator.post(f"/received/{identity}/replay")
    assert "Translated again: 1 new event." in operator.page(answer.location)
    assert rows(ledger, events, "type") == [("SUBSCRIBER_PAYMENT",)]


def test_many_are_replayed_from_a_list_shown_first_and_looked_at(operator: Visitor, ledger: Ledger) -> None:
    recorded(ledger, *(opened(f"o:{n}") for n in range(3)), status="failed")
    assert "/replays/new?kind=events&amp;status=failed" in operator.page("/events?status=failed")
    preview = operator.page("/replays/new?kind=events&status=failed")
    assert "3 events" in preview
    answer = operator.post("/replays?kind=events&status=failed")
    identity = rows(ledger, job_rows, "id")[0][0]
    assert answer.location == f"/replays/{identity}"
    Replays(ledger, {"main": 600}, dict).step(identity)
    assert "3 of 3" in operator.page(answer.location)
    assert identity in operator.page("/replays")
    operator.post(f"/replays/{identity}/cancel")
    assert "It is cancelled. 3 that had not left yet" in operator.page(f"/replays/{identity}")
    assert set(rows(ledger, events, "status")) == {("failed",)}
    assert acts(ledger)[-2:] == [(NAMES[Role.OPERATOR], "replay events"), (NAMES[Role.OPERATOR], "cancel replay")]


def test_what_force_would_do_is_shown_before_it_is_done(operator: Visitor, ledger: Ledger) -> None:
    recorded(ledger, payment("p:1"), status="delivered", lumail_event_id="evt_1")
    told = operator.page("/replays/new?kind=events&status=delivered")
    assert "1 that Lumail has would be sent once more, and counted twice" in told
    assert "I know that Lumail counts these twice" in operator.page("/replays/new?kind=events&status=delivered&force=1")
    operator.post("/replays?kind=events&status=delivered")
    Replays(ledger, {"main": 600}, dict).step(rows(ledger, job_rows, "id")[0][0])
    assert rows(ledger, job_items, "outcome", "explanation") == [("refused", "delivered already")]


@pytest.mark.parametrize(
    ("fields", "scope"),
    [
        ({}, ("destination", "main")),
        ({"lane": "bulk"}, ("lane", "bulk")),
        ({"source": "stripe"}, ("source", "stripe")),
    ],
)
def test_a_destination_a_lane_and_a_source_rest_and_go_on(
    operator: Visitor, ledger: Ledger, fields: dict[str, str], scope: tuple[str, str]
) -> None:
    answer = operator.post("/destinations/main/pause", **fields, why="we move")
    assert "is paused" in operator.page(answer.location)
    assert rows(ledger, pauses, "scope", "name") == [scope]
    assert "is paused already" in operator.page(operator.post("/destinations/main/pause", **fields).location)
    assert "goes on" in operator.page(operator.post("/destinations/main/resume", **fields).location)
    assert [action for _, action in acts(ledger)][-2:] == ["pause", "resume"]


def test_a_source_is_paused_on_its_own_page(operator: Visitor) -> None:
    answer = operator.post("/destinations/main/pause", source="stripe", **{"from": "source"})
    assert answer.location == "/sources/stripe"
    assert "It is paused" in operator.page("/sources/stripe")


def test_a_destination_is_accepted(operator: Visitor, ledger: Ledger) -> None:
    assert "with the token" in operator.page(operator.post("/destinations/main/accept").location)
    assert acts(ledger)[-1][1] == "accept destination"


def test_currencies_are_mixed_once_somebody_says_so(operator: Visitor, ledger: Ledger) -> None:
    record_facts(ledger, sold("a", "EUR"), sold("b", "USD"))
    assert "main is told of money in USD beside EUR" in operator.page("/")
    assert "They may be mixed" in operator.page("/destinations/main")
    operator.post("/destinations/main/mix")
    assert "beside EUR" not in operator.page("/") + operator.page("/destinations/main")
    assert acts(ledger)[-1][1] == "mix currencies"


def test_who_may_only_look_sees_no_button(viewer: Visitor, ledger: Ledger) -> None:
    identity = failed(ledger)
    for path in (f"/events/{identity}", "/events", "/destinations/main", "/sources/stripe", "/replays"):
        told = viewer.page(path)
        assert [word for word in ("Send again", "Replay these", ">Pause<", "Cancel<") if word in told] == []


def test_what_there_is_not_is_not_found(operator: Visitor, app: Flask) -> None:
    del app
    gone = (
        "/events/ev_0/actions",
        "/events/ev_0/edit",
        "/replays/jb_0",
        "/replays/new?kind=else",
        "/destinations/else",
    )
    assert [operator.get(path).status_code for path in gone] == [404] * len(gone)
