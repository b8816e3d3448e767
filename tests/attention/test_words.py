"""What is said of it: whole entries, since when, and every cause with a cure."""

import shlex
from datetime import timedelta

import click
import pytest

from gateway.attention import KINDS, Code, Need, Severity
from gateway.attention.deliveries import PAUSES
from gateway.attention.machines import REDIS
from gateway.attention.receipts import REJECTIONS
from gateway.cli import main
from gateway.errors import RejectionCause
from gateway.ledger import heartbeats
from gateway.ledger.facts.submission import TranslatedItem
from gateway.ledger.heartbeats import Condition
from gateway.ledger.scheduling import pauses
from gateway.ledger.scheduling.pauses import Pause
from gateway.ledger.status import Outcome, PauseKind
from gateway.ledger.views import rejections
from gateway.ledger.views.rejections import Refused
from gateway.runtime.redis_trouble import RedisTrouble
from tests.attention.conftest import Place
from tests.making import payment, record, submission

MINUTE = timedelta(minutes=1)


def pause(place: Place, kind: PauseKind, until: timedelta | None, ago: timedelta = timedelta(0)) -> None:
    with place.ledger.write(["main"]) as connection:
        then = place.ledger.now(connection) - ago
        pauses.begin(connection, "main", Pause(None if until is None else then + until, kind, {"status": 401}), then)


def test_a_destination_that_refuses_is_told_with_cause_and_cure(place: Place) -> None:
    pause(place, PauseKind.TOKEN_REFUSED, None)
    need = place.only()
    assert need.since is not None
    assert need == Need(
        code=Code.DESTINATION_REFUSES,
        severity=Severity.URGENT,
        subject="main",
        text="main sends nothing until somebody resumes it",
        cause="Lumail answered 401: it refuses the API token",
        cure=PAUSES[PauseKind.TOKEN_REFUSED].cure,
        command="lumail-gateway check",
        page="/destinations/main",
        since=need.since,
        count=1,
    )


def test_a_rest_that_lumail_asked_for_needs_nobody_unless_it_lasts(place: Place) -> None:
    pause(place, PauseKind.RATE_LIMITED, MINUTE)
    assert place.needs() == []
    with place.ledger.write(["main"]) as connection:
        pauses.end_all(connection, pauses.Scope("destination", "main", "main"), place.ledger.now(connection))
    pause(place, PauseKind.RATE_LIMITED, 30 * MINUTE)
    assert place.codes() == [Code.DESTINATION_PAUSED]


def test_while_the_ledger_takes_nothing_nobody_says_that_nobody_lives(place: Place) -> None:
    with place.ledger.write() as connection:
        connection.exec_driver_sql("ALTER TABLE events RENAME TO elsewhere")
    need = place.only()
    with place.ledger.write() as connection:
        connection.exec_driver_sql("ALTER TABLE elsewhere RENAME TO events")
    assert (need.code, need.text) == (
        Code.LEDGER_UNAVAILABLE,
        "The ledger takes no webhooks: they are answered 503, and nothing leaves",
    )
    assert need.cause.startswith("the ledger's database can't be used now: ")


def test_who_is_not_there_is_told_since_when(place: Place) -> None:
    place.end(heartbeats.WORKER)
    need = place.only()
    assert need.since is not None
    assert place.now - need.since < MINUTE
    assert (need.text, need.cause) == ("Nothing leaves: no worker runs", "")


def test_redis_is_told_with_what_is_wrong_there_since_when_and_where(place: Place) -> None:
    place.beat(heartbeats.WORKER, Condition(timedelta(0), None, RedisTrouble.PASSWORD))
    need = place.only()
    assert (need.subject, need.cause) == (
        "password",
        "it does not take the user or the password of REDIS_URL (seen from host-1)",
    )
    assert need.since is not None


def test_redis_that_is_to_be_absent_needs_nobody(place: Place) -> None:
    place.beat(heartbeats.WORKER, Condition(timedelta(0), None, RedisTrouble.ABSENT))
    assert place.needs() == []


def test_what_was_refused_is_closed_by_a_webhook_that_is_kept_already(place: Place) -> None:
    with place.ledger.write() as connection:
        now = place.ledger.now(connection)
        rejections.add(connection, [Refused("stripe", "/webhooks/stripe", "stale", "", 2)], now)
        rejections.add(connection, [Refused("stripe", "/webhooks/stripe", "wrong", "", 5)], now)
    need = place.only()
    assert (need.text, need.cause.count("; "), need.since) == (
        "7 requests to stripe rejected since its last proven webhook",
        1,
        now,
    )
    with place.ledger.write() as connection:
        rejections.close(connection, {"stripe"}, place.ledger.now(connection))
    assert place.needs() == []


def test_a_path_that_is_like_a_source_names_it(place: Place) -> None:
    with place.ledger.write() as connection:
        path = "/webhooks/strpe"
        rejections.add(connection, [Refused(None, path, "unknown_source", "", 12)], place.ledger.now(connection))
    need = place.only()
    assert (need.text, need.cause, need.count) == (
        "12 requests to /webhooks/strpe, which is no source",
        "was stripe meant?",
        12,
    )


def test_lumails_clock_tells_where_the_ledgers_own_is_off(place: Place) -> None:
    with place.ledger.write(["main"]) as connection:
        connection.exec_driver_sql("UPDATE destinations SET clock_offset_ms = 95000 WHERE name = 'main'")
    assert place.only().text == "The ledger's clock is 1 min behind Lumail's, as its answers for main say"


def test_the_worst_is_told_first(place: Place) -> None:
    place.event(payment("p:1"), status="failed", reason="refused")
    place.event(payment("p:2"), status="held", reason="subscriber_unknown")
    record(place.ledger, submission(TranslatedItem(Outcome.QUARANTINED, "x", reason="?")))
    place.end(heartbeats.WORKER)
    assert place.codes() == [Code.NO_WORKER, Code.FAILED, Code.QUARANTINED, Code.HELD]


def test_every_pause_rejection_and_trouble_of_redis_has_its_words() -> None:
    assert set(PAUSES) == set(PauseKind)
    assert set(REDIS) == set(RedisTrouble) - {RedisTrouble.ABSENT}
    assert set(RejectionCause) <= set(REJECTIONS)


COMMANDS = {kind.command for kind in KINDS.values()} | {cure.command.format(name="main") for cure in PAUSES.values()}


@pytest.mark.parametrize("command", sorted(one for one in COMMANDS if one.startswith("lumail-gateway ")))
def test_every_command_that_is_told_is_one(command: str) -> None:
    words = shlex.split(command)[1:]
    group: click.Command = main
    while isinstance(group, click.Group):
        found = group.get_command(click.Context(group), words.pop(0))
        assert found is not None
        group = found
    with group.make_context("test", words):
        pass
