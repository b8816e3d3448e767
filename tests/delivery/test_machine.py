"""Whatever happens, in whatever order: no event is lost, none counts twice, and no line, plan or sleep is broken.

Hypothesis drives drains, answers, crashes, clocks and a Lumail of a few lines; time is an argument, nothing waits.
"""

import json
import shutil
import tempfile
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from sqlalchemy import Connection, select

from gateway.config import Destination
from gateway.delivery.drain import conclude_context, observed_of
from gateway.delivery.message import compose
from gateway.delivery.outcome import conclude_all, unknown_policy
from gateway.errors import CommandError
from gateway.events import EventType, LumailEvent
from gateway.ledger.database import Ledger
from gateway.ledger.migration import migrate
from gateway.ledger.outbox import cycle
from gateway.ledger.recording import recording
from gateway.ledger.scheduling import leases, pauses
from gateway.ledger.scheduling.attempt import ENDS_WITHIN, SEND_WITHIN, Claimed, Kind
from gateway.ledger.schema import destinations, events
from gateway.ledger.status import TRANSITIONS, Status
from gateway.lumail.answer import Answer, RateLimit, TrackedEvent
from gateway.replay.sending import replay_event
from tests.making import add_destinations, complained, fact, opened, payment, rows, submission, told

START = datetime.now(UTC).replace(microsecond=0)
SECOND = timedelta(seconds=1)
KNOWN = ("ana@example.com", "bo@example.com")
STRANGER = "sam@example.com"
LONGEST_LAG = 90
"""Seconds until Lumail shows what it recorded: less than the shortest doubt, as the documents demand."""


@dataclass(frozen=True)
class Record:
    """An event as the model has recorded it: `shown` is what a read tells, `event` our id, which it may not tell."""

    id: str
    event: str
    type: str
    subscriber: str
    shown: dict[str, Any]
    content: str
    created_at: datetime
    visible_at: datetime


@dataclass
class Flight:
    """A request under way. `answer` is what came of it; `settled` once the ledger was told."""

    claimed: Claimed
    began: datetime
    answer: Answer | None = None


@dataclass
class Drain:
    owner: str
    flights: list[Flight] = field(default_factory=list)


class _Undone(Exception):  # noqa: N818 - no error: it ends a transaction of which nothing shall stay
    pass


_made = tempfile.TemporaryDirectory(prefix="gateway-machine-")
"""Goes with the process, as do the ledgers in it."""


@cache
def _empty_ledger() -> Path:
    file = Path(_made.name) / "empty.db"
    ledger = Ledger(f"sqlite:///{file}")
    migrate(ledger)
    add_destinations(ledger, "main")
    ledger.close()
    return file


RESTING = [
    pauses.Scope("lane", "main", "revenue"),
    pauses.Scope("lane", "main", "bulk"),
    pauses.Scope("source", "main", "stripe"),
    pauses.Scope("source", "main", "shopify"),
]
"""What somebody may let rest."""


class Delivery(RuleBasedStateMachine):
    """`real` is the time that passes, `skew` what the ledger's clock is off, `ahead` what Lumail's is."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(dir=_made.name))
        shutil.copy(_empty_ledger(), self.folder / "ledger.db")
        self.ledger = Ledger(f"sqlite:///{self.folder / 'ledger.db'}")
        self.real = START
        self.skew = timedelta(0)
        self.stepped_forth = START - timedelta(days=1)
        self.stepped_back = timedelta(0)
        self.stepped_back_at = START - timedelta(days=1)
        self.records: list[Record] = []
        self.addresses = set(KNOWN)
        self.arrived: list[datetime] = []
        self.drains = [Drain("drain-0"), Drain("drain-1")]
        self.made = 0
        self.told: dict[str, str] = {}
        self.statuses: dict[str, str] = {}
        self.lost_their_record: set[str] = set()
        self.replayed: set[str] = set()

    @initialize(
        echo=st.booleans(),
        headers=st.booleans(),
        lag=st.sampled_from([0, 0, 5, LONGEST_LAG]),
        ahead=st.sampled_from([0, 3600, -3600]),
        plan=st.sampled_from([3, 30]),
        page=st.sampled_from([1, 2, 50]),
        policy=st.sampled_from(["wait", "create", "drop", "fail"]),
    )
    def lumail(self, echo: bool, headers: bool, lag: int, ahead: int, plan: int, page: int, policy: str) -> None:
        self.echo, self.headers, self.plan, self.page = echo, headers, plan, page
        self.lag, self.ahead = timedelta(seconds=lag), timedelta(seconds=ahead)
        self.destination = Destination("main", "http://127.0.0.1:9/api/v1", "lum", plan, unknown_subscriber=policy)

    def teardown(self) -> None:
        try:
            if self.told:
                self._let_all_end()
        finally:
            self.ledger.close()
            shutil.rmtree(self.folder)

    @property
    def now(self) -> datetime:
        return self.real + self.skew

    # What happens

    @rule(
        kind=st.sampled_from(["payment", "payment", "complaint", "open", "tag"]),
        subscriber=st.sampled_from([*KNOWN, KNOWN[0], STRANGER]),
        same=st.booleans(),
        minutes=st.integers(-5, 5),
        source=st.sampled_from(["stripe", "shopify"]),
    )
    def tell(self, kind: str, subscriber: str, same: bool, minutes: int, source: str) -> None:
        self.made += 1
        key, which = f"k:{self.made}", "same" if same else f"own {self.made}"
        given: dict[str, Any] = {"subscriber": subscriber, "occurred_at": START + minutes * timedelta(minutes=1)}
        made = {
            "payment": lambda: payment(key, product=which, **given),
            "complaint": lambda: _named(complained(key, **given), which),
            "open": lambda: _named(opened(key, **given), which),
            "tag": lambda: fact(EventType.TAG_ADDED, {"tagId": which, "tagName": which}, key, **given),
        }[kind]()
        with self.ledger.write(["main"]) as connection:
            [recorded] = recording.record(connection, [submission(told(made), source=source)], self.now)
        for event in recorded.events:
            self.told[event] = json.dumps([made.type.value, subscriber, made.data], sort_keys=True)

    @rule(which=st.integers(0, 1), wanted=st.integers(1, 6), quiet=st.booleans())
    def turn(self, which: int, wanted: int, quiet: bool) -> None:
        """A drain writes down the answers that it has (or, `quiet`, none yet) and claims more."""
        drain = self.drains[which]
        answered = [] if quiet else [one for one in drain.flights if one.answer is not None]
        with self.ledger.write(["main"]) as connection:
            leases.take(connection, "main", drain.owner, self.now)
            turned = self._turn(connection, drain.owner, [(one.claimed, one.answer) for one in answered], wanted)
        drain.flights = [one for one in drain.flights if one not in answered]
        drain.flights += [Flight(one, self.real) for one in turned.claimed]

    @rule(which=st.integers(0, 1))
    def release(self, which: int) -> None:
        with self.ledger.write(["main"]) as connection:
            cycle.release(connection, "main", self.drains[which].owner, self.now, self.plan)

    @rule(which=st.integers(0, 1), index=st.integers(0, 5), how=st.sampled_from(["ok", "ok", "ok", *range(14)]))
    def answer(self, which: int, index: int, how: Any) -> None:
        """A request reaches Lumail, or not, and some answer reaches the sender's process."""
        open_ = [one for one in self.drains[which].flights if one.answer is None]
        if not open_:
            return
        flight = open_[index % len(open_)]
        age = self.real - flight.began
        if age > ENDS_WITHIN:
            flight.answer = Answer(None, sent=True, duration=20, error="timed out")
        elif age > SEND_WITHIN:
            flight.answer = Answer(None, sent=False, duration=5, too_late=True)
        else:
            flight.answer = self._reach(flight.claimed, how)

    @rule(which=st.integers(0, 1), index=st.integers(0, 5), seconds=st.integers(0, 19))
    def hang(self, which: int, index: int, seconds: int) -> None:
        """Lumail takes its time, does what it was asked to do, and the answer never comes."""
        open_ = [one for one in self.drains[which].flights if one.answer is None]
        if open_ and self.real - open_[index % len(open_)].began <= SEND_WITHIN:
            flight = open_[index % len(open_)]
            flight.answer = Answer(None, sent=True, duration=20, error="timed out")
            self._arrive()
            self._track(flight.claimed, min(self.real + seconds * SECOND, flight.began + ENDS_WITHIN))

    @rule(which=st.integers(0, 1), recorded=st.booleans())
    def crash(self, which: int, recorded: bool) -> None:
        """A worker dies: nobody hears the answers of what it had under way."""
        for flight in self.drains[which].flights:
            if flight.answer is None and recorded and self.real - flight.began <= SEND_WITHIN:
                self._arrive()
                self._perform(flight.claimed)
        self.made += 1
        self.drains[which] = Drain(f"drain-{self.made}")

    @rule(seconds=st.sampled_from([0.2, 1, 3, 11, 21, 61, 130, 610, 4000, 90_000]))
    def wait(self, seconds: float) -> None:
        self.real += seconds * SECOND

    @rule(seconds=st.sampled_from([30, 600, 7200]))
    def set_clock_back(self, seconds: int) -> None:
        self.skew -= seconds * SECOND
        self.stepped_back_at = self.real
        self.stepped_back += seconds * SECOND

    @precondition(lambda self: self._knows_the_clock() and self.real - self.stepped_forth > ENDS_WITHIN)
    @rule(seconds=st.sampled_from([30, 600, 7200]))
    def set_clock_forth(self, seconds: int) -> None:
        """Lumail's clock shows that it was a leap, where it was seen rightly before."""
        self.skew += seconds * SECOND
        self.stepped_forth = self.real
        self.arrived.clear()  # places of the last minute look old now, and nothing but Lumail's headers tells

    @rule(scope=st.sampled_from(RESTING))
    def rest(self, scope: pauses.Scope) -> None:
        with self.ledger.write(["main"]) as connection:
            pauses.rest(connection, scope, {"who": "ana"}, self.now)

    @rule()
    def resume(self) -> None:
        with self.ledger.write(["main"]) as connection:
            for scope in RESTING:
                pauses.end_all(connection, scope, self.now)
            leases.wake(connection, "main", self.now)

    @rule()
    def appear(self) -> None:
        """The stranger subscribes at Lumail."""
        self.addresses.add(STRANGER)

    @rule(index=st.integers(0, 20))
    def replay(self, index: int) -> None:
        known = sorted(self.told)
        if known:
            try:
                replay_event(self.ledger, known[index % len(known)], "ana")
            except CommandError:
                return  # it waits already, or Lumail may have it
            self.replayed.add(known[index % len(known)])

    # What must hold

    @invariant()
    def every_change_of_status_is_a_legal_one(self) -> None:
        found = dict(rows(self.ledger, events, "id", "status"))
        assert found.keys() == self.told.keys()
        for event, status in found.items():
            before = self.statuses.get(event, "waiting")
            if before == "delivered" and status == "unknown":
                self.lost_their_record.add(event)  # a late answer named the record that a read had taken for it
            elif before != status:
                assert status in TRANSITIONS[Status(before)], f"{before} became {status}"
        self.statuses = found

    @invariant()
    def nothing_counts_twice(self) -> None:
        if self.echo:
            assert all(count == 1 for count in Counter(record.event for record in self.records).values())
        wanted = Counter(self.told.values())
        assert not Counter(record.content for record in self.records) - wanted

    @invariant()
    def what_is_called_delivered_is_at_lumail(self) -> None:
        delivered = [event for event, status in self.statuses.items() if status == "delivered"]
        if self.echo:
            assert set(delivered) <= {record.event for record in self.records}
        claimed = Counter(self.told[event] for event in delivered)
        assert not claimed - Counter(record.content for record in self.records)

    @invariant()
    def a_line_has_one_event_under_way(self) -> None:
        under_way = Counter(
            (lane, subscriber)
            for event, status, lane, subscriber in rows(self.ledger, events, "id", "status", "lane", "subscriber")
            if status in ("delivering", "unknown") and lane < 3 and event not in self.lost_their_record
        )
        assert all(count == 1 for count in under_way.values())

    @invariant()
    def no_minute_sees_more_than_the_plan(self) -> None:
        minute = [at for at in self.arrived if at > self.real - timedelta(seconds=60)]
        assert len(minute) <= self.plan if self.told else not minute

    @invariant()
    def what_is_in_doubt_will_be_read(self) -> None:
        latest = self.now + timedelta(seconds=700) + self.stepped_back + timedelta(hours=2)
        due = [due for status, due in rows(self.ledger, events, "status", "due_at") if status == "unknown"]
        assert all(at <= latest for at in due)

    @invariant()
    def nobody_sleeps_while_there_is_something_to_do(self) -> None:
        if not self.told:
            return
        with self.ledger.read() as connection:
            called = "main" in leases.due(connection, self.now)
            until = connection.execute(select(destinations.c.lease_until)).scalar_one()
        leased = until is not None and self.now < until <= self.now + leases.LEASE
        if not called and not leased and self.real - self.stepped_back_at > leases.LONGEST_SLEEP:
            assert not self._would_claim()

    # How

    def _knows_the_clock(self) -> bool:
        """Whether reads do not lag, or what is sent and not settled was sent when Lumail's clock was known."""
        true = round((self.ahead - self.skew) / timedelta(milliseconds=1)) if self.lag else None
        known = rows(self.ledger, events, "status", "clock_offset_ms")
        return true is None or all(at == true for status, at in known if status in ("delivering", "unknown"))

    def _would_claim(self) -> tuple[Claimed, ...]:
        """What a drain would claim now."""
        found: list[tuple[Claimed, ...]] = []
        try:
            with self.ledger.write(["main"]) as connection:
                assert leases.take(connection, "main", "asking", self.now)
                found.append(self._turn(connection, "asking", [], 8).claimed)
                raise _Undone  # noqa: TRY301 - nothing of it shall stay
        except _Undone:
            return found[0]

    def _turn(
        self, connection: Connection, owner: str, answered: list[tuple[Claimed, Any]], wanted: int
    ) -> cycle.DrainCycle:
        return cycle.run(
            connection,
            "main",
            owner,
            self.now,
            settlements=conclude_all(answered, conclude_context(connection, self.destination, self.now)),
            wanted=wanted,
            limit=self.plan,
            compose=partial(compose, observed_of(connection, "main"), self.destination),
            unknown_policy=partial(unknown_policy, self.destination),
        )

    def _let_all_end(self) -> None:
        """Lumail and the workers are well from now on: after some days nothing waits and nothing is in doubt."""
        self.resume()
        for which in (0, 1):
            self.crash(which, False)
        for seconds in [20, 20, *[60] * 40, 200, 200, 700, 700, *[4000] * 6, *[40_000] * 10]:
            self.real += seconds * SECOND
            for _ in range(20):
                self.turn(0, 6, False)
                self.every_change_of_status_is_a_legal_one()
                if not self.drains[0].flights:
                    break
                for index in range(len(self.drains[0].flights)):
                    del index
                    self.answer(0, 0, "ok")
            self.release(0)
            for check in (
                self.nothing_counts_twice,
                self.what_is_called_delivered_is_at_lumail,
                self.a_line_has_one_event_under_way,
            ):
                check()
        assert set(self.statuses.values()) <= {"delivered", "held", "failed", "dropped"}

    # Lumail

    def _arrive(self) -> None:
        self.arrived.append(self.real)

    def _reach(self, claimed: Claimed, how: Any) -> Answer:
        """The answer to a request; `how` is ok or one of the ways in which it may not be."""
        if how == 0:
            return Answer(None, sent=False, duration=0.1, error="connection refused")
        if how == 1:
            return Answer(None, sent=False, duration=5, too_late=True)
        self._arrive()
        refusals = {2: 429, 3: 401, 4: 403, 5: 402, 6: 400, 7: 500, 8: 408, 9: 404}
        if how in refusals and not (how == 9 and claimed.kind is not Kind.POST):
            return self._answered(refusals[how])
        if how == 10:
            return Answer(None, sent=True, duration=1, error="reset")
        status, document = self._perform(claimed)
        if how == 11:
            return self._answered(500)
        if how == 12:
            return Answer(None, sent=True, duration=1, error="reset")
        if how == 13:
            return self._answered(200, "<html>")
        return self._answered(status, document)

    def _answered(self, status: int, document: Any = None) -> Answer:
        date = self.real + self.ahead
        minute = [at for at in self.arrived if at > self.real - timedelta(seconds=60)]
        limits = (
            RateLimit(self.plan, max(0, self.plan - len(minute)), int(date.timestamp()) + 60)
            if self.headers
            else RateLimit()
        )
        tracked = document if isinstance(document, TrackedEvent) else None
        body = document if isinstance(document, str) else "" if tracked else json.dumps(document)
        return Answer(status, sent=True, duration=0.1, rate_limit=limits, date=date, event=tracked, body=body)

    def _perform(self, claimed: Claimed) -> tuple[int, Any]:
        if claimed.kind is Kind.POST:
            return self._track(claimed, self.real)
        if claimed.kind is Kind.READ:
            return self._page(claimed.sent)
        if claimed.kind is Kind.CREATE:
            self.addresses.add(claimed.subscriber)
            return 200, {"success": True}
        return (200 if claimed.subscriber in self.addresses else 404), {}

    def _track(self, claimed: Claimed, at: datetime) -> tuple[int, Any]:
        if claimed.kind is not Kind.POST:
            return 200, {}
        if claimed.subscriber not in self.addresses:
            return 400, {"message": "no such subscriber"}
        body = json.loads(claimed.sent)
        data = body["data"]
        own = {name: value for name, value in data.items() if name not in ("gatewayEventId", "occurredAt", "source")}
        record = Record(
            id=f"lum_{len(self.records)}",
            event=data["gatewayEventId"],
            type=body["eventType"],
            subscriber=body["subscriber"],
            shown=data if self.echo else own,
            content=json.dumps([body["eventType"], body["subscriber"], own], sort_keys=True),
            created_at=at + self.ahead,
            visible_at=at + self.lag,
        )
        self.records.append(record)
        return 200, TrackedEvent(record.id, data=record.shown)

    def _page(self, path: str) -> tuple[int, Any]:
        parts = urlsplit(path)
        asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
        subscriber = unquote(parts.path.split("/")[2])
        if subscriber not in self.addresses:
            return 404, {}
        found = sorted(
            (
                record
                for record in self.records
                if record.subscriber == subscriber
                and record.type in json.loads(asked["eventTypes"])
                and record.visible_at <= self.real
                and record.created_at >= datetime.fromisoformat(asked["startDate"])
            ),
            key=lambda record: (record.created_at, record.id),
            reverse=True,
        )
        first = int(asked.get("cursor", 0))
        page = found[first : first + self.page]
        shown = [
            {"id": one.id, "eventType": one.type, "data": one.shown, "createdAt": one.created_at.isoformat()}
            for one in page
        ]
        more = first + self.page < len(found)
        return 200, {"events": shown, "nextCursor": str(first + self.page) if more else None}


def _named(made: LumailEvent, which: str) -> LumailEvent:
    return replace(made, data={**made.data, "emailId": which})


TestDelivery = Delivery.TestCase
TestDelivery.settings = settings(
    max_examples=40,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
)
