"""Every kind of what needs a person comes when its cause does, and goes with it."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text, update

from gateway.attention import KINDS, Code
from gateway.intake.refusals import Refusals
from gateway.ledger import heartbeats
from gateway.ledger.facts import dismissals, incidents
from gateway.ledger.facts.dismissals import Kind, Matter
from gateway.ledger.facts.submission import TranslatedItem
from gateway.ledger.heartbeats import Condition
from gateway.ledger.jobs import privacy_requests
from gateway.ledger.jobs.privacy_requests import Origin
from gateway.ledger.scheduling import pauses
from gateway.ledger.scheduling.pauses import Pause, Scope
from gateway.ledger.schema import groups, jobs, lines, webhooks
from gateway.ledger.status import Outcome, PauseKind
from gateway.ledger.views import rejections
from gateway.ledger.views.rejections import Refused
from gateway.privacy import Duty, PrivacyRequest, Subject
from gateway.replay import resting
from tests.attention.conftest import Place
from tests.making import WELL, complained, payment, record, record_facts, sold, submission, told

MAIN = Scope("destination", "main", "main")
BULK = Scope("lane", "main", "bulk")
HOUR = timedelta(hours=1)

Act = Callable[[Place], Any]


def sql(statement: str) -> Act:
    def act(place: Place) -> None:
        with place.ledger.write() as connection:
            connection.execute(text(statement))

    return act


def pausing(kind: PauseKind, **details: Any) -> Act:
    def act(place: Place) -> None:
        with place.ledger.write(["main"]) as connection:
            pauses.begin(connection, "main", Pause(None, kind, details), place.ledger.now(connection))

    return act


def resuming(scope: Scope) -> Act:
    def act(place: Place) -> None:
        with place.ledger.write(["main"]) as connection:
            pauses.end_all(connection, scope, place.ledger.now(connection))

    return act


def rest(place: Place) -> None:
    with place.ledger.write(["main"]) as connection:
        pauses.rest(connection, BULK, {"who": "ana"}, place.ledger.now(connection))


def beating(role: str, condition: Condition = WELL, version: str = "0.1.0") -> Act:
    return lambda place: place.beat(role, condition, version)


def ending(role: str, version: str = "0.1.0") -> Act:
    return lambda place: place.end(role, version)


def an_event(**values: Any) -> Act:
    return lambda place: place.event(complained("c:1"), **values)


def delivered(place: Place) -> None:
    with place.ledger.write(["main"]) as connection:
        connection.execute(text("UPDATE events SET status = 'delivered', reason = NULL"))


def due(ago: timedelta) -> Act:
    def act(place: Place) -> None:
        if ago:
            place.event(complained("c:1"))
        with place.ledger.write(["main"]) as connection:
            connection.execute(update(lines).values(due_at=place.ledger.now(connection) - ago))

    return act


def answered_503(place: Place) -> None:
    refusals = Refusals(place.ledger)
    refusals.count_unavailable("stripe", "ledger")
    refusals.close()


def two_hours_pass(place: Place) -> None:
    with place.ledger.write() as connection:
        connection.execute(text(f"UPDATE counters SET at = at - {2 * 3600 * 10**6}"))


def twice(place: Place) -> None:
    made = place.event(payment("p:1"), status="delivered", group="gr_1")
    with place.ledger.write(["main"]) as connection:
        incidents.record(connection, "main", "gr_1", f"sent for one fact: {made}")


def put_right(place: Place) -> None:
    with place.ledger.write(["main"]) as connection:
        incidents.end(connection, "gr_1")


def demanding(duty: Duty) -> Act:
    def act(place: Place) -> None:
        with place.ledger.write(["main"]) as connection:
            asked = PrivacyRequest(duty, Subject(("ana@example.com",)), reference="request 7")
            privacy_requests.record(connection, asked, Origin("stripe", "stripe"), place.now - 2 * HOUR)

    return act


def met(place: Place) -> None:
    with place.ledger.write() as connection:
        connection.execute(update(jobs).values(status="done", ended_at=place.ledger.now(connection)))


def two_currencies(place: Place) -> None:
    record_facts(place.ledger, sold("a", "EUR"), sold("b", "USD"))


def accepted(place: Place) -> None:
    resting.mix(place.ledger, "main", "ana")


def not_understood(place: Place) -> None:
    record(place.ledger, submission(TranslatedItem(Outcome.QUARANTINED, "x", reason="?"), received_at=place.now))


def understood(place: Place) -> None:
    with place.ledger.write() as connection:
        connection.execute(update(webhooks).values(quarantined=0))


def refused(source: str | None, path: str) -> Act:
    def act(place: Place) -> None:
        with place.ledger.write() as connection:
            now = place.ledger.now(connection)
            rejections.add(connection, [Refused(source, path, "wrong" if source else "unknown", "", 3)], now)

    return act


def came(ago: timedelta) -> Act:
    return lambda place: record(place.ledger, submission(told(), received_at=place.now - ago))


def silent(place: Place) -> None:
    came(2 * HOUR)(place)
    place.expecting("stripe", HOUR)


def heard(at: Callable[[datetime], datetime | None]) -> Act:
    def act(place: Place) -> None:
        if place.needs() == []:
            place.event(payment("p:1"), status="delivered")
        with place.ledger.write(["main"]) as connection:
            pairs = {"id": "gr_7", "destination": "main"}
            connection.execute(groups.delete().where(groups.c.id == "gr_7"))
            connection.execute(groups.insert().values(**pairs, heard_at=at(place.now)))

    return act


def set_path_aside(place: Place) -> None:
    with place.ledger.write() as connection:
        now = place.ledger.now(connection)
        assert dismissals.put(connection, Matter(Kind.PATH, "/webhooks/strip"), "a scanner", "ana", now)


def weak(place: Place) -> None:
    place.weak = {"stripe": ["secret 1 is weak"]}


def strong(place: Place) -> None:
    place.weak = {}


WEB, WORKER = heartbeats.WEB, heartbeats.WORKER
OFF = Condition(timedelta(minutes=2), 10**12, None)

CASES: dict[Code, tuple[Act, Act]] = {
    Code.LEDGER_UNAVAILABLE: (
        sql("ALTER TABLE webhooks RENAME TO elsewhere"),
        sql("ALTER TABLE elsewhere RENAME TO webhooks"),
    ),
    Code.NO_WEB: (ending(WEB), beating(WEB, version="0.1.0")),
    Code.NO_WORKER: (ending(WORKER), beating(WORKER)),
    Code.LEDGER_COPIED: (pausing(PauseKind.LEDGER_COPIED), resuming(MAIN)),
    Code.DESTINATION_REFUSES: (pausing(PauseKind.TOKEN_REFUSED, status=401), resuming(MAIN)),
    Code.NOT_LEAVING: (due(HOUR), due(timedelta(0))),
    Code.UNAVAILABLE: (answered_503, two_hours_pass),
    Code.INCIDENT: (twice, put_right),
    Code.ERASURE_LATE: (demanding(Duty.ERASE), met),
    Code.DISK_LOW: (beating(WORKER, Condition(timedelta(0), 10**6, None)), beating(WORKER)),
    Code.DESTINATION_PAUSED: (pausing(PauseKind.BY_HAND, who="ana"), resuming(MAIN)),
    Code.COPY_REQUESTED: (demanding(Duty.COPY), met),
    Code.UNDECIDED: (an_event(status="held", reason="answer_lost"), delivered),
    Code.CURRENCIES_MIXED: (two_currencies, accepted),
    Code.FAILED: (an_event(status="failed", reason="refused", reason_detail="400"), delivered),
    Code.QUARANTINED: (not_understood, understood),
    Code.REJECTED: (refused("stripe", "/webhooks/stripe"), came(timedelta(0))),
    Code.SOURCE_SILENT: (silent, came(timedelta(0))),
    Code.PAYMENT_NOT_MADE: (heard(lambda now: now - 25 * HOUR), heard(lambda now: None)),
    Code.REDIS: (beating(WORKER, Condition(timedelta(0), 10**12, "full")), beating(WORKER)),
    Code.WEAK_SECRET: (weak, strong),
    Code.CLOCK_DIFFERS: (beating(WORKER, OFF), beating(WORKER)),
    Code.VERSIONS_DIFFER: (beating(WORKER, version="0.0.9"), ending(WORKER, version="0.0.9")),
    Code.PART_PAUSED: (rest, resuming(BULK)),
    Code.UNKNOWN_PATH: (refused(None, "/webhooks/strip"), set_path_aside),
    Code.HELD: (an_event(status="held", reason="subscriber_unknown"), delivered),
}

BESIDE = {Code.UNDECIDED: [Code.HELD]}
"""What else is told of the same cause."""


def test_every_kind_has_a_case_and_every_code_a_kind() -> None:
    assert (list(CASES), list(Code)) == (list(KINDS), list(KINDS))


def test_where_all_is_well_nothing_needs_a_person(place: Place) -> None:
    assert place.needs() == []


@pytest.mark.parametrize("code", CASES)
def test_it_comes_with_its_cause_and_goes_with_it(place: Place, code: Code) -> None:
    begin, end = CASES[code]
    begin(place)
    assert place.codes() == [code, *BESIDE.get(code, [])]
    need = place.needs()[0]
    assert need.severity is KINDS[code].severity
    assert all([need.text, need.cure, need.command or need.page])
    end(place)
    assert place.codes() == []
