"""Many again: a job in the ledger, worked on in small steps by whichever worker is called, paced and cancelled.

Between two steps nothing is in anybody's memory. A step looks for what follows the cursor without the writer lock;
under it, it makes sure that nobody has moved the cursor meanwhile, makes its changes and moves it, in one
transaction. So a worker that dies leaves a step undone or done, and two that are at one job do each step once.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, cast

import structlog
from sqlalchemy import Connection, select
from sqlalchemy import func as sql

from gateway.errors import CommandError, LedgerError, LedgerUnavailableError
from gateway.intake.route import Route
from gateway.ledger import words
from gateway.ledger.accounts import audit
from gateway.ledger.accounts.audit import Deed
from gateway.ledger.database import Ledger
from gateway.ledger.event import Event, EventChange
from gateway.ledger.facts.known_events import events_of
from gateway.ledger.facts.submission import Recorded, Submission
from gateway.ledger.jobs import jobs
from gateway.ledger.jobs.jobs import CANCELLED, DONE, EVENTS, RUNNING, Item, Job, Order
from gateway.ledger.outbox import duplicates, transitions, unknown_subscribers
from gateway.ledger.paging import Place
from gateway.ledger.recording.commit import record_group
from gateway.ledger.schema import Instant, events, from_microseconds, to_microseconds
from gateway.ledger.status import Outcome, Status
from gateway.ledger.views import search
from gateway.replay import by_itself, pace, selection
from gateway.replay.selection import FIRST, Selection
from gateway.replay.sending import as_new, refusal, stands
from gateway.replay.translating import translated_again

STEP = 50
"""Events or webhooks that one step changes, so that the door does not wait long for the writer lock."""

MOMENT = 0.25
"""Seconds that a worker goes on with one job before it looks what else there is."""

AGAIN = timedelta(seconds=1)
"""After how long a job is looked at again that has given out its share, or waits for what it sent to be settled."""

AFTER_FAULT = timedelta(seconds=30)
"""After how long a step is tried again that failed."""

REFUSED = "refused"
NEW_EVENTS = "new events"
TAKEN_BACK = "taken back"

_log = structlog.get_logger()


# Begun and cancelled by a person


def begin(ledger: Ledger, plans: Mapping[str, int], wanted: Selection, who: str) -> list[Job]:
    """Have all that is selected replayed, by a job for each destination; those that there is something to do for.

    `plans` are the configured destinations with their requests a minute. Raises CommandError where nothing is selected.
    """
    begun: list[Job] = []
    for name in selection.destinations_of(plans, wanted):
        here = selection.of_destination(wanted, name)
        with ledger.read() as connection:
            now = ledger.now(connection)
            until = now if here.filters.until is None else min(now, here.filters.until)
            bounded = replace(here, filters=replace(here.filters, until=until))
            counted = selection.count(connection, bounded)
        if not (counted.number or counted.more):
            continue
        total = counted.number
        with ledger.write([name]) as connection:
            order = Order(bounded.kind, name, bounded.as_request(), total, who)
            identity = jobs.begin(connection, order, now)
            audit.record(connection, now, Deed(who, bounded.kind, identity), None, {**order.request, "total": total})
            job = jobs.find(connection, identity)
            begun += [] if job is None else [job]
    if not begun:
        raise CommandError("there is nothing of that kind: no filter fits")
    return begun


def cancel(ledger: Ledger, identity: str, who: str) -> Job:
    """End a job. What it has released and what has not left yet goes back to what it was.

    Raises CommandError where it does not run.
    """
    job = _known(ledger, identity)
    with ledger.write([job.destination]) as connection:
        job = jobs.find(connection, identity) or job
        if job.status != RUNNING:
            raise CommandError(f"{identity} is {job.status} already")
        if job.is_of_newer:
            raise CommandError(f"{identity} was begun by a newer version of the gateway: cancel it there")
        now = ledger.now(connection)
        settled = _settled(connection, job)
        back = _take_back(connection, job, [one for one in settled if one.outcome is None], now)
        changed = [*(one for one in settled if one.outcome is not None), *back]
        jobs.settle_items(connection, identity, changed)
        counts = _counted(job.counts, changed)
        jobs.change(connection, identity, {"status": CANCELLED, "ended_at": now, "counts": counts})
        before = {"status": RUNNING, "done": job.done, "total": job.total}
        audit.record(connection, now, Deed(who, "cancel replay", identity), before, {"status": CANCELLED, **counts})
        return jobs.find(connection, identity) or job


def _known(ledger: Ledger, identity: str) -> Job:
    with ledger.read() as connection:
        job = jobs.find(connection, identity)
    if job is None:
        raise CommandError(f"no replay {identity}: `lumail-gateway replay list` shows those that are kept")
    return job


# Worked on


class Replays:
    """What a worker process replays with; `plans` are the configured destinations with their requests a minute."""

    def __init__(
        self, ledger: Ledger, plans: Mapping[str, int], make_routes: Callable[[], Mapping[str, Route]]
    ) -> None:
        self.ledger = ledger
        self.plans = plans
        self._make_routes = make_routes

    @cached_property
    def routes(self) -> Mapping[str, Route]:
        """Made when webhooks are to be translated, which a worker need not do otherwise."""
        return self._make_routes()

    def work_on(self, identity: str) -> None:
        """Go on with a job for a moment."""
        ends = time.monotonic() + MOMENT
        try:
            while time.monotonic() < ends and self.step(identity):
                continue
        except LedgerUnavailableError as error:
            _log.warning("replay.waits_for_ledger", job=identity, error=str(error))
        except Exception as error:  # noqa: BLE001 - a step that fails is shown with the job, and tried again later
            _log.error("replay.failed", job=identity, error=type(error).__name__, exc_info=error)
            self._note_fault(identity, f"{type(error).__name__}: {error}"[:500])

    def step(self, identity: str) -> bool:
        """One step; whether another is of use now."""
        with self.ledger.read() as connection:
            job = jobs.find(connection, identity)
            now = self.ledger.now(connection)
            if job is None or job.status != RUNNING or job.is_of_newer or jobs.before(connection, job):
                return False
            wanted = Selection.from_request(job.kind, job.request)
            found = _Found([], job.cursor, job.looked_through)
            share = self._share(connection, job, now)
            if share.number and not job.looked_through:
                place = Place.read(job.cursor) or FIRST
                listed = selection.page(connection, wanted, place, min(share.number, STEP))
                last = listed.rows[0] if listed.rows else None
                at = "created_at" if job.kind == EVENTS else "received_at"
                further = listed.newer or (None if last is None else Place(last[at], last["id"]))
                cursor = job.cursor if further is None else str(further)
                found = _Found([row["id"] for row in listed.rows[::-1]], cursor, listed.newer is None)
        if job.kind == EVENTS:
            return self._in_one(job, found, lambda connection, now: self._release(connection, job, found, wanted, now))
        again, found = self._translated(job, found, share.number)
        return self._in_one(job, found, lambda connection, now: self._record(connection, job, again, now))

    def _share(self, connection: Connection, job: Job, now: datetime) -> "_Share":
        """How many may be replayed now, and when the first of them is due."""
        plan = self.plans.get(job.destination)
        if plan is None:
            raise CommandError(f"{job.destination} is not configured any more")
        step = pace.slot(connection, job.destination, plan, now)
        start = max(now, job.slots_until or now)
        room = pace.most_under_way(step) - len(jobs.open_items(connection, job.id))
        number = min(max(0, int((now + pace.AHEAD - start) / step)), max(0, room))
        return _Share(number, start, step)

    def _in_one(
        self, job: Job, found: "_Found", work: Callable[[Connection, datetime], tuple[list[Item], int]]
    ) -> bool:
        """Do a step's work and move the cursor, in one transaction, unless somebody else has moved it meanwhile.

        `work` gives the items that it made, and how many slots they take.
        """
        with self.ledger.write([job.destination]) as connection:
            current = jobs.find(connection, job.id)
            if current is None or current.status != RUNNING or _moved(job, current):
                return False
            now = self.ledger.now(connection)
            share = self._share(connection, job, now)
            settled = [one for one in _settled(connection, job) if one.outcome is not None]
            jobs.settle_items(connection, job.id, settled)
            made, slots = work(connection, now)
            jobs.add_items(connection, job.id, made, now)
            counts = _counted(current.counts, [*settled, *made])
            under_way = bool(jobs.open_items(connection, job.id))
            over = found.is_all and not under_way
            moved = bool(found.ids) or found.cursor != job.cursor
            values: dict[str, Any] = {
                "cursor": found.cursor,
                "looked_through": found.is_all,
                "done": job.done + len(found.ids),
                "counts": counts,
                "slots_until": share.start + slots * share.step if slots else job.slots_until,
                "next_at": now if moved and not over else now + AGAIN,
                "error": None,
            }
            if over:
                values |= {"status": DONE, "ended_at": now}
                _log.info("replay.done", job=job.id, **{name.replace(" ", "_"): one for name, one in counts.items()})
            jobs.change(connection, job.id, values)
        return moved and not over

    def _release(
        self, connection: Connection, job: Job, found: "_Found", wanted: Selection, now: datetime
    ) -> tuple[list[Item], int]:
        """Let these events wait again, each from its slot on, unless something stands against it."""
        share = self._share(connection, job, now)
        made: list[Item] = []
        alone: list[tuple[Event, datetime]] = []
        unasked = by_itself.is_by_itself(wanted)
        crowded = _crowded(connection, found.ids)
        slots = 0
        for event in events_of(connection, found.ids).values():
            against = duplicates.duplicates_of(connection, event) if event.group in crowded else []
            stood = refusal(event, against)
            if stood is None and unasked:
                stood = by_itself.against(connection, event, job)
            if stood is not None and stands(stood, force=wanted.force):
                made.append(Item(event.id, {}, REFUSED, stood.cause.value))
                continue
            due = share.start + slots * share.step
            if event.group in crowded or unasked:  # at once, so that the next of its group, or person, sees it sent
                _wait_again(connection, job.destination, [(event, due)], now, expires=unasked)
            else:
                alone.append((event, due))
            made.append(Item(event.id, _before(event)))
            slots += 1
        _wait_again(connection, job.destination, alone, now)
        return made, slots

    def _translated(self, job: Job, found: "_Found", most: int) -> tuple[list[tuple[str, Submission | str]], "_Found"]:
        """The webhooks as today's adapter tells them, or why it can't be, as many as make `most` events or so."""
        again: list[tuple[str, Submission | str]] = []
        facts = 0
        cursor = job.cursor
        for identity in found.ids:
            with self.ledger.read() as connection:
                row = search.webhook(connection, identity)
            try:
                told: Submission | str = (
                    "it is not kept any more" if row is None else translated_again(self.ledger, self.routes, row)
                )
            except CommandError as error:
                told = str(error)
            facts += sum(len(one.events) for one in told.translated_items) if isinstance(told, Submission) else 0
            if again and facts > most:
                return again, _Found(found.ids[: len(again)], cursor, False)
            again.append((identity, told))
            cursor = cursor if row is None else str(Place(row["received_at"], identity))
        return again, found

    def _record(
        self, connection: Connection, job: Job, again: Sequence[tuple[str, Submission | str]], now: datetime
    ) -> tuple[list[Item], int]:
        """Add what was missing; what is new is due from its slot on."""
        share = self._share(connection, job, now)
        said = [(identity, told) for identity, told in again if isinstance(told, Submission)]
        done = record_group(connection, self.ledger, [told for _, told in said])
        recorded = dict(zip([identity for identity, _ in said], done, strict=True))
        made = [
            _told_again(identity, recorded[identity])
            if identity in recorded
            else Item(identity, {}, REFUSED, str(told).replace(identity, "it"))
            for identity, told in again
        ]
        new = [event for one in done for event in one.events]
        waiting = [event for event in events_of(connection, new).values() if event.status == Status.WAITING]
        dues = [max(event.due_at, share.start + number * share.step) for number, event in enumerate(waiting)]
        _postpone(connection, job.destination, list(zip(waiting, dues, strict=True)), now)
        return made, len(waiting)

    def _note_fault(self, identity: str, fault: str) -> None:
        try:
            job = _known(self.ledger, identity)
            with self.ledger.write([job.destination]) as connection:
                now = self.ledger.now(connection)
                jobs.change(connection, identity, {"error": fault, "next_at": now + AFTER_FAULT})
        except (LedgerUnavailableError, CommandError) as error:
            _log.warning("replay.waits_for_ledger", job=identity, error=str(error))


@dataclass(frozen=True)
class _Found:
    """What a step is about. `cursor` is where the next goes on, `is_all` says that nothing is left behind it."""

    ids: Sequence[str]
    cursor: str | None
    is_all: bool


@dataclass(frozen=True)
class _Share:
    number: int
    start: datetime
    step: timedelta


def _moved(job: Job, current: Job) -> bool:
    """Whether somebody made a step since the job was read."""
    return (job.cursor, job.done, job.slots_until) != (current.cursor, current.done, current.slots_until)


_UNDER_WAY = (Status.WAITING, Status.DELIVERING)


def _settled(connection: Connection, job: Job) -> list[Item]:
    """Its open items, with the outcome of those whose event has left, or came to nothing."""
    open_ = jobs.open_items(connection, job.id)
    known = events_of(connection, [one.subject for one in open_])
    found = []
    for one in open_:
        event = known.get(one.subject)
        if event is None:
            found.append(replace(one, outcome="purged"))
        elif event.status in _UNDER_WAY:
            found.append(one)
        else:
            found.append(replace(one, outcome=event.status, explanation=words.of_reason(*event.why)))
    return found


def _counted(counts: Mapping[str, int], items: Sequence[Item]) -> dict[str, int]:
    """Items by their outcome; those of webhooks also count the new events, which stand in their notes."""
    found = dict(counts)
    for one in items:
        if one.outcome is not None:
            found[one.outcome] = found.get(one.outcome, 0) + 1
        made = len(one.before.get("made", ()))
        if made:
            found[NEW_EVENTS] = found.get(NEW_EVENTS, 0) + made
    return found


def _told_again(identity: str, recorded: Recorded) -> Item:
    why = next((one.reason for one in recorded.items if one.word is Outcome.QUARANTINED), None)
    return Item(identity, {"made": list(recorded.events)}, recorded.word, why)


def _crowded(connection: Connection, ids: Sequence[str]) -> frozenset[str]:
    """The groups of these events that have others besides: only there another can tell the same fact."""
    of_these = select(events.c.group).where(events.c.id.in_(list(ids)))
    query = select(events.c.group).where(events.c.group.in_(of_these)).group_by(events.c.group)
    return frozenset(connection.execute(query.having(sql.count() > 1)).scalars())


_Due = Sequence[tuple[Event, datetime]]
"""Events, and from when on each may leave."""


def _wait_again(connection: Connection, destination: str, sent: _Due, now: datetime, *, expires: bool = False) -> None:
    """With `expires` each is of no use any more when it always was: nobody asked for it."""
    moves: list[tuple[Event, EventChange]] = []
    for event, due in sent:
        columns = as_new(due)
        moves.append((event, {**columns, "expires_at": event.expires_at} if expires else columns))
    after = transitions.move(connection, destination, moves, now, corrects=True)
    unknown_subscribers.forget(
        connection, destination, *sorted({one.subscriber for one in after if one.subscriber is not None})
    )


def _postpone(connection: Connection, destination: str, waiting: _Due, now: datetime) -> None:
    transitions.move(connection, destination, [(event, {"due_at": due}) for event, due in waiting], now)


_RELEASED_COLUMNS = (*as_new(from_microseconds(0)), "attempt")


def _before(event: Event) -> dict[str, Any]:
    """The columns that a release changes, as the ledger keeps them."""
    values = {name: getattr(event, name) for name in _RELEASED_COLUMNS}
    return {name: to_microseconds(one) if isinstance(one, datetime) else one for name, one in values.items()}


def _take_back(connection: Connection, job: Job, waiting: Sequence[Item], now: datetime) -> list[Item]:
    """Events that were released and that nobody has claimed since are what they were; their items."""
    back: list[Item] = []
    moves: list[tuple[Event, EventChange]] = []
    known = events_of(connection, [one.subject for one in waiting])
    for one in waiting:
        event = known[one.subject]
        untried = event.tries == 0 and event.attempt == one.before["attempt"]
        if event.status == Status.WAITING and untried:
            columns = {name: _restored(name, one.before[name]) for name in _RELEASED_COLUMNS}
            moves.append((event, cast(EventChange, columns)))
            back.append(replace(one, outcome=TAKEN_BACK))
        else:
            back.append(replace(one, outcome="sent before the end"))
    transitions.move(connection, job.destination, moves, now, corrects=True)
    return back


def _restored(name: str, value: Any) -> Any:
    return from_microseconds(value) if value is not None and isinstance(events.c[name].type, Instant) else value


_replays: Replays | None = None


def install(replays: Replays) -> None:
    """Name what jobs of this process replay with."""
    global _replays  # RQ calls `run` by its name, with nothing but JSON arguments
    _replays = replays


def run(job: str) -> None:
    """RQ's unit of bulk work: go on with a job of the ledger for a moment."""
    if _replays is None:
        raise LedgerError("this process was not set up to replay: run it as `lumail-gateway worker`")
    _replays.work_on(job)
