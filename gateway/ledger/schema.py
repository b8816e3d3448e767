"""The ledger's tables: what is known, what is to be done, and what was done, on SQLite and PostgreSQL alike.

Instants are stored as microseconds since 1970 UTC, so that both databases order, compare and add them the same way;
JSON is stored as text, so that both give back what was put in.
"""

import json
import zlib
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Dialect,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    SmallInteger,
    String,
    Table,
    Text,
    TextClause,
    TypeDecorator,
    false,
    func,
    text,
    type_coerce,
)

from gateway.events import encode_json
from gateway.ledger.status import UNSENT, Reason, Status

SCHEMA = "0001"
"""The newest migration that this version knows; what its statements are written for."""

OLDEST_SCHEMA = "oldest schema"
"""The mark with the oldest schema whose programs may still write here; without it any may."""

GENERATION = 1
"""Of what is left for workers, in `jobs` and in Redis. A version whose calls or requests an older worker would not
understand, or would take for something else, raises it; older workers then leave them alone.
"""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Instant(TypeDecorator[datetime]):
    """A timezone-aware datetime, stored as microseconds since the epoch."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        return None if value is None else to_microseconds(value)

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:
        return None if value is None else from_microseconds(value)


class Json(TypeDecorator[Any]):
    """A value of JSON's kinds, stored as compact text."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        return None if value is None else encode_json(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        return None if value is None else json.loads(value)


class Packed(TypeDecorator[bytes]):
    """Bytes that take less room where that can be: their number, in four bytes, and they, deflated if that is shorter.

    The quickest level: JSON of 2 KB becomes a third either way, and this one takes a fifth of the time.
    """

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: bytes | None, dialect: Dialect) -> bytes | None:
        if value is None:
            return None
        packed = zlib.compress(value, 1)
        return len(value).to_bytes(_SIZE) + (packed if len(packed) < len(value) else value)

    def process_result_value(self, value: bytes | None, dialect: Dialect) -> bytes | None:
        if value is None:
            return None
        packed = bytes(value[_SIZE:])
        return packed if len(packed) == unpacked_size(value) else zlib.decompress(packed)


_SIZE = 4


def unpacked_size(stored: bytes) -> int:
    """Of what `Packed` has stored, or of its beginning."""
    return int.from_bytes(stored[:_SIZE])


def size_of(column: Column[bytes]) -> ColumnElement[bytes]:
    """The beginning of what is stored there, from which `unpacked_size` reads."""
    return func.substr(type_coerce(column, LargeBinary), 1, _SIZE, type_=LargeBinary)


def to_microseconds(instant: datetime) -> int:
    since = instant - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def from_microseconds(number: int) -> datetime:
    return _EPOCH + timedelta(microseconds=number)


metadata = MetaData(
    naming_convention={
        "pk": "%(table_name)s_pk",
        "uq": "%(table_name)s_%(column_0_N_name)s_key",
        "ix": "%(table_name)s_%(column_0_N_name)s",
    }
)

destinations = Table(
    "destinations",
    metadata,
    Column("name", String(100), primary_key=True),
    Column("fingerprint", String(64), comment="of the API token; a change is noticed at start"),
    Column("base_url", Text, comment="another is refused at start until somebody accepts it"),
    Column("organization", Text, comment="Lumail's id of the organization, once an answer named it"),
    Column(
        "on_trial", Boolean, nullable=False, server_default=false(), comment="the token is new: one event goes alone"
    ),
    Column("lease_owner", String(40), comment="the drain that may claim"),
    Column("lease_until", Instant),
    Column("wake_at", Instant, comment="no drain is of use before; null: nothing waits"),
    Column("low_next_at", Instant, comment="when the even schedule has the next place for standard and bulk"),
    Column("revenue_next_at", Instant, comment="the same for revenue, which may run ahead by a burst"),
    Column("all_next_at", Instant, comment="the same for all requests: standard and bulk leave room for the others"),
    Column("failures_run", Integer, nullable=False, server_default="0", comment="failures since the last success"),
    Column("limit_learned", Integer, comment="requests a minute by Lumail's own header"),
    Column("remaining_learned", Integer, comment="what Lumail had left at learned_at"),
    Column("reset_learned", Instant, comment="when its count is over, as far as it said so credibly"),
    Column("learned_at", Instant),
    Column(
        "asked_in_vain", Integer, nullable=False, server_default="0", comment="requests since it first had nothing left"
    ),
    Column("clock_offset_ms", BigInteger, comment="how far Lumail's clock is ahead of the ledger's"),
    Column("read_lag_ms", BigInteger, comment="the longest time seen until a recorded event could be read back"),
    Column("echo", Boolean, comment="whether Lumail stores extra keys; null: not seen yet"),
    Column("takes_delayed", Boolean, comment="whether it takes EMAIL_DELIVERY_DELAYED; null: not tried"),
    Column("unknown_answered", Integer, comment="the status that an unknown subscriber's event gets; null: not tried"),
    Column("reset_moves", Boolean, comment="whether the end that its headers name goes on with time; null: not seen"),
    Column("probed_at", Instant, comment="when somebody had all that tried"),
)

currencies = Table(
    "currencies",
    metadata,
    Column("destination", String(100), nullable=False),
    Column("currency", String(10), nullable=False),
    Column("met_at", Instant, nullable=False),
    Column("event", String(40), nullable=False, comment="the first of its events"),
    Column("accepted", Boolean, nullable=False, server_default=false(), comment="a person said that they may be mixed"),
    PrimaryKeyConstraint("destination", "currency"),
    comment="in which currencies a destination was told of money",
)

pauses = Table(
    "pauses",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("scope", String(20), nullable=False, comment="destination, lane or source"),
    Column("destination", String(100), nullable=False),
    Column("name", String(100), nullable=False, comment="of the destination, lane or source"),
    Column("kind", String(40), nullable=False, comment="the code of why"),
    Column("details", Json, nullable=False, comment="what the words of this kind name, by name"),
    Column("probe", String(20), comment="the request that tells whether it is over: get or post; null: its end does"),
    Column("tries", Integer, nullable=False, server_default="0", comment="probes that failed"),
    Column("made_at", Instant, nullable=False),
    Column("until", Instant, comment="null: until somebody resumes"),
    Column("ended_at", Instant),
    Index(
        "pauses_open", "destination", sqlite_where=text("ended_at IS NULL"), postgresql_where=text("ended_at IS NULL")
    ),
)

refusals = Table(
    "refusals",
    metadata,
    Column("event", String(40), primary_key=True),
    Column("destination", String(100), nullable=False),
    Column("found", Boolean, nullable=False, comment="whether Lumail was asked for its subscriber, and has it"),
    Column("asked_at", Instant, comment="when it was asked for the subscriber on behalf of the run"),
    Column("pause", String(40), comment="that the run began; null: it goes on"),
    Column("job", String(40), comment="by which the event is sent again, now that the pause is over"),
    Index("refusals_in_run", "destination", sqlite_where=text("pause IS NULL"), postgresql_where=text("pause IS NULL")),
    Index("refusals_of_pause", "pause"),
)

webhooks = Table(
    "webhooks",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("source", String(100), nullable=False),
    Column("adapter", String(100), nullable=False),
    Column("destination", String(100), nullable=False),
    Column("delivery_id", Text, comment="the provider's id of the request, where it has one"),
    Column("received_at", Instant, nullable=False),
    Column("url", Text, nullable=False),
    Column("headers", Json, nullable=False, comment="credentials and signatures stand as fingerprints"),
    Column("body", Packed, nullable=True, comment="exact bytes; null once retention removed them"),
    Column("secret", String(64), comment="fingerprint of the secret that fitted"),
    Column("outcome", String(20), nullable=False),
    Column("events_made", Integer, nullable=False),
    Column("merged", Integer, nullable=False),
    Column("taught", Integer, nullable=False),
    Column("ignored", Integer, nullable=False),
    Column("quarantined", Integer, nullable=False),
    Column("notes", Json, nullable=False, comment="per source event not translated: position, type, word, reason"),
    Index("webhooks_delivery", "delivery_id", "source", unique=True),
    Index("webhooks_by_source", "source", "received_at"),
    Index("webhooks_by_time", "received_at", "id"),
    Index(
        "webhooks_quarantined",
        "received_at",
        sqlite_where=text("quarantined > 0"),
        postgresql_where=text("quarantined > 0"),
    ),
    Index(
        "webhooks_in_quarantine",
        "source",
        "received_at",
        sqlite_where=text("quarantined > 0"),
        postgresql_where=text("quarantined > 0"),
    ),
)


def _quoted(statuses: Iterable[Status]) -> str:
    return ", ".join(f"'{status}'" for status in statuses)


_WAITING_BULK = text(f"status = '{Status.WAITING}' AND lane = 3")
_UNKNOWN = text(f"status = '{Status.UNKNOWN}'")
_WAITS_FOR_MEMORY = text("waits_for IS NOT NULL")
_HELD = text(f"status = '{Status.HELD}'")
_NAMED_LATER = text(f"status IN ({_quoted(UNSENT)}) AND named_by IS NOT NULL")
_FOLLOWS = text(f"status = '{Status.HELD}' AND after IS NOT NULL")
_RELEASED = text(f"status = '{Status.HELD}' AND release_at IS NOT NULL")
_EXPIRES = text(f"status = '{Status.WAITING}' AND expires_at IS NOT NULL")
_SETTLED = text("settled_at IS NOT NULL")
_TROUBLED = text("last_error IS NOT NULL OR reason IS NOT NULL")
_UNDECIDED = text(f"status = '{Status.HELD}' AND reason = '{Reason.ANSWER_LOST}'")

events = Table(
    "events",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("webhook", String(40), nullable=False),
    Column("source", String(100), nullable=False),
    Column("destination", String(100), nullable=False),
    Column("type", String(40), nullable=False),
    Column("subscriber", Text, comment="null while only memory can tell it"),
    Column("data", Text, nullable=False, comment="JSON as it is sent; frozen by the first posting attempt"),
    Column("occurred_at", Instant, nullable=False),
    Column("lane", SmallInteger, nullable=False),
    Column("status", String(20), nullable=False),
    Column("reason", String(40), comment="the code: why in doubt, held, failed or dropped"),
    Column("reason_detail", Text, comment="the number that the words of the reason name"),
    Column(
        "former_reason",
        String(40),
        comment="the code of the reason before, of an event that expired or was held too long",
    ),
    Column("due_at", Instant, nullable=False),
    Column("tries", Integer, nullable=False, server_default="0"),
    Column("first_attempt_at", Instant),
    Column("clock_offset_ms", BigInteger, comment="how far Lumail's clock was ahead at the first attempt"),
    Column("attempt", String(40), comment="the newest attempt to post it"),
    Column("step", String(10), nullable=False, server_default="post", comment="the next request: post, ask or create"),
    Column("unconfirmed_at", Instant, comment="by when the doubtful attempt was surely over"),
    Column("reads", Integer, nullable=False, server_default="0", comment="complete reads that did not find it"),
    Column("read_cursor", Text, comment="where a read of several pages goes on"),
    Column("candidates", Json, comment="records at Lumail that may be it: only a person can tell"),
    Column("found_by_read", Boolean, nullable=False, server_default=false()),
    Column("group", String(40), nullable=False),
    Column("detail_rank", Integer, nullable=False, server_default="0"),
    Column("held_at", Instant, comment="since when it is held"),
    Column("edited_at", Instant, comment="since when it is what a person wrote; what was before is in edits"),
    Column("expires_at", Instant, comment="from when on it is worth nothing; null: never"),
    Column("waits_for", Text, comment="the memory key whose e-mail releases a held event"),
    Column("named_by", Text, comment="the memory key that may teach a better name of the product"),
    Column("balance", String(20), comment="of its sale's sums: paid, or the charge or order that a refund takes from"),
    Column("provider_object", String(20), comment="of the book: the object that told it"),
    Column("amount", Text, comment="what it counts in its book, exactly; an edit of what is sent does not change it"),
    Column("currency", String(3), comment="of `amount`"),
    Column("after", String(40), comment="the payment that has to be delivered first"),
    Column("release_at", Instant, comment="when a held event leaves if what it waits for did not come"),
    Column("lumail_event_id", Text),
    Column("last_error", Text),
    Column("created_at", Instant, nullable=False),
    Column("settled_at", Instant, comment="when it was delivered, failed or dropped"),
    Index("events_lumail", "destination", "lumail_event_id", unique=True),
    Index("events_of_webhook", "webhook"),
    Index("events_of_group", "group"),
    Index("events_by_time", "created_at", "id"),
    Index("events_of_source", "source", "created_at"),
    Index("events_by_status", "destination", "status", "lane", "created_at"),
    # Whole, not partial: SQLite, which has no statistics here, takes the index with the most columns compared.
    Index("events_of_subscriber", "destination", "subscriber", "status", "lane", "occurred_at", "id"),
    Index("events_unknown", "destination", "due_at", sqlite_where=_UNKNOWN, postgresql_where=_UNKNOWN),
    Index("events_bulk", "destination", "due_at", "id", sqlite_where=_WAITING_BULK, postgresql_where=_WAITING_BULK),
    Index("events_held", "destination", "held_at", sqlite_where=_HELD, postgresql_where=_HELD),
    Index("events_expiring", "destination", "expires_at", sqlite_where=_EXPIRES, postgresql_where=_EXPIRES),
    Index("events_following", "after", sqlite_where=_FOLLOWS, postgresql_where=_FOLLOWS),
    Index("events_releasing", "destination", "release_at", sqlite_where=_RELEASED, postgresql_where=_RELEASED),
    Index("events_named_later", "destination", "named_by", sqlite_where=_NAMED_LATER, postgresql_where=_NAMED_LATER),
    Index("events_settled", "settled_at", sqlite_where=_SETTLED, postgresql_where=_SETTLED),
    Index("events_with_reason", "created_at", sqlite_where=_TROUBLED, postgresql_where=_TROUBLED),
    Index("events_undecided", "reason", "destination", "held_at", sqlite_where=_UNDECIDED, postgresql_where=_UNDECIDED),
    Index(
        "events_waiting_for_memory",
        "destination",
        "waits_for",
        sqlite_where=_WAITS_FOR_MEMORY,
        postgresql_where=_WAITS_FOR_MEMORY,
    ),
)


def status_is(status: Status) -> TextClause:
    """Written as the partial indexes have it, so that they are used."""
    return text(f"events.status = '{status}'")


def status_in(statuses: Iterable[Status]) -> TextClause:
    """The same of several, in the order of the index."""
    return text(f"events.status IN ({_quoted(statuses)})")


def reason_is(reason: Reason) -> TextClause:
    """The same of a reason."""
    return text(f"events.reason = '{reason}'")


keys = Table(
    "keys",
    metadata,
    Column("destination", String(100), nullable=False),
    Column("key", String(500), nullable=False),
    Column("group", String(40), nullable=False),
    PrimaryKeyConstraint("destination", "key"),
    Index("keys_of_group", "group"),
    sqlite_with_rowid=False,  # the key is all of the row: it stands once
)

_HEARD = text("heard_at IS NOT NULL")

groups = Table(
    "groups",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("destination", String(100), nullable=False),
    Column("truth", Json, comment="what is true of the sale's money, in sums"),
    Column("emitted", Json, comment="by book: what removed events told Lumail (kept), and the excess that was shown"),
    Column("heard_at", Instant, comment="since when a payment is told, but by no telling that makes one"),
    Column("incident", Text, comment="what only a person can put right"),
    Column("closed", String(10), comment="why nothing of it is told any more: told (its events are purged) or erased"),
    Index("groups_heard", "heard_at", sqlite_where=_HEARD, postgresql_where=_HEARD),
    Index(
        "groups_with_incident",
        "destination",
        sqlite_where=text("incident IS NOT NULL"),
        postgresql_where=text("incident IS NOT NULL"),
    ),
)

repeats = Table(
    "repeats",
    metadata,
    Column("webhook", String(40), nullable=False),
    Column("group", String(40), nullable=False),
    PrimaryKeyConstraint("webhook", "group"),
    Index("repeats_of_group", "group"),
    comment="webhooks that told of a fact without making an event of it",
)

lines = Table(
    "lines",
    metadata,
    Column("destination", String(100), nullable=False),
    Column("lane", SmallInteger, nullable=False),
    Column("subscriber", Text, nullable=False),
    Column("head", String(40), comment="the event that leaves next"),
    Column("head_occurred_at", Instant),
    Column("due_at", Instant, comment="when the head is due; null while the line is closed"),
    PrimaryKeyConstraint("destination", "lane", "subscriber"),
    Index("lines_due", "destination", "lane", "due_at"),
)

attempts = Table(
    "attempts",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("destination", String(100), nullable=False),
    Column("event", String(40), comment="null for requests that concern no single event"),
    Column("kind", String(20), nullable=False),
    Column("taken_at", Instant, nullable=False),
    Column("send_before", Instant, nullable=False),
    Column("ends_by", Instant, nullable=False),
    Column("place_until", Instant, nullable=False, comment="until then it counts against the plan"),
    Column("sent", Text, comment="what was to be sent: subscriber and data, as JSON"),
    Column("answered_at", Instant),
    Column("outcome", String(20), comment="null: under way, or its answer never came"),
    Column("status", Integer, comment="HTTP status"),
    Column("body", Text),
    Column("error", Text),
    Column("duration_ms", Integer),
    Index("attempts_of_event", "event"),
    Index("attempts_in_plan", "destination", "place_until"),
    Index(
        "attempts_open",
        "destination",
        "ends_by",
        sqlite_where=text("outcome IS NULL"),
        postgresql_where=text("outcome IS NULL"),
    ),
)

unknown_subscribers = Table(
    "unknown_subscribers",
    metadata,
    Column("destination", String(100), nullable=False),
    Column("subscriber", Text, nullable=False),
    Column("since", Instant, nullable=False, comment="when Lumail first did not know the subscriber"),
    Column("times_asked", Integer, nullable=False, comment="how often it was asked again"),
    Column("ask_at", Instant, comment="when it is asked next; null: Lumail knows the subscriber by now"),
    PrimaryKeyConstraint("destination", "subscriber"),
    Index("unknown_subscribers_to_ask", "destination", "ask_at"),
)

memory = Table(
    "memory",
    metadata,
    Column("destination", String(100), nullable=False),
    Column("key", String(500), nullable=False),
    Column("values", Json, nullable=False),
    Column("at", Instant, nullable=False, comment="when the newest of it was said"),
    PrimaryKeyConstraint("destination", "key"),
    Index("memory_by_time", "at"),
    sqlite_with_rowid=False,
)

tombstones = Table(
    "tombstones",
    metadata,
    Column("destination", String(100), nullable=False),
    Column("name", String(64), nullable=False, comment="keyed hash of an e-mail address or a memory key"),
    Column("at", Instant, nullable=False, comment="what happened until then is not told any more"),
    PrimaryKeyConstraint("destination", "name"),
    comment="people who were erased",
)

single_uses = Table(
    "single_uses",
    metadata,
    Column("secret", String(64), nullable=False, comment="fingerprint of the secret that fitted"),
    Column("token", String(64), nullable=False, comment="hash of what was signed in the place of the body"),
    Column("event", String(64), nullable=False, comment="hash of the provider's name for the one event"),
    Column("destination", String(100), nullable=False, comment="where it was told first"),
    Column("at", Instant, nullable=False),
    PrimaryKeyConstraint("token", "secret"),
    Index("single_uses_by_time", "destination", "at"),
    comment="signatures that do not cover the body, each good for one event",
)

rejections = Table(
    "rejections",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("source", String(100), comment="null: no such source"),
    Column("path", String(200)),
    Column("cause", String(40), nullable=False),
    Column("detail", Text),
    Column("count", Integer, nullable=False),
    Column("at", Instant, nullable=False),
    Column("proven_at", Instant, comment="when its source was proven again by a webhook that is kept already"),
    Index("rejections_of_source", "source", "at"),
)

counters = Table(
    "counters",
    metadata,
    Column("minutes", SmallInteger, primary_key=True, autoincrement=False, comment="how long it is: 1 or 60"),
    Column("at", Instant, primary_key=True, comment="when the minute or the hour began"),
    Column("measure", String(20), primary_key=True, comment="received, rejected, settled or unavailable"),
    Column("name", String(100), primary_key=True, comment="of the source or destination; empty: no such source"),
    Column("word", String(40), primary_key=True, comment="outcome, cause or status"),
    Column("count", BigInteger, nullable=False),
    comment="how much came and went, for charts",
)

gauges = Table(
    "gauges",
    metadata,
    Column("destination", String(100), primary_key=True),
    Column("status", String(20), primary_key=True),
    Column("lane", SmallInteger, primary_key=True, autoincrement=False),
    Column("count", BigInteger, nullable=False),
    comment="how many events stood where when they were last counted",
)

counted = Table(
    "counted",
    metadata,
    Column("name", String(20), primary_key=True, comment="counters, gauges, settled or settled_anew"),
    Column("until", Instant, nullable=False, comment="what happened before is counted"),
)

shapes = Table(
    "shapes",
    metadata,
    Column("adapter", String(100), primary_key=True),
    Column("type", String(80), primary_key=True, comment="of the source event, in the provider's words"),
    Column("shape", String(16), primary_key=True, comment="fingerprint of the paths; empty: a type not known"),
    Column("paths", Json, nullable=False, comment="keys and kinds of the payload, no values"),
    Column("webhook", String(40), nullable=False, comment="the newest that held one"),
    Column("count", BigInteger, nullable=False),
    Column("first_at", Instant, nullable=False),
    Column("last_at", Instant, nullable=False),
)

marks = Table(
    "marks",
    metadata,
    Column("name", String(60), primary_key=True),
    Column("value", Text, nullable=False),
    comment="by which the ledger knows that it is still the one that it was, and on the machine that it was on",
)

heartbeats = Table(
    "heartbeats",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("role", String(20), nullable=False, comment="web or worker"),
    Column("host", String(200), nullable=False),
    Column("pid", BigInteger, nullable=False),
    Column("version", String(40), nullable=False, comment="of the gateway"),
    Column("schema_version", String(40), nullable=False, comment="of the ledger, that this version makes"),
    Column("since", Instant, nullable=False, comment="when it began"),
    Column("seen", Instant, nullable=False, comment="when it last said so"),
    Column("ended_at", Instant, comment="when it ended in order; null: it runs, or was killed"),
    Column(
        "clock_offset_ms", BigInteger, nullable=False, comment="how far its machine's clock is ahead of the ledger's"
    ),
    Column("disk_free", BigInteger, comment="bytes that are free where its data folder lies"),
    Column("redis", String(20), comment="the code of what is wrong with Redis; null: nothing"),
    Column("redis_since", Instant, comment="since when that is so"),
    comment="the processes of the gateway, on whatever machine",
)

dismissals = Table(
    "dismissals",
    metadata,
    Column("kind", String(20), nullable=False, comment="webhook, path or incident"),
    Column("subject", String(200), nullable=False, comment="the webhook, the unknown path, or the fact's group"),
    Column("what", Text, comment="an incident's words then: others are shown again"),
    Column("reason", Text, nullable=False),
    Column("who", String(200), nullable=False),
    Column("at", Instant, nullable=False),
    PrimaryKeyConstraint("kind", "subject"),
    comment="what a person has looked at, and what needs nobody any more",
)

_RUNNING = text("status = 'running'")
_OPEN = text("outcome IS NULL")

jobs = Table(
    "jobs",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("kind", String(40), nullable=False),
    Column("request", Json, nullable=False),
    Column("cursor", Text),
    Column("done", Integer, nullable=False, server_default="0"),
    Column("total", Integer),
    Column("status", String(20), nullable=False),
    Column("made_by", String(100)),
    Column("made_at", Instant, nullable=False),
    Column("ended_at", Instant),
    Column("destination", String(100), comment="whose writer lock the steps of bulk work take"),
    Column("looked_through", Boolean, nullable=False, server_default=false(), comment="nothing is left behind cursor"),
    Column("counts", Json, comment="items by their outcome, and new events"),
    Column("slots_until", Instant, comment="until when its share of the budget is given out"),
    Column("next_at", Instant, comment="no step is of use before"),
    Column("error", Text, comment="why the newest step failed; null: it did not"),
    Column(
        "generation", Integer, nullable=False, server_default="1", comment="who is older leaves it to newer workers"
    ),
    Index("jobs_by_time", "made_at", "id"),
    Index("jobs_running", "next_at", sqlite_where=_RUNNING, postgresql_where=_RUNNING),
)

job_items = Table(
    "job_items",
    metadata,
    Column("job", String(40), nullable=False),
    Column("subject", String(40), nullable=False, comment="the event or webhook"),
    Column("at", Instant, nullable=False),
    Column("before", Json, nullable=False, comment="the columns that it changed, as they were"),
    Column("outcome", String(20), comment="null: released and not settled yet"),
    Column("explanation", Text, comment="why"),
    PrimaryKeyConstraint("job", "subject"),
    Index("job_items_of_subject", "subject"),
    Index("job_items_open", "job", sqlite_where=_OPEN, postgresql_where=_OPEN),
)

edits = Table(
    "edits",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("event", String(40), nullable=False),
    Column("at", Instant, nullable=False),
    Column("who", String(200), nullable=False),
    Column("before", Json, nullable=False, comment="subscriber and data as they were"),
    Column("after", Json, nullable=False),
    Index("edits_of_event", "event"),
)

users = Table(
    "users",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("name", String(200), nullable=False, unique=True),
    Column("password_hash", Text, nullable=False),
    Column("role", String(20), nullable=False),
    Column("made_at", Instant, nullable=False),
)

sessions = Table(
    "sessions",
    metadata,
    Column("token_hash", String(64), primary_key=True, comment="of what the browser shows; it is nowhere else"),
    Column("user", String(40), nullable=False),
    Column("made_at", Instant, nullable=False),
    Column("seen_at", Instant, nullable=False, comment="when a person last asked for something, to the minute"),
    Index("sessions_of_user", "user"),
    Index("sessions_by_time", "made_at"),
)

sign_in_tries = Table(
    "sign_in_tries",
    metadata,
    Column("subject", String(80), primary_key=True, comment="whose: a name, an address, or both, as a fingerprint"),
    Column("failed", Integer, nullable=False, comment="tries that failed or are under way"),
    Column("until", Instant, nullable=False, comment="when they are forgotten"),
    Index("sign_in_tries_by_time", "until"),
)

audit = Table(
    "audit",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("at", Instant, nullable=False),
    Column("who", String(200), nullable=False),
    Column("action", String(60), nullable=False),
    Column("subject", String(200), nullable=False),
    Column("before", Json),
    Column("after", Json),
    Index("audit_by_time", "at", "id"),
    Index("audit_of_subject", "subject", "at"),
)
