"""What Lumail's documentation leaves open, asked of the stand-in in several moods."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from gateway.cli.checks import wrong_with
from gateway.config import Destination
from gateway.delivery import open_questions
from gateway.delivery.open_questions import DELAYED, ECHO, LAG, LIMIT, MOST_REQUESTS, RESET, UNKNOWN, Report
from gateway.errors import CommandError, LumailError
from gateway.ledger.database import Ledger
from gateway.ledger.outbox.observed import Tried
from gateway.ledger.scheduling import places
from gateway.ledger.schema import attempts, audit, destinations
from gateway.lumail.client import Lumail, SubscriberDetails
from gateway.lumail.sandbox import Sandbox
from gateway.lumail.transport import Transport
from tests.delivery.conftest import TOKEN
from tests.making import rows

ME = "me@example.com"


class Asked:
    """The stand-in has one subscriber; `rest` is called where the command would wait."""

    def __init__(self, ledger: Ledger, sandbox: Sandbox, base_url: str) -> None:
        self.ledger, self.sandbox = ledger, sandbox
        self.destination = Destination("main", base_url, TOKEN, requests_per_minute=100)
        self.transport = Transport(base_url, TOKEN)
        self.rests: list[float] = []
        lumail = Lumail(base_url, TOKEN)
        lumail.upsert_subscriber(SubscriberDetails(ME))
        lumail.close()
        sandbox.change(auto_subscribers=False)

    def rest(self, seconds: float) -> None:
        self.rests.append(seconds)

    def settle(self, **given: Any) -> Report:
        given = {"rest": self.rest, "transport": self.transport, "is_lumail": wrong_with, **given}
        return open_questions.settle(
            self.ledger, self.destination, given.pop("subscriber", ME), "me (terminal)", **given
        )

    def known(self) -> dict[str, bool]:
        return {one.question: one.is_known for one in self.settle().findings}


@pytest.fixture
def asked(ledger: Ledger, sandbox_server: tuple[Sandbox, str]) -> Iterator[Asked]:
    made = Asked(ledger, *sandbox_server)
    yield made
    made.transport.close()


def kept(ledger: Ledger) -> tuple[Any, ...]:
    return rows(ledger, destinations, "echo", "takes_delayed", "unknown_answered", "limit_learned")[0]


def test_all_that_can_be_found_is_found_and_kept(ledger: Ledger, asked: Asked) -> None:
    asked.sandbox.change(requests_per_minute=100)
    report = asked.settle()
    words = {one.question: one.words for one in report.findings}
    assert words[DELAYED].startswith("no, it answers 400")
    assert words[UNKNOWN] == "it answers 400, and makes no subscriber"
    assert words[LIMIT] == "100, as configured"
    assert kept(ledger) == (True, False, 400, 100)
    assert [subject for (subject,) in rows(ledger, audit, "subject")] == ["main"]


def test_each_request_is_an_attempt_within_the_plan(ledger: Ledger, asked: Asked) -> None:
    report = asked.settle()
    made = rows(ledger, attempts, "kind", "outcome")
    assert made == [("question", "answered")] * report.requests
    assert report.requests == len(asked.sandbox.requests()) - 1 <= MOST_REQUESTS < 10


def test_a_lumail_that_drops_extra_data_is_found_out(ledger: Ledger, asked: Asked) -> None:
    asked.sandbox.change(echo=False)
    assert asked.settle().tried.echo is False
    assert kept(ledger)[0] is False


def test_a_read_that_lags_is_tried_again_and_its_lag_kept(ledger: Ledger, asked: Asked) -> None:
    asked.sandbox.change(read_lag=3600)

    def rest(seconds: float) -> None:
        asked.sandbox.change(read_lag=0)
        asked.rest(seconds)

    assert asked.settle(rest=rest).tried.read_lag == timedelta(seconds=2)
    assert ("main", 2000) in rows(ledger, destinations, "name", "read_lag_ms")


def test_what_stays_unknown_is_named_and_overwrites_nothing(ledger: Ledger, asked: Asked) -> None:
    asked.settle()
    before = kept(ledger)
    asked.sandbox.change(read_lag=3600)
    asked.sandbox.fail("error_500_before", type="EMAIL_DELIVERY_DELAYED")
    asked.sandbox.fail("error_502", type="WEBHOOK_EXECUTED", subscriber=ME)
    assert asked.known() == {ECHO: False, LAG: False, DELAYED: False, UNKNOWN: True, LIMIT: False, RESET: False}
    assert kept(ledger) == before


def test_one_read_in_vain_is_no_lag(asked: Asked) -> None:
    asked.sandbox.change(read_lag=3600)
    report = asked.settle()
    assert (report.tried.read_lag, asked.rests, report.requests) == (None, [2.0, 8.0, 2.5], MOST_REQUESTS)


def test_a_lumail_that_makes_subscribers_of_strangers_is_found_out(asked: Asked) -> None:
    asked.sandbox.change(auto_subscribers=True)
    [words] = [one.words for one in asked.settle().findings if one.question == UNKNOWN]
    assert words.startswith("it answers 200, and makes the subscriber (gateway-")


@pytest.mark.parametrize(("reset", "moves"), [("end", False), ("a minute ahead", True), ("none", None)])
def test_what_its_headers_call_the_end_is_watched(reset: str, moves: bool | None) -> None:
    told = {"end": (160, 160), "a minute ahead": (160, 163), "none": ()}[reset]
    found, _ = open_questions._moves([(10.0 + 3 * place, one) for place, one in enumerate(told)])
    assert found is moves


@pytest.mark.parametrize(
    ("fault", "error"),
    [("401", LumailError), ("redirect", LumailError), ("404", CommandError), ("drop_before", LumailError)],
)
def test_nothing_is_sent_where_the_first_answer_is_no_subscriber(
    ledger: Ledger, asked: Asked, fault: str, error: type[Exception]
) -> None:
    asked.sandbox.fail(fault, call="subscriber")
    with pytest.raises(error):
        asked.settle()
    assert (asked.sandbox.events(), set(rows(ledger, destinations, "probed_at"))) == ([], {(None,)})


def test_where_the_plan_is_used_up_nothing_is_asked(ledger: Ledger, asked: Asked) -> None:
    with ledger.write(["main"]) as connection:
        for _ in range(100):
            places.take(connection, "main", "event", 100, ledger.now(connection))
    with pytest.raises(CommandError, match="used up"):
        asked.settle()


def test_nothing_is_kept_of_what_was_not_tried(ledger: Ledger, asked: Asked) -> None:
    asked.sandbox.fail("error_500_before")
    assert asked.settle().tried == Tried()
