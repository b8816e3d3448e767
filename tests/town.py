"""A road on which time is an argument: days of delivery pass in the time that the work takes."""

from collections import Counter
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from time import monotonic

from sqlalchemy import select

from gateway.config import Destination
from gateway.delivery.drain import conclude_context, observed_of
from gateway.delivery.message import compose, question
from gateway.delivery.outcome import conclude_all, unknown_policy
from gateway.events import LumailEvent
from gateway.ledger.database import Ledger
from gateway.ledger.outbox import cycle
from gateway.ledger.outbox.cycle import DrainCycle
from gateway.ledger.recording import recording
from gateway.ledger.scheduling import leases
from gateway.ledger.scheduling.attempt import Claimed, Kind
from gateway.ledger.schema import attempts, destinations, events
from gateway.lumail.answer import Answer
from gateway.lumail.sandbox import Sandbox
from gateway.lumail.transport import Transport
from tests.making import NOON, rows, submission, told

_WAKE_AT = select(destinations.c.wake_at).where(destinations.c.name == "main")


@dataclass
class Town:
    """A road on which time is an argument: what is due is sent to the sandbox at once, then nothing until it is."""

    ledger: Ledger
    sandbox: Sandbox
    transport: Transport
    destination: Destination
    now: datetime = NOON

    def tell(self, *facts: LumailEvent) -> list[str]:
        with self.ledger.write(["main"]) as connection:
            found = recording.record(connection, [submission(told(fact)) for fact in facts], self.now)
        return [event for one in found for event in one.events]

    def until(self, end: datetime) -> None:
        """Drain whenever that is of use; not, as workers do beside that, every few minutes."""
        wake_at = self._wake_at()
        while wake_at is not None and wake_at <= end:
            self.now = max(wake_at, self.now + timedelta(milliseconds=100))
            with self.ledger.write(["main"]) as connection:
                assert leases.take(connection, "main", "town", self.now)
            turned = self._turn([])
            while turned.claimed or turned.again:
                turned = self._turn([(one, self._send(one)) for one in turned.claimed])
            with self.ledger.write(["main"]) as connection:
                limit = self.destination.requests_per_minute
                wake_at = cycle.release(connection, "main", "town", self.now, limit)
        self.now = end

    def _wake_at(self) -> datetime | None:
        with self.ledger.read() as connection:
            at: datetime | None = connection.execute(_WAKE_AT).scalar_one()
        return at

    def _turn(self, answers: list[tuple[Claimed, Answer]]) -> DrainCycle:
        with self.ledger.write(["main"]) as connection:
            return cycle.run(
                connection,
                "main",
                "town",
                self.now,
                settlements=conclude_all(answers, conclude_context(connection, self.destination, self.now)),
                wanted=32,
                limit=self.destination.requests_per_minute,
                compose=partial(compose, observed_of(connection, "main"), self.destination),
                unknown_policy=partial(unknown_policy, self.destination),
            )

    def _send(self, one: Claimed) -> Answer:
        method, path, body = ("POST", "/events", one.sent.encode()) if one.kind is Kind.POST else question(one)
        ends_by = monotonic() + 5
        if one.kind is Kind.POST:
            answer = self.transport.post_event(one.sent.encode(), send_before=ends_by, ends_by=ends_by)
        else:
            answer = self.transport.exchange(method, path, body, send_before=ends_by, ends_by=ends_by)
        return replace(answer, date=self.now)

    def calls(self) -> Counter[str]:
        """How often Lumail was called for each subscriber, as the attempts have it."""
        concerned = dict(rows(self.ledger, events, "id", "subscriber"))
        found = rows(self.ledger, attempts, "event", "sent")
        return Counter(
            concerned[event] if event else sent.rpartition("/")[2].replace("%40", "@") for event, sent in found
        )

    def kinds(self) -> list[str]:
        return [kind for (kind,) in rows(self.ledger, attempts, "kind")]

    def statuses(self) -> list[tuple[str, str | None]]:
        return [(status, reason) for status, reason in rows(self.ledger, events, "status", "reason")]
