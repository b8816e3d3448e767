"""The first tables."""

import sqlalchemy as sa
from alembic import op

import gateway.ledger.schema

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:

    op.create_table(
        "api_tokens",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("user", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("made_at", gateway.ledger.schema.Instant(), nullable=False),
        sa.Column("used_at", gateway.ledger.schema.Instant(), nullable=True),
        sa.Column("ended_at", gateway.ledger.schema.Instant(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("api_tokens_pk")),
        sa.UniqueConstraint("token_hash", name=op.f("api_tokens_token_hash_key")),
    )
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
    with op.batch_alter_table("attempts", schema=None) as batch_op:
        batch_op.create_index("attempts_in_plan", ["destination", "place_until"], unique=False)
        batch_op.create_index("attempts_of_event", ["event"], unique=False)
        batch_op.create_index(
            "attempts_open",
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
    with op.batch_alter_table("audit", schema=None) as batch_op:
        batch_op.create_index("audit_by_time", ["at", "id"], unique=False)

    op.create_table(
        "destinations",
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column(
            "fingerprint",
            sa.String(length=64),
            nullable=True,
            comment="of base URL and token; a change is noticed at start",
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
        sa.Column(
            "remaining_learned",
            sa.Integer(),
            nullable=True,
            comment="what Lumail had left at learned_at, until reset_learned",
        ),
        sa.Column("reset_learned", gateway.ledger.schema.Instant(), nullable=True),
        sa.Column("learned_at", gateway.ledger.schema.Instant(), nullable=True),
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
        sa.PrimaryKeyConstraint("name", name=op.f("destinations_pk")),
    )
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
        sa.Column("reason", sa.Text(), nullable=True, comment="why held, failed or dropped"),
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
            "doubted_at",
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
        sa.Column("richness", sa.Integer(), server_default="0", nullable=False),
        sa.Column("waits_for", sa.Text(), nullable=True, comment="the memory key whose e-mail releases a held event"),
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
    with op.batch_alter_table("events", schema=None) as batch_op:
        batch_op.create_index(
            "events_bulk",
            ["destination", "due_at", "id"],
            unique=False,
            sqlite_where=sa.text("status = 'waiting' AND lane = 3"),
            postgresql_where=sa.text("status = 'waiting' AND lane = 3"),
        )
        batch_op.create_index("events_by_status", ["destination", "status", "lane"], unique=False)
        batch_op.create_index("events_by_time", ["created_at", "id"], unique=False)
        batch_op.create_index("events_lumail", ["destination", "lumail_event_id"], unique=True)
        batch_op.create_index("events_of_group", ["group"], unique=False)
        batch_op.create_index(
            "events_of_subscriber",
            ["destination", "subscriber", "status", "lane", "occurred_at", "id"],
            unique=False,
        )
        batch_op.create_index("events_of_webhook", ["webhook"], unique=False)
        batch_op.create_index(
            "events_unknown",
            ["destination", "due_at"],
            unique=False,
            sqlite_where=sa.text("status = 'unknown'"),
            postgresql_where=sa.text("status = 'unknown'"),
        )
        batch_op.create_index(
            "events_waiting_for_memory",
            ["destination", "waits_for"],
            unique=False,
            sqlite_where=sa.text("waits_for IS NOT NULL"),
            postgresql_where=sa.text("waits_for IS NOT NULL"),
        )

    op.create_table(
        "groups",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("destination", sa.String(length=100), nullable=False),
        sa.Column("truth", gateway.ledger.schema.Json(), nullable=True, comment="what is true of the fact, in sums"),
        sa.Column("emitted", gateway.ledger.schema.Json(), nullable=True, comment="what was told to Lumail, in sums"),
        sa.Column("incident", sa.Text(), nullable=True, comment="what only a person can put right"),
        sa.PrimaryKeyConstraint("id", name=op.f("groups_pk")),
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
        sa.PrimaryKeyConstraint("id", name=op.f("jobs_pk")),
    )
    op.create_table(
        "keys",
        sa.Column("destination", sa.String(length=100), nullable=False),
        sa.Column("key", sa.String(length=500), nullable=False),
        sa.Column("group", sa.String(length=40), nullable=False),
        sa.PrimaryKeyConstraint("destination", "key", name=op.f("keys_pk")),
    )
    with op.batch_alter_table("keys", schema=None) as batch_op:
        batch_op.create_index("keys_of_group", ["group"], unique=False)

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
    with op.batch_alter_table("lines", schema=None) as batch_op:
        batch_op.create_index("lines_due", ["destination", "lane", "due_at"], unique=False)

    op.create_table(
        "memory",
        sa.Column("destination", sa.String(length=100), nullable=False),
        sa.Column("key", sa.String(length=500), nullable=False),
        sa.Column("values", gateway.ledger.schema.Json(), nullable=False),
        sa.Column("at", gateway.ledger.schema.Instant(), nullable=False, comment="when the newest of it was said"),
        sa.PrimaryKeyConstraint("destination", "key", name=op.f("memory_pk")),
    )
    with op.batch_alter_table("memory", schema=None) as batch_op:
        batch_op.create_index("memory_by_time", ["at"], unique=False)

    op.create_table(
        "pauses",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("scope", sa.String(length=20), nullable=False, comment="destination, lane or source"),
        sa.Column("destination", sa.String(length=100), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False, comment="of the destination, lane or source"),
        sa.Column("reason", sa.Text(), nullable=False),
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
    with op.batch_alter_table("pauses", schema=None) as batch_op:
        batch_op.create_index(
            "pauses_open",
            ["destination"],
            unique=False,
            sqlite_where=sa.text("ended_at IS NULL"),
            postgresql_where=sa.text("ended_at IS NULL"),
        )

    op.create_table(
        "rejections",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("source", sa.String(length=100), nullable=True, comment="null: no such source"),
        sa.Column("path", sa.String(length=200), nullable=True),
        sa.Column("cause", sa.String(length=40), nullable=False),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("at", gateway.ledger.schema.Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("rejections_pk")),
    )
    with op.batch_alter_table("rejections", schema=None) as batch_op:
        batch_op.create_index("rejections_of_source", ["source", "at"], unique=False)

    op.create_table(
        "strangers",
        sa.Column("destination", sa.String(length=100), nullable=False),
        sa.Column("subscriber", sa.Text(), nullable=False),
        sa.Column(
            "since",
            gateway.ledger.schema.Instant(),
            nullable=False,
            comment="when Lumail first did not know the subscriber",
        ),
        sa.Column("asked", sa.Integer(), nullable=False, comment="how often it was asked again"),
        sa.Column(
            "ask_at",
            gateway.ledger.schema.Instant(),
            nullable=True,
            comment="when it is asked next; null: Lumail knows the subscriber by now",
        ),
        sa.PrimaryKeyConstraint("destination", "subscriber", name=op.f("strangers_pk")),
    )
    with op.batch_alter_table("strangers", schema=None) as batch_op:
        batch_op.create_index("strangers_to_ask", ["destination", "ask_at"], unique=False)

    op.create_table(
        "users",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column("role", sa.String(length=20), nullable=False),
        sa.Column("made_at", gateway.ledger.schema.Instant(), nullable=False),
        sa.Column("disabled_at", gateway.ledger.schema.Instant(), nullable=True),
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
        sa.Column("body", sa.LargeBinary(), nullable=True, comment="exact bytes; null once retention removed them"),
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
    with op.batch_alter_table("webhooks", schema=None) as batch_op:
        batch_op.create_index("webhooks_by_source", ["source", "received_at"], unique=False)
        batch_op.create_index("webhooks_by_time", ["received_at", "id"], unique=False)
        batch_op.create_index("webhooks_delivery", ["delivery_id", "source"], unique=True)
        batch_op.create_index(
            "webhooks_quarantined",
            ["received_at"],
            unique=False,
            sqlite_where=sa.text("quarantined > 0"),
            postgresql_where=sa.text("quarantined > 0"),
        )


def downgrade() -> None:

    with op.batch_alter_table("webhooks", schema=None) as batch_op:
        batch_op.drop_index(
            "webhooks_quarantined", sqlite_where=sa.text("quarantined > 0"), postgresql_where=sa.text("quarantined > 0")
        )
        batch_op.drop_index("webhooks_delivery")
        batch_op.drop_index("webhooks_by_time")
        batch_op.drop_index("webhooks_by_source")

    op.drop_table("webhooks")
    op.drop_table("users")
    with op.batch_alter_table("strangers", schema=None) as batch_op:
        batch_op.drop_index("strangers_to_ask")

    op.drop_table("strangers")
    with op.batch_alter_table("rejections", schema=None) as batch_op:
        batch_op.drop_index("rejections_of_source")

    op.drop_table("rejections")
    with op.batch_alter_table("pauses", schema=None) as batch_op:
        batch_op.drop_index(
            "pauses_open", sqlite_where=sa.text("ended_at IS NULL"), postgresql_where=sa.text("ended_at IS NULL")
        )

    op.drop_table("pauses")
    with op.batch_alter_table("memory", schema=None) as batch_op:
        batch_op.drop_index("memory_by_time")

    op.drop_table("memory")
    with op.batch_alter_table("lines", schema=None) as batch_op:
        batch_op.drop_index("lines_due")

    op.drop_table("lines")
    with op.batch_alter_table("keys", schema=None) as batch_op:
        batch_op.drop_index("keys_of_group")

    op.drop_table("keys")
    op.drop_table("jobs")
    op.drop_table("groups")
    with op.batch_alter_table("events", schema=None) as batch_op:
        batch_op.drop_index(
            "events_waiting_for_memory",
            sqlite_where=sa.text("waits_for IS NOT NULL"),
            postgresql_where=sa.text("waits_for IS NOT NULL"),
        )
        batch_op.drop_index(
            "events_unknown", sqlite_where=sa.text("status = 'unknown'"), postgresql_where=sa.text("status = 'unknown'")
        )
        batch_op.drop_index("events_of_webhook")
        batch_op.drop_index("events_of_subscriber")
        batch_op.drop_index("events_of_group")
        batch_op.drop_index("events_lumail")
        batch_op.drop_index("events_by_time")
        batch_op.drop_index("events_by_status")
        batch_op.drop_index(
            "events_bulk",
            sqlite_where=sa.text("status = 'waiting' AND lane = 3"),
            postgresql_where=sa.text("status = 'waiting' AND lane = 3"),
        )

    op.drop_table("events")
    op.drop_table("destinations")
    with op.batch_alter_table("audit", schema=None) as batch_op:
        batch_op.drop_index("audit_by_time")

    op.drop_table("audit")
    with op.batch_alter_table("attempts", schema=None) as batch_op:
        batch_op.drop_index(
            "attempts_open", sqlite_where=sa.text("outcome IS NULL"), postgresql_where=sa.text("outcome IS NULL")
        )
        batch_op.drop_index("attempts_of_event")
        batch_op.drop_index("attempts_in_plan")

    op.drop_table("attempts")
    op.drop_table("api_tokens")
