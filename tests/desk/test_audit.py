"""The audit page: deeds the newest first, narrowed, a page at a time."""

import re
from datetime import timedelta

from gateway.desk import Desk
from gateway.ledger.accounts.audit import Deed, record
from tests.desk.conftest import Visitor
from tests.making import NOON

HOSTILE = "<script>alert(1)</script>"


def do(desk: Desk, *deeds: Deed, before: object = None, after: object = None) -> None:
    with desk.ledger.write() as connection:
        for minute, deed in enumerate(deeds):
            at = NOON - timedelta(days=1) + timedelta(minutes=minute)
            record(connection, at, deed, {"x": before} if before else None, {"x": after} if after else None)


def subjects(page: str) -> list[str]:
    return re.findall(r'<td class="any">(?:<a [^>]*>)?(ev_\w+)', page)


def test_deeds_are_narrowed_by_who_what_on_what_and_when(desk_parts: Desk, operator: Visitor) -> None:
    do(
        desk_parts,
        Deed("ben", "replay event", "ev_1"),
        Deed("ben", "pause", "ev_2"),
        Deed("pia", "replay event", "ev_3"),
    )
    asked = [
        "",
        "?who=ben",
        "?action=replay+event",
        "?subject=ev_2",
        "?since=2026-11-19T12:01",
        "?until=2026-11-19T12:01",
    ]
    assert [subjects(operator.page(f"/audit{one}")) for one in asked] == [
        ["ev_3", "ev_2", "ev_1"],
        ["ev_2", "ev_1"],
        ["ev_3", "ev_1"],
        ["ev_2"],
        ["ev_3", "ev_2"],
        ["ev_2", "ev_1"],
    ]


def test_a_link_leads_to_older_deeds_of_the_same_kind(desk_parts: Desk, operator: Visitor) -> None:
    do(desk_parts, *(Deed("ben" if number % 2 else "pia", "pause", f"ev_{number}") for number in range(120)))
    first = operator.page("/audit?who=ben")
    older = re.search(r'href="([^"]+)" rel="next"', first)
    assert older is not None
    second = operator.page(older[1].replace("&amp;", "&"))
    numbers = [int(one.removeprefix("ev_")) for one in subjects(first) + subjects(second)]
    assert numbers == list(range(119, 0, -2))
    assert 'rel="next"' not in second


def test_before_and_after_are_told_as_text(desk_parts: Desk, operator: Visitor) -> None:
    do(desk_parts, Deed(HOSTILE, HOSTILE, HOSTILE), before=HOSTILE, after={HOSTILE: HOSTILE})
    page = operator.page("/audit")
    assert (HOSTILE in page, page.count("&lt;script&gt;") >= 6, "→" in page) == (False, True, True)


def test_a_filter_that_is_none_asks_for_nothing(operator: Visitor) -> None:
    assert operator.get("/audit?since=yesterday&after=nowhere").status_code == 200
