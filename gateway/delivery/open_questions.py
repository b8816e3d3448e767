"""What Lumail's documentation leaves open, tried at the real one: a few requests on behalf of somebody who is there.

Each has an attempt row, within the plan, as all requests do. What comes of them is kept for the destination.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from gateway.config import Destination
from gateway.delivery.outcome import learned
from gateway.errors import CommandError, LumailError
from gateway.events import EventType, encode_data
from gateway.ledger.accounts import audit
from gateway.ledger.accounts.audit import Deed
from gateway.ledger.database import Ledger
from gateway.ledger.identity import new_id
from gateway.ledger.outbox import observed
from gateway.ledger.outbox.observed import Tried
from gateway.ledger.scheduling import budget, places
from gateway.ledger.scheduling.attempt import ENDS_WITHIN, SEND_WITHIN
from gateway.lumail.answer import Answer, Verdict, judge
from gateway.lumail.client import EventsQuery, event_body, events_path, read_events_page, subscriber_path
from gateway.lumail.transport import Transport

KIND = "question"
"""The kind of such an attempt."""

MOST_REQUESTS = 8

READ_AFTER = (0.0, 2.0, 8.0)
"""Seconds before each look for what was recorded, from the one before."""

MOVES_AFTER = 2.5
"""Seconds between two answers after which their times of reset tell whether it goes on; it is told in whole seconds."""

_AGREES = 1.5
"""Seconds by which it may be rounded."""

Rest = Callable[[float], None]


@dataclass(frozen=True)
class Found:
    """What was found of one question; `is_known` False: it stays open, and `words` say why."""

    question: str
    is_known: bool
    words: str


@dataclass(frozen=True)
class Report:
    """All that was found. `requests` is how many it took, `events` how many of them Lumail recorded."""

    findings: tuple[Found, ...]
    requests: int
    events: int
    tried: Tried


@dataclass
class _Asking:
    ledger: Ledger
    destination: Destination
    transport: Transport
    subscriber: str
    rest: Rest
    answers: list[tuple[float, Answer]] = field(default_factory=list)
    recorded: int = 0

    def ask(self, method: str, path: str, whom: str, body: bytes | None = None) -> Answer:
        """One request with its attempt row. Raises CommandError where the plan has no place for it."""
        name = self.destination.name
        with self.ledger.write([name]) as connection:
            limit, now = self.destination.requests_per_minute, self.ledger.now(connection)
            place = places.take(connection, name, KIND, limit, now, sent=whom)
        if place is None:
            raise CommandError(f"the plan of {name} is used up for the moment: try again in a minute")
        begun = time.monotonic()
        send_before, ends_by = begun + SEND_WITHIN.total_seconds(), begun + ENDS_WITHIN.total_seconds()
        if path == "/events":
            answer = self.transport.post_event(body or b"", send_before=send_before, ends_by=ends_by)
        else:
            answer = self.transport.exchange(method, path, body, send_before=send_before, ends_by=ends_by)
        self.answers.append((time.monotonic(), answer))
        with self.ledger.write([name]) as connection:
            now = self.ledger.now(connection)
            places.settle(connection, place, answer.status, answer.error, now)
            told = learned(answer, now)
            if told is not None:
                budget.learn(connection, name, told, now)
        return answer

    def post(self, event_type: EventType, whom: str, data: Mapping[str, Any]) -> Answer:
        answer = self.ask("POST", "/events", whom, event_body(event_type, whom, encode_data(data)))
        self.recorded += judge(answer) is Verdict.RECORDED
        return answer


def settle(
    ledger: Ledger,
    destination: Destination,
    subscriber: str,
    who: str,
    *,
    transport: Transport,
    is_lumail: Callable[[Answer], str | None],
    rest: Rest = time.sleep,
) -> Report:
    """Ask all that is open, and keep what is found.

    `is_lumail` says what is wrong with the first answer, None where it is Lumail's. Raises CommandError where the plan
    has no place, LumailError where nothing can be tried: before anything is sent to the subscriber.
    """
    asking = _Asking(ledger, destination, transport, subscriber, rest)
    _find_subscriber(asking, is_lumail)
    tried, findings = _record(asking)
    for ask in (_delayed, _unknown, _headers):
        more, found = ask(asking, tried)
        tried, findings = more, [*findings, *found]
    with ledger.write([destination.name]) as connection:
        now = ledger.now(connection)
        observed.keep(connection, destination.name, tried, now)
        told = {one.question: one.words for one in findings if one.is_known}
        audit.record(connection, now, Deed(who, "probe", destination.name), None, told)
    return Report(tuple(findings), len(asking.answers), asking.recorded, tried)


def _find_subscriber(asking: _Asking, is_lumail: Callable[[Answer], str | None]) -> None:
    answer = asking.ask("GET", subscriber_path(asking.subscriber), asking.subscriber)
    if answer.status is None:
        raise LumailError(f"{asking.destination.base_url}: no answer from Lumail ({answer.error})")
    wrong = is_lumail(answer)
    if wrong is not None:
        raise LumailError(f"{asking.destination.base_url}: {wrong}")
    if answer.status == 404:
        raise CommandError(f"Lumail has no subscriber {asking.subscriber}: name one who is yours, such as yourself")


ECHO = "does it keep data that it does not document?"
LAG = "how soon can an event be read back?"
DELAYED = "does it take EMAIL_DELIVERY_DELAYED?"
UNKNOWN = "what does it answer for an unknown subscriber?"
LIMIT = "how many requests a minute does it allow?"
RESET = "what does X-RateLimit-Reset name?"


def _about(mark: str) -> dict[str, Any]:
    """The data of a line in the timeline that says whence it came, and that no automation waits for."""
    told = {"workflowId": mark, "workflowName": "Lumail gateway: probe", "stepId": mark}
    return {**told, "webhookUrl": "https://example.com/", "status": 200, "success": True, "gatewayEventId": mark}


def _record(asking: _Asking) -> tuple[Tried, list[Found]]:
    """One event, and how soon it is read back with what we put into it."""
    mark = new_id("pr")
    answer = asking.post(EventType.WEBHOOK_EXECUTED, asking.subscriber, _about(mark))
    posted = asking.answers[-1][0]
    if answer.event is None or judge(answer) is not Verdict.RECORDED:
        why = f"the event was not recorded: {_told(answer)}"
        return Tried(), [Found(ECHO, False, why), Found(LAG, False, why)]
    shown = answer.event.data
    echo = False if shown is not None and "gatewayEventId" not in shown else None
    path = events_path(asking.subscriber, EventsQuery(event_types=[EventType.WEBHOOK_EXECUTED], take=20))
    lag: timedelta | None = None
    waited = 0.0
    for wait in READ_AFTER:
        if wait:
            asking.rest(wait)
        waited += wait
        page = asking.ask("GET", path, asking.subscriber)
        try:
            read = next((one for one in read_events_page(page).events if one.id == answer.event_id), None)
        except LumailError:
            continue
        if read is not None:
            lag = timedelta(seconds=max(waited, asking.answers[-1][0] - posted))
            if read.data is not None:
                echo = read.data.get("gatewayEventId") == mark
            break
    return Tried(echo=echo, read_lag=lag), [_echo(echo), _lag(lag, waited)]


def _echo(echo: bool | None) -> Found:
    words = {
        True: "yes: our id is read back with the event",
        False: "no: our id is lost, and a doubtful event is recognised by its data alone",
        None: "neither the answer nor a read shows the data",
    }
    return Found(ECHO, echo is not None, words[echo])


def _lag(lag: timedelta | None, waited: float) -> Found:
    if lag is None:
        return Found(LAG, False, f"it was not to be read within {waited:.0f} s")
    return Found(LAG, True, f"after {lag.total_seconds():.1f} s at the latest")


def _delayed(asking: _Asking, tried: Tried) -> tuple[Tried, list[Found]]:
    data = {"emailId": new_id("pr"), "subject": "Lumail gateway: probe"}
    answer = asking.post(EventType.EMAIL_DELIVERY_DELAYED, asking.subscriber, data)
    if judge(answer) is Verdict.RECORDED:
        words = "yes: it may be named under `forward`"
        return replace(tried, takes_delayed=True), [Found(DELAYED, True, words)]
    if answer.status in (400, 404, 422):
        words = f"no, it answers {answer.status}: leave it out of `forward`"
        return replace(tried, takes_delayed=False), [Found(DELAYED, True, words)]
    return tried, [Found(DELAYED, False, _told(answer))]


def _unknown(asking: _Asking, tried: Tried) -> tuple[Tried, list[Found]]:
    """An event of somebody whom nobody has, and whether there is such a subscriber after it."""
    stranger = f"gateway-{new_id('pr').replace('_', '-')}@example.com"
    answer = asking.post(EventType.WEBHOOK_EXECUTED, stranger, _about(new_id("pr")))
    asking.rest(MOVES_AFTER)
    after = asking.ask("GET", subscriber_path(stranger), stranger)
    if answer.status not in (200, 400, 404):
        return tried, [Found(UNKNOWN, False, _told(answer))]
    there = {200: f", and makes the subscriber ({stranger}: remove it)", 404: ", and makes no subscriber"}
    words = f"it answers {answer.status}{there.get(after.status or 0, '')}"
    return replace(tried, unknown_answered=answer.status), [Found(UNKNOWN, True, words)]


def _headers(asking: _Asking, tried: Tried) -> tuple[Tried, list[Found]]:
    told = [(at, one.rate_limit) for at, one in asking.answers if one.rate_limit.limit is not None]
    if not told:
        why = "its answers have no rate headers"
        return tried, [Found(LIMIT, False, why), Found(RESET, False, why)]
    plan, limit = asking.destination.requests_per_minute, told[-1][1].limit
    beside = "as configured" if limit == plan else f"and {plan:,} are configured; the smaller holds"
    moves, words = _moves([(at, one.reset) for at, one in told if one.reset is not None])
    limits = [Found(LIMIT, True, f"{limit:,}, {beside}"), Found(RESET, moves is not None, words)]
    return replace(tried, reset_moves=moves), limits


def _moves(resets: list[tuple[float, int]]) -> tuple[bool | None, str]:
    """Whether the time that is named went on as time did."""
    if len(resets) < 2:
        return None, "too few answers name it"
    (began, first), (ended, last) = resets[0], resets[-1]
    passed, moved = ended - began, last - first
    if passed < MOVES_AFTER - _AGREES / 2:
        return None, "all was over too soon to tell"
    if moved == 0:
        return False, "the end of a window: it stays where it is until that is over"
    if abs(moved - passed) < _AGREES:
        return True, "always the same time ahead: the window slides"
    return None, f"it went from {first} to {last} in {passed:.0f} s"


def _told(answer: Answer) -> str:
    return f"no answer ({answer.error})" if answer.status is None else f"it answered {answer.status}"
