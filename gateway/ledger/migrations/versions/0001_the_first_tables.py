"""All tables, as they are in the first version."""

import sqlalchemy as sa
from alembic import op

import gateway.ledger.schema

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

works_beside = "0001"
"""The oldest schema whose programs go on writing once this is done."""


def upgrade() -> None:
    op.create_table(
        "attempts",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("destination", sa.String(length=100), nullable=False),
        sa.Column(
            "event", sa.String(length=40), nullable=True, comment="null for requests that concern no single event"
        ),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("taken_at", gateway.ledger.schema.Instant(), nullable=False),
        sa.Column("send_before", gateway.ledger.schema.Instant(), nullable=False),
        sa.Column("ends_by", gateway.ledger.schema.Instant(), nullable=False),
        sa.Column(
            "place_until",
            gateway.ledger.schema.Instant(),
            nullable=False,
            comment="until then it counts against the plan",
        ),
        sa.Column("sent", sa.Text(), nullable=True, comment="what was to be sent: subscriber and data, as JSON"),
        sa.Column("answered_at", gateway.ledger.schema.Instant(), nullable=True),
        sa.Column("outcome", sa.String(length=20), nullable=True, comment="null: under way, or its answer never came"),
        sa.Column("status", sa.Integer(), nullable=True, comment="HTTP status"),
        sa.Column("body", sa.Text(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("duration_ms", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("attempts_pk")),
    )
    op.create_index("attempts_in_plan", "attempts", ["destination", "place_until"], unique=False)
    op.create_index("attempts_of_event", "attempts", ["event"], unique=False)
    op.create_index(
        "attempts_open",
        "attempts",
        ["destination", "ends_by"],
        unique=False,
        sqlite_where=sa.text("outcome IS NULL"),
        postgresql_where=sa.text("outcome IS NULL"),
    )
    op.create_table(
        "audit",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("at", gateway.ledger.schema.Instant(), nullable=False),
        sa.Column("who", sa.String(length=200), nullable=False),
        sa.Column("action", sa.String(length=60), nullable=False),
        sa.Column("subject", sa.String(length=200), nullable=False),
        sa.Column("before", gateway.ledger.schema.Json(), nullable=True),
        sa.Column("after", gateway.ledger.schema.Json(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("audit_pk")),
    )
    op.create_index("audit_by_time", "audit", ["at", "id"], unique=False)
    op.create_index("audit_of_subject", "audit", ["subject", "at"], unique=False)
    op.create_table(
        "counted",
        sa.Column("name", sa.String(length=20), nullable=False, comment="counters, gauges, settled or settled_anew"),
        sa.Column("until", gateway.ledger.schema.Instant(), nullable=False, comment="what happened before is counted"),
        sa.PrimaryKeyConstraint("name", name=op.f("counted_pk")),
    )
    op.create_table(
        "currencies",
        sa.Column("destination", sa.String(length=100), nullable=False),
        sa.Column("currency", sa.String(length=10), nullable=False),
        sa.Column("met_at", gateway.ledger.schema.Instant(), nullable=False),
        sa.Column("event", sa.String(length=40), nullable=False, comment="the first of its events"),
        sa.Column(
            "accepted",
            sa.Boolean(),
            server_default=sa.false(),
            nullable=False,
            comment="a person said that they may be mixed",
        ),
        sa.PrimaryKeyConstraint("destination", "currency", name=op.f("currencies_pk")),
        comment="in which currencies a destination was told of money",
    )
    op.create_table(
        "destinations",
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column(
            "fingerprint", sa.String(length=64), nullable=True, comment="of the API token; a change is noticed at start"
        ),
        sa.Column(
            "base_url", sa.Text(), nullable=True, comment="another is refused at start until somebody accepts it"
        ),
        sa.Column(
            "organization", sa.Text(), nullable=True, comment="Lumail's id of the organization, once an answer named it"
        ),
        sa.Column(
            "on_trial",
            sa.Boolean(),
            server_default=sa.false(),
            nullable=False,
            comment="the token is new: one event goes alone",
        ),
        sa.Column("lease_owner", sa.String(length=40), nullable=True, comment="the drain that may claim"),
        sa.Column("lease_until", gateway.ledger.schema.Instant(), nullable=True),
        sa.Column(
            "wake_at",
            gateway.ledger.schema.Instant(),
            nullable=True,
            comment="no drain is of use before; null: nothing waits",
        ),
        sa.Column(
            "low_next_at",
            gateway.ledger.schema.Instant(),
            nullable=True,
            comment="when the even schedule has the next place for standard and bulk",
        ),
        sa.Column(
            "revenue_next_at",
            gateway.ledger.schema.Instant(),
            nullable=True,
            comment="the same for revenue, which may run ahead by a burst",
        ),
        sa.Column(
            "all_next_at",
            gateway.ledger.schema.Instant(),
            nullable=True,
            comment="the same for all requests: standard and bulk leave room for the others",
        ),
        sa.Column(
            "failures_run", sa.Integer(), server_default="0", nullable=False, comment="failures since the last success"
        ),
        sa.Column("limit_learned", sa.Integer(), nullable=True, comment="requests a minute by Lumail's own header"),
        sa.Column("remaining_learned", sa.Integer(), nullable=True, comment="what Lumail had left at learned_at"),
        sa.Column(
            "reset_learned",
            gateway.ledger.schema.Instant(),
            nullable=True,
            comment="when its count is over, as far as it said so credibly",
        ),
        sa.Column("learned_at", gateway.ledger.schema.Instant(), nullable=True),
        sa.Column(
            "asked_in_vain",
            sa.Integer(),
            server_default="0",
            nullable=False,
            comment="requests since it first had nothing left",
        ),
        sa.Column(
            "clock_offset_ms", sa.BigInteger(), nullable=True, comment="how far Lumail's clock is ahead of the ledger's"
        ),
        sa.Column(
            "read_lag_ms",
            sa.BigInteger(),
            nullable=True,
            comment="the longest time seen until a recorded event could be read back",
        ),
        sa.Column("echo", sa.Boolean(), nullable=True, comment="whether Lumail stores extra keys; null: not seen yet"),
        sa.Column(
            "takes_delayed",
            sa.Boolean(),
            nullable=True,
            comment="whether it takes EMAIL_DELIVERY_DELAYED; null: not tried",
        ),
        sa.Column(
            "unknown_answered",
            sa.Integer(),
            nullable=True,
            comment="the status that an unknown subscriber's event gets; null: not tried",
        ),
        sa.Column(
            "reset_moves",
            sa.Boolean(),
            nullable=True,
            comment="whether the end that its headers name goes on with time; null: not seen",
        ),
        sa.Column(
            "probed_at", gateway.ledger.schema.Instant(), nullable=True, comment="when somebody had all that tried"
        ),
        sa.PrimaryKeyConstraint("name", name=op.f("destinations_pk")),
    )
    op.create_table(
        "edits",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("event", sa.String(length=40), nullable=False),
        sa.Column("at", gateway.ledger.schema.Instant(), nullable=False),
        sa.Column("who", sa.String(length=200), nullable=False),
        sa.Column("before", gateway.ledger.schema.Json(), nullable=False, comment="subscriber and data as they were"),
        sa.Column("after", gateway.ledger.schema.Json(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("edits_pk")),
    )
    op.create_index("edits_of_event", "edits", ["event"], unique=False)
    op.create_table(
        "events",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("webhook", sa.String(length=40), nullable=False),
        sa.Column("source", sa.String(length=100), nullable=False),
        sa.Column("destination", sa.String(length=100), nullable=False),
        sa.Column("type", sa.String(length=40), nullable=False),
        sa.Column("subscriber", sa.Text(), nullable=True, comment="null while only memory can tell it"),
        sa.Column("data", sa.Text(), nullable=False, comment="JSON as it is sent; frozen by the first posting attempt"),
        sa.Column("occurred_at", gateway.ledger.schema.Instant(), nullable=False),
        sa.Column("lane", sa.SmallInteger(), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column(
            "reason", sa.String(length=40), nullable=True, comment="the code: why in doubt, held, failed or dropped"
        ),
        sa.Column("reason_detail", sa.Text(), nullable=True, comment="the number that the words of the reason name"),
        sa.Column(
            "former_reason",
            sa.String(length=40),
            nullable=True,
            comment="the code of the reason before, of an event that expired or was held too long",
        ),
        sa.Column("due_at", gateway.ledger.schema.Instant(), nullable=False),
        sa.Column("tries", sa.Integer(), server_default="0", nullable=False),
        sa.Column("first_attempt_at", gateway.ledger.schema.Instant(), nullable=True),
        sa.Column(
            "clock_offset_ms",
            sa.BigInteger(),
            nullable=True,
            comment="how far Lumail's clock was ahead at the first attempt",
        ),
        sa.Column("attempt", sa.String(length=40), nullable=True, comment="the newest attempt to post it"),
        sa.Column(
            "step",
            sa.String(length=10),
            server_default="post",
            nullable=False,
            comment="the next request: post, ask or create",
        ),
        sa.Column(
            "unconfirmed_at",
            gateway.ledger.schema.Instant(),
            nullable=True,
            comment="by when the doubtful attempt was surely over",
        ),
        sa.Column(
            "reads", sa.Integer(), server_default="0", nullable=False, comment="complete reads that did not find it"
        ),
        sa.Column("read_cursor", sa.Text(), nullable=True, comment="where a read of several pages goes on"),
        sa.Column(
            "candidates",
            gateway.ledger.schema.Json(),
            nullable=True,
            comment="records at Lumail that may be it: only a person can tell",
        ),
        sa.Column("found_by_read", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("group", sa.String(length=40), nullable=False),
        sa.Column("detail_rank", sa.Integer(), server_default="0", nullable=False),
        sa.Column("held_at", gateway.ledger.schema.Instant(), nullable=True, comment="since when it is held"),
        sa.Column(
            "edited_at",
            gateway.ledger.schema.Instant(),
            nullable=True,
            comment="since when it is what a person wrote; what was before is in edits",
        ),
        sa.Column(
            "expires_at",
            gateway.ledger.schema.Instant(),
            nullable=True,
            comment="from when on it is worth nothing; null: never",
        ),
        sa.Column("waits_for", sa.Text(), nullable=True, comment="the memory key whose e-mail releases a held event"),
        sa.Column(
            "named_by", sa.Text(), nullable=True, comment="the memory key that may teach a better name of the product"
        ),
        sa.Column(
            "balance",
            sa.String(length=20),
            nullable=True,
            comment="of its sale's sums: paid, or the charge or order that a refund takes from",
        ),
        sa.Column(
            "provider_object", sa.String(length=20), nullable=True, comment="of the book: the object that told it"
        ),
        sa.Column(
            "amount",
            sa.Text(),
            nullable=True,
            comment="what it counts in its book, exactly; an edit of what is sent does not change it",
        ),
        sa.Column("currency", sa.String(length=3), nullable=True, comment="of `amount`"),
        sa.Column("after", sa.String(length=40), nullable=True, comment="the payment that has to be delivered first"),
        sa.Column(
            "release_at",
            gateway.ledger.schema.Instant(),
            nullable=True,
            comment="when a held event leaves if what it waits for did not come",
        ),
        sa.Column("lumail_event_id", sa.Text(), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("created_at", gateway.ledger.schema.Instant(), nullable=False),
        sa.Column(
            "settled_at",
            gateway.ledger.schema.Instant(),
            nullable=True,
            comment="when it was delivered, failed or dropped",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("events_pk")),
    )
    op.create_index(
        "events_bulk",
        "events",
        ["destination", "due_at", "id"],
        unique=False,
        sqlite_where=sa.text("status = 'waiting' AND lane = 3"),
        postgresql_where=sa.text("status = 'waiting' AND lane = 3"),
    )
    op.create_index("events_by_status", "events", ["destination", "status", "lane", "created_at"], unique=False)
    op.create_index("events_by_time", "events", ["created_at", "id"], unique=False)
    op.create_index(
        "events_expiring",
        "events",
        ["destination", "expires_at"],
        unique=False,
        sqlite_where=sa.text("status = 'waiting' AND expires_at IS NOT NULL"),
        postgresql_where=sa.text("status = 'waiting' AND expires_at IS NOT NULL"),
    )
    op.create_index(
        "events_following",
        "events",
        ["after"],
        unique=False,
        sqlite_where=sa.text("status = 'held' AND after IS NOT NULL"),
        postgresql_where=sa.text("status = 'held' AND after IS NOT NULL"),
    )
    op.create_index(
        "events_held",
        "events",
        ["destination", "held_at"],
        unique=False,
        sqlite_where=sa.text("status = 'held'"),
        postgresql_where=sa.text("status = 'held'"),
    )
    op.create_index("events_lumail", "events", ["destination", "lumail_event_id"], unique=True)
    op.create_index(
        "events_named_later",
        "events",
        ["destination", "named_by"],
        unique=False,
        sqlite_where=sa.text("status IN ('waiting', 'held') AND named_by IS NOT NULL"),
        postgresql_where=sa.text("status IN ('waiting', 'held') AND named_by IS NOT NULL"),
    )
    op.create_index("events_of_group", "events", ["group"], unique=False)
    op.create_index("events_of_source", "events", ["source", "created_at"], unique=False)
    op.create_index(
        "events_of_subscriber",
        "events",
        ["destination", "subscriber", "status", "lane", "occurred_at", "id"],
        unique=False,
    )
    op.create_index("events_of_webhook", "events", ["webhook"], unique=False)
    op.create_index(
        "events_releasing",
        "events",
        ["destination", "release_at"],
        unique=False,
        sqlite_where=sa.text("status = 'held' AND release_at IS NOT NULL"),
        postgresql_where=sa.text("status = 'held' AND release_at IS NOT NULL"),
    )
    op.create_index(
        "events_settled",
        "events",
        ["settled_at"],
        unique=False,
        sqlite_where=sa.text("settled_at IS NOT NULL"),
        postgresql_where=sa.text("settled_at IS NOT NULL"),
    )
    op.create_index(
        "events_undecided",
        "events",
        ["reason", "destination", "held_at"],
        unique=False,
        sqlite_where=sa.text("status = 'held' AND reason = 'answer_lost'"),
        postgresql_where=sa.text("status = 'held' AND reason = 'answer_lost'"),
    )
    op.create_index(
        "events_unknown",
        "events",
        ["destination", "due_at"],
        unique=False,
        sqlite_where=sa.text("status = 'unknown'"),
        postgresql_where=sa.text("status = 'unknown'"),
    )
    op.create_index(
        "events_waiting_for_memory",
        "events",
        ["destination", "waits_for"],
        unique=False,
        sqlite_where=sa.text("waits_for IS NOT NULL"),
        postgresql_where=sa.text("waits_for IS NOT NULL"),
    )
    op.create_index(
        "events_with_reason",
        "events",
        ["created_at"],
        unique=False,
        sqlite_where=sa.text("last_error IS NOT NULL OR reason IS NOT NULL"),
        postgresql_where=sa.text("last_error IS NOT NULL OR reason IS NOT NULL"),
    )
    op.create_table(
        "groups",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("destination", sa.String(length=100), nullable=False),
        sa.Column(
            "truth", gateway.ledger.schema.Json(), nullable=True, comment="what is true of the sale's money, in sums"
        ),
        sa.Column(
            "emitted",
            gateway.ledger.schema.Json(),
            nullable=True,
            comment="by book: what removed events told Lumail (kept), and the excess that was shown",
        ),
        sa.Column(
            "heard_at",
            gateway.ledger.schema.Instant(),
            nullable=True,
            comment="since when a payment is told, but by no telling that makes one",
        ),
        sa.Column("incident", sa.Text(), nullable=True, comment="what only a person can put right"),
        sa.Column(
            "closed",
            sa.String(length=10),
            nullable=True,
            comment="why nothing of it is told any more: told (its events are purged) or erased",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("groups_pk")),
    )
    op.create_index(
        "groups_heard",
        "groups",
        ["heard_at"],
        unique=False,
        sqlite_where=sa.text("heard_at IS NOT NULL"),
        postgresql_where=sa.text("heard_at IS NOT NULL"),
    )
    op.create_index(
        "groups_with_incident",
        "groups",
        ["destination"],
        unique=False,
        sqlite_where=sa.text("incident IS NOT NULL"),
        postgresql_where=sa.text("incident IS NOT NULL"),
    )
    op.create_table(
        "heartbeats",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("role", sa.String(length=20), nullable=False, comment="web or worker"),
        sa.Column("host", sa.String(length=200), nullable=False),
        sa.Column("pid", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.String(length=40), nullable=False, comment="of the gateway"),
        sa.Column(
            "schema_version", sa.String(length=40), nullable=False, comment="of the ledger, that this version makes"
        ),
        sa.Column("since", gateway.ledger.schema.Instant(), nullable=False, comment="when it began"),
        sa.Column("seen", gateway.ledger.schema.Instant(), nullable=False, comment="when it last said so"),
        sa.Column(
            "ended_at",
            gateway.ledger.schema.Instant(),
            nullable=True,
            comment="when it ended in order; null: it runs, or was killed",
        ),
        sa.Column(
            "clock_offset_ms",
            sa.BigInteger(),
            nullable=False,
            comment="how far its machine's clock is ahead of the ledger's",
        ),
        sa.Column(
            "disk_free", sa.BigInteger(), nullable=True, comment="bytes that are free where its data folder lies"
        ),
        sa.Column(
            "redis", sa.String(length=20), nullable=True, comment="the code of what is wrong with Redis; null: nothing"
        ),
        sa.Column("redis_since", gateway.ledger.schema.Instant(), nullable=True, comment="since when that is so"),
        sa.PrimaryKeyConstraint("id", name=op.f("heartbeats_pk")),
        comment="the processes of the gateway, on whatever machine",
    )
    op.create_table(
        "job_items",
        sa.Column("job", sa.String(length=40), nullable=False),
        sa.Column("subject", sa.String(length=40), nullable=False, comment="the event or webhook"),
        sa.Column("at", gateway.ledger.schema.Instant(), nullable=False),
        sa.Column(
            "before", gateway.ledger.schema.Json(), nullable=False, comment="the columns that it changed, as they were"
        ),
        sa.Column("outcome", sa.String(length=20), nullable=True, comment="null: released and not settled yet"),
        sa.Column("explanation", sa.Text(), nullable=True, comment="why"),
        sa.PrimaryKeyConstraint("job", "subject", name=op.f("job_items_pk")),
    )
    op.create_index("job_items_of_subject", "job_items", ["subject"], unique=False)
    op.create_index(
        "job_items_open",
        "job_items",
        ["job"],
        unique=False,
        sqlite_where=sa.text("outcome IS NULL"),
        postgresql_where=sa.text("outcome IS NULL"),
    )
    op.create_table(
        "jobs",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("request", gateway.ledger.schema.Json(), nullable=False),
        sa.Column("cursor", sa.Text(), nullable=True),
        sa.Column("done", sa.Integer(), server_default="0", nullable=False),
        sa.Column("total", sa.Integer(), nullable=True),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("made_by", sa.String(length=100), nullable=True),
        sa.Column("made_at", gateway.ledger.schema.Instant(), nullable=False),
        sa.Column("ended_at", gateway.ledger.schema.Instant(), nullable=True),
        sa.Column(
            "destination", sa.String(length=100), nullable=True, comment="whose writer lock the steps of bulk work take"
        ),
        sa.Column(
            "looked_through",
            sa.Boolean(),
            server_default=sa.false(),
            nullable=False,
            comment="nothing is left behind cursor",
        ),
        sa.Column(
            "counts", gateway.ledger.schema.Json(), nullable=True, comment="items by their outcome, and new events"
        ),
        sa.Column(
            "slots_until",
            gateway.ledger.schema.Instant(),
            nullable=True,
            comment="until when its share of the budget is given out",
        ),
        sa.Column("next_at", gateway.ledger.schema.Instant(), nullable=True, comment="no step is of use before"),
        sa.Column("error", sa.Text(), nullable=True, comment="why the newest step failed; null: it did not"),
        sa.Column(
            "generation",
            sa.Integer(),
            server_default="1",
            nullable=False,
            comment="who is older leaves it to newer workers",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("jobs_pk")),
    )
    op.create_index("jobs_by_time", "jobs", ["made_at", "id"], unique=False)
    op.create_index(
        "jobs_running",
        "jobs",
        ["next_at"],
        unique=False,
        sqlite_where=sa.text("status = 'running'"),
        postgresql_where=sa.text("status = 'running'"),
    )
    op.create_table(
        "keys",
        sa.Column("destination", sa.String(length=100), nullable=False),
        sa.Column("key", sa.String(length=500), nullable=False),
        sa.Column("group", sa.String(length=40), nullable=False),
        sa.PrimaryKeyConstraint("destination", "key", name=op.f("keys_pk")),
        sqlite_with_rowid=False,
    )
    op.create_index("keys_of_group", "keys", ["group"], unique=False)
    op.create_table(
        "gauges",
        sa.Column("destination", sa.String(length=100), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("lane", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("destination", "status", "lane", name=op.f("gauges_pk")),
        comment="how many events stood where when they were last counted",
    )
    op.create_table(
        "lines",
        sa.Column("destination", sa.String(length=100), nullable=False),
        sa.Column("lane", sa.SmallInteger(), nullable=False),
        sa.Column("subscriber", sa.Text(), nullable=False),
        sa.Column("head", sa.String(length=40), nullable=True, comment="the event that leaves next"),
        sa.Column("head_occurred_at", gateway.ledger.schema.Instant(), nullable=True),
        sa.Column(
            "due_at",
            gateway.ledger.schema.Instant(),
            nullable=True,
            comment="when the head is due; null while the line is closed",
        ),
        sa.PrimaryKeyConstraint("destination", "lane", "subscriber", name=op.f("lines_pk")),
    )
    op.create_index("lines_due", "lines", ["destination", "lane", "due_at"], unique=False)
    op.create_table(
        "marks",
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("marks_pk")),
        comment="by which the ledger knows that it is still the one that it was, and on the machine that it was on",
    )
    op.create_table(
        "memory",
        sa.Column("destination", sa.String(length=100), nullable=False),
        sa.Column("key", sa.String(length=500), nullable=False),
        sa.Column("values", gateway.ledger.schema.Json(), nullable=False),
        sa.Column("at", gateway.ledger.schema.Instant(), nullable=False, comment="when the newest of it was said"),
        sa.PrimaryKeyConstraint("destination", "key", name=op.f("memory_pk")),
        sqlite_with_rowid=False,
    )
    op.create_index("memory_by_time", "memory", ["at"], unique=False)
    op.create_table(
        "pauses",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("scope", sa.String(length=20), nullable=False, comment="destination, lane or source"),
        sa.Column("destination", sa.String(length=100), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False, comment="of the destination, lane or source"),
        sa.Column("kind", sa.String(length=40), nullable=False, comment="the code of why"),
        sa.Column(
            "details", gateway.ledger.schema.Json(), nullable=False, comment="what the words of this kind name, by name"
        ),
        sa.Column(
            "probe",
            sa.String(length=20),
            nullable=True,
            comment="the request that tells whether it is over: get or post; null: its end does",
        ),
        sa.Column("tries", sa.Integer(), server_default="0", nullable=False, comment="probes that failed"),
        sa.Column("made_at", gateway.ledger.schema.Instant(), nullable=False),
        sa.Column("until", gateway.ledger.schema.Instant(), nullable=True, comment="null: until somebody resumes"),
        sa.Column("ended_at", gateway.ledger.schema.Instant(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pauses_pk")),
    )
    op.create_index(
        "pauses_open",
        "pauses",
        ["destination"],
        unique=False,
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_table(
        "refusals",
        sa.Column("event", sa.String(length=40), nullable=False),
        sa.Column("destination", sa.String(length=100), nullable=False),
        sa.Column(
            "found", sa.Boolean(), nullable=False, comment="whether Lumail was asked for its subscriber, and has it"
        ),
        sa.Column(
            "asked_at",
            gateway.ledger.schema.Instant(),
            nullable=True,
            comment="when it was asked for the subscriber on behalf of the run",
        ),
        sa.Column("pause", sa.String(length=40), nullable=True, comment="that the run began; null: it goes on"),
        sa.Column(
            "job",
            sa.String(length=40),
            nullable=True,
            comment="by which the event is sent again, now that the pause is over",
        ),
        sa.PrimaryKeyConstraint("event", name=op.f("refusals_pk")),
    )
    op.create_index(
        "refusals_in_run",
        "refusals",
        ["destination"],
        unique=False,
        sqlite_where=sa.text("pause IS NULL"),
        postgresql_where=sa.text("pause IS NULL"),
    )
    op.create_index("refusals_of_pause", "refusals", ["pause"], unique=False)
    op.create_table(
        "rejections",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("source", sa.String(length=100), nullable=True, comment="null: no such source"),
        sa.Column("path", sa.String(length=200), nullable=True),
        sa.Column("cause", sa.String(length=40), nullable=False),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("at", gateway.ledger.schema.Instant(), nullable=False),
        sa.Column(
            "proven_at",
            gateway.ledger.schema.Instant(),
            nullable=True,
            comment="when its source was proven again by a webhook that is kept already",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("rejections_pk")),
    )
    op.create_index("rejections_of_source", "rejections", ["source", "at"], unique=False)
    op.create_table(
        "repeats",
        sa.Column("webhook", sa.String(length=40), nullable=False),
        sa.Column("group", sa.String(length=40), nullable=False),
        sa.PrimaryKeyConstraint("webhook", "group", name=op.f("repeats_pk")),
        comment="webhooks that told of a fact without making an event of it",
    )
    op.create_index("repeats_of_group", "repeats", ["group"], unique=False)
    op.create_table(
        "sessions",
        sa.Column(
            "token_hash", sa.String(length=64), nullable=False, comment="of what the browser shows; it is nowhere else"
        ),
        sa.Column("user", sa.String(length=40), nullable=False),
        sa.Column("made_at", gateway.ledger.schema.Instant(), nullable=False),
        sa.Column(
            "seen_at",
            gateway.ledger.schema.Instant(),
            nullable=False,
            comment="when a person last asked for something, to the minute",
        ),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("sessions_pk")),
    )
    op.create_index("sessions_by_time", "sessions", ["made_at"], unique=False)
    op.create_index("sessions_of_user", "sessions", ["user"], unique=False)
    op.create_table(
        "dismissals",
        sa.Column("kind", sa.String(length=20), nullable=False, comment="webhook, path or incident"),
        sa.Column(
            "subject",
            sa.String(length=200),
            nullable=False,
            comment="the webhook, the unknown path, or the fact's group",
        ),
        sa.Column("what", sa.Text(), nullable=True, comment="an incident's words then: others are shown again"),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("who", sa.String(length=200), nullable=False),
        sa.Column("at", gateway.ledger.schema.Instant(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "subject", name=op.f("dismissals_pk")),
        comment="what a person has looked at, and what needs nobody any more",
    )
    op.create_table(
        "shapes",
        sa.Column("adapter", sa.String(length=100), nullable=False),
        sa.Column("type", sa.String(length=80), nullable=False, comment="of the source event, in the provider's words"),
        sa.Column(
            "shape", sa.String(length=16), nullable=False, comment="fingerprint of the paths; empty: a type not known"
        ),
        sa.Column(
            "paths", gateway.ledger.schema.Json(), nullable=False, comment="keys and kinds of the payload, no values"
        ),
        sa.Column("webhook", sa.String(length=40), nullable=False, comment="the newest that held one"),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("first_at", gateway.ledger.schema.Instant(), nullable=False),
        sa.Column("last_at", gateway.ledger.schema.Instant(), nullable=False),
        sa.PrimaryKeyConstraint("adapter", "type", "shape", name=op.f("shapes_pk")),
    )
    op.create_table(
        "sign_in_tries",
        sa.Column(
            "subject",
            sa.String(length=80),
            nullable=False,
            comment="whose: a name, an address, or both, as a fingerprint",
        ),
        sa.Column("failed", sa.Integer(), nullable=False, comment="tries that failed or are under way"),
        sa.Column("until", gateway.ledger.schema.Instant(), nullable=False, comment="when they are forgotten"),
        sa.PrimaryKeyConstraint("subject", name=op.f("sign_in_tries_pk")),
    )
    op.create_index("sign_in_tries_by_time", "sign_in_tries", ["until"], unique=False)
    op.create_table(
        "unknown_subscribers",
        sa.Column("destination", sa.String(length=100), nullable=False),
        sa.Column("subscriber", sa.Text(), nullable=False),
        sa.Column(
            "since",
            gateway.ledger.schema.Instant(),
            nullable=False,
            comment="when Lumail first did not know the subscriber",
        ),
        sa.Column("times_asked", sa.Integer(), nullable=False, comment="how often it was asked again"),
        sa.Column(
            "ask_at",
            gateway.ledger.schema.Instant(),
            nullable=True,
            comment="when it is asked next; null: Lumail knows the subscriber by now",
        ),
        sa.PrimaryKeyConstraint("destination", "subscriber", name=op.f("unknown_subscribers_pk")),
    )
    op.create_index("unknown_subscribers_to_ask", "unknown_subscribers", ["destination", "ask_at"], unique=False)
    op.create_table(
        "counters",
        sa.Column("minutes", sa.SmallInteger(), autoincrement=False, nullable=False, comment="how long it is: 1 or 60"),
        sa.Column("at", gateway.ledger.schema.Instant(), nullable=False, comment="when the minute or the hour began"),
        sa.Column(
            "measure", sa.String(length=20), nullable=False, comment="received, rejected, settled or unavailable"
        ),
        sa.Column(
            "name", sa.String(length=100), nullable=False, comment="of the source or destination; empty: no such source"
        ),
        sa.Column("word", sa.String(length=40), nullable=False, comment="outcome, cause or status"),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("minutes", "at", "measure", "name", "word", name=op.f("counters_pk")),
        comment="how much came and went, for charts",
    )
    op.create_table(
        "single_uses",
        sa.Column("secret", sa.String(length=64), nullable=False, comment="fingerprint of the secret that fitted"),
        sa.Column(
            "token", sa.String(length=64), nullable=False, comment="hash of what was signed in the place of the body"
        ),
        sa.Column(
            "event", sa.String(length=64), nullable=False, comment="hash of the provider's name for the one event"
        ),
        sa.Column("destination", sa.String(length=100), nullable=False, comment="where it was told first"),
        sa.Column("at", gateway.ledger.schema.Instant(), nullable=False),
        sa.PrimaryKeyConstraint("token", "secret", name=op.f("single_uses_pk")),
        comment="signatures that do not cover the body, each good for one event",
    )
    op.create_index("single_uses_by_time", "single_uses", ["destination", "at"], unique=False)
    op.create_table(
        "tombstones",
        sa.Column("destination", sa.String(length=100), nullable=False),
        sa.Column(
            "name", sa.String(length=64), nullable=False, comment="keyed hash of an e-mail address or a memory key"
        ),
        sa.Column(
            "at",
            gateway.ledger.schema.Instant(),
            nullable=False,
            comment="what happened until then is not told any more",
        ),
        sa.PrimaryKeyConstraint("destination", "name", name=op.f("tombstones_pk")),
        comment="people who were erased",
    )
    op.create_table(
        "users",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column("role", sa.String(length=20), nullable=False),
        sa.Column("made_at", gateway.ledger.schema.Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("users_pk")),
        sa.UniqueConstraint("name", name=op.f("users_name_key")),
    )
    op.create_table(
        "webhooks",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("source", sa.String(length=100), nullable=False),
        sa.Column("adapter", sa.String(length=100), nullable=False),
        sa.Column("destination", sa.String(length=100), nullable=False),
        sa.Column(
            "delivery_id", sa.Text(), nullable=True, comment="the provider's id of the request, where it has one"
        ),
        sa.Column("received_at", gateway.ledger.schema.Instant(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column(
            "headers",
            gateway.ledger.schema.Json(),
            nullable=False,
            comment="credentials and signatures stand as fingerprints",
        ),
        sa.Column(
            "body",
            gateway.ledger.schema.Packed(),
            nullable=True,
            comment="exact bytes; null once retention removed them",
        ),
        sa.Column("secret", sa.String(length=64), nullable=True, comment="fingerprint of the secret that fitted"),
        sa.Column("outcome", sa.String(length=20), nullable=False),
        sa.Column("events_made", sa.Integer(), nullable=False),
        sa.Column("merged", sa.Integer(), nullable=False),
        sa.Column("taught", sa.Integer(), nullable=False),
        sa.Column("ignored", sa.Integer(), nullable=False),
        sa.Column("quarantined", sa.Integer(), nullable=False),
        sa.Column(
            "notes",
            gateway.ledger.schema.Json(),
            nullable=False,
            comment="per source event not translated: position, type, word, reason",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("webhooks_pk")),
    )
    op.create_index("webhooks_by_source", "webhooks", ["source", "received_at"], unique=False)
    op.create_index("webhooks_by_time", "webhooks", ["received_at", "id"], unique=False)
    op.create_index("webhooks_delivery", "webhooks", ["delivery_id", "source"], unique=True)
    op.create_index(
        "webhooks_in_quarantine",
        "webhooks",
        ["source", "received_at"],
        unique=False,
        sqlite_where=sa.text("quarantined > 0"),
        postgresql_where=sa.text("quarantined > 0"),
    )
    op.create_index(
        "webhooks_quarantined",
        "webhooks",
        ["received_at"],
        unique=False,
        sqlite_where=sa.text("quarantined > 0"),
        postgresql_where=sa.text("quarantined > 0"),
    )
    # ### end Alembic commands ###


def downgrade() -> None:
    op.drop_index(
        "webhooks_quarantined",
        table_name="webhooks",
        sqlite_where=sa.text("quarantined > 0"),
        postgresql_where=sa.text("quarantined > 0"),
    )
    op.drop_index(
        "webhooks_in_quarantine",
        table_name="webhooks",
        sqlite_where=sa.text("quarantined > 0"),
        postgresql_where=sa.text("quarantined > 0"),
    )
    op.drop_index("webhooks_delivery", table_name="webhooks")
    op.drop_index("webhooks_by_time", table_name="webhooks")
    op.drop_index("webhooks_by_source", table_name="webhooks")
    op.drop_table("webhooks")
    op.drop_table("users")
    op.drop_table("tombstones")
    op.drop_table("counters")
    op.drop_index("unknown_subscribers_to_ask", table_name="unknown_subscribers")
    op.drop_table("unknown_subscribers")
    op.drop_index("sign_in_tries_by_time", table_name="sign_in_tries")
    op.drop_index("single_uses_by_time", table_name="single_uses")
    op.drop_table("single_uses")
    op.drop_table("sign_in_tries")
    op.drop_table("shapes")
    op.drop_table("dismissals")
    op.drop_index("sessions_of_user", table_name="sessions")
    op.drop_index("sessions_by_time", table_name="sessions")
    op.drop_table("sessions")
    op.drop_index("repeats_of_group", table_name="repeats")
    op.drop_table("repeats")
    op.drop_index("rejections_of_source", table_name="rejections")
    op.drop_table("rejections")
    op.drop_index("refusals_of_pause", table_name="refusals")
    op.drop_index(
        "refusals_in_run",
        table_name="refusals",
        sqlite_where=sa.text("pause IS NULL"),
        postgresql_where=sa.text("pause IS NULL"),
    )
    op.drop_table("refusals")
    op.drop_index(
        "pauses_open",
        table_name="pauses",
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.drop_table("pauses")
    op.drop_index("memory_by_time", table_name="memory")
    op.drop_table("memory")
    op.drop_table("marks")
    op.drop_index("lines_due", table_name="lines")
    op.drop_table("lines")
    op.drop_table("gauges")
    op.drop_index("keys_of_group", table_name="keys")
    op.drop_table("keys")
    op.drop_index(
        "jobs_running",
        table_name="jobs",
        sqlite_where=sa.text("status = 'running'"),
        postgresql_where=sa.text("status = 'running'"),
    )
    op.drop_index("jobs_by_time", table_name="jobs")
    op.drop_table("jobs")
    op.drop_index(
        "job_items_open",
        table_name="job_items",
        sqlite_where=sa.text("outcome IS NULL"),
        postgresql_where=sa.text("outcome IS NULL"),
    )
    op.drop_index("job_items_of_subject", table_name="job_items")
    op.drop_table("job_items")
    op.drop_table("heartbeats")
    op.drop_index(
        "groups_with_incident",
        table_name="groups",
        sqlite_where=sa.text("incident IS NOT NULL"),
        postgresql_where=sa.text("incident IS NOT NULL"),
    )
    op.drop_index(
        "groups_heard",
        table_name="groups",
        sqlite_where=sa.text("heard_at IS NOT NULL"),
        postgresql_where=sa.text("heard_at IS NOT NULL"),
    )
    op.drop_table("groups")
    op.drop_index(
        "events_with_reason",
        table_name="events",
        sqlite_where=sa.text("last_error IS NOT NULL OR reason IS NOT NULL"),
        postgresql_where=sa.text("last_error IS NOT NULL OR reason IS NOT NULL"),
    )
    op.drop_index(
        "events_waiting_for_memory",
        table_name="events",
        sqlite_where=sa.text("waits_for IS NOT NULL"),
        postgresql_where=sa.text("waits_for IS NOT NULL"),
    )
    op.drop_index(
        "events_unknown",
        table_name="events",
        sqlite_where=sa.text("status = 'unknown'"),
        postgresql_where=sa.text("status = 'unknown'"),
    )
    op.drop_index(
        "events_undecided",
        table_name="events",
        sqlite_where=sa.text("status = 'held' AND reason = 'answer_lost'"),
        postgresql_where=sa.text("status = 'held' AND reason = 'answer_lost'"),
    )
    op.drop_index(
        "events_settled",
        table_name="events",
        sqlite_where=sa.text("settled_at IS NOT NULL"),
        postgresql_where=sa.text("settled_at IS NOT NULL"),
    )
    op.drop_index(
        "events_releasing",
        table_name="events",
        sqlite_where=sa.text("status = 'held' AND release_at IS NOT NULL"),
        postgresql_where=sa.text("status = 'held' AND release_at IS NOT NULL"),
    )
    op.drop_index("events_of_webhook", table_name="events")
    op.drop_index("events_of_subscriber", table_name="events")
    op.drop_index("events_of_source", table_name="events")
    op.drop_index("events_of_group", table_name="events")
    op.drop_index(
        "events_named_later",
        table_name="events",
        sqlite_where=sa.text("status IN ('waiting', 'held') AND named_by IS NOT NULL"),
        postgresql_where=sa.text("status IN ('waiting', 'held') AND named_by IS NOT NULL"),
    )
    op.drop_index("events_lumail", table_name="events")
    op.drop_index(
        "events_held",
        table_name="events",
        sqlite_where=sa.text("status = 'held'"),
        postgresql_where=sa.text("status = 'held'"),
    )
    op.drop_index(
        "events_following",
        table_name="events",
        sqlite_where=sa.text("status = 'held' AND after IS NOT NULL"),
        postgresql_where=sa.text("status = 'held' AND after IS NOT NULL"),
    )
    op.drop_index(
        "events_expiring",
        table_name="events",
        sqlite_where=sa.text("status = 'waiting' AND expires_at IS NOT NULL"),
        postgresql_where=sa.text("status = 'waiting' AND expires_at IS NOT NULL"),
    )
    op.drop_index("events_by_time", table_name="events")
    op.drop_index("events_by_status", table_name="events")
    op.drop_index(
        "events_bulk",
        table_name="events",
        sqlite_where=sa.text("status = 'waiting' AND lane = 3"),
        postgresql_where=sa.text("status = 'waiting' AND lane = 3"),
    )
    op.drop_table("events")
    op.drop_index("edits_of_event", table_name="edits")
    op.drop_table("edits")
    op.drop_table("destinations")
    op.drop_table("currencies")
    op.drop_table("counted")
    op.drop_index("audit_of_subject", table_name="audit")
    op.drop_index("audit_by_time", table_name="audit")
    op.drop_table("audit")
    op.drop_index(
        "attempts_open",
        table_name="attempts",
        sqlite_where=sa.text("outcome IS NULL"),
        postgresql_where=sa.text("outcome IS NULL"),
    )
    op.drop_index("attempts_of_event", table_name="attempts")
    op.drop_index("attempts_in_plan", table_name="attempts")
    op.drop_table("attempts")
    # ### end Alembic commands ###
