"""Counts of what came and went, and indexes by which long lists are filtered."""

import sqlalchemy as sa
from alembic import op

import gateway.ledger.schema

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_PARTIAL = (
    ("events_settled", "events", ["settled_at"], sa.text("settled_at IS NOT NULL")),
    ("events_with_reason", "events", ["created_at"], sa.text("last_error IS NOT NULL OR reason IS NOT NULL")),
    (
        "events_undecided",
        "events",
        ["destination", "held_at"],
        sa.text("status = 'held' AND reason = 'answer lost'"),
    ),
    ("webhooks_in_quarantine", "webhooks", ["source", "received_at"], sa.text("quarantined > 0")),
)


def upgrade() -> None:
    op.drop_index("events_by_status", table_name="events")
    op.create_index("events_by_status", "events", ["destination", "status", "lane", "created_at"])
    op.create_index("events_of_source", "events", ["source", "created_at"])
    for name, table, columns, where in _PARTIAL:
        op.create_index(name, table, columns, sqlite_where=where, postgresql_where=where)
    op.create_table(
        "tallies",
        sa.Column("minutes", sa.SmallInteger(), autoincrement=False, nullable=False, comment="how long it is: 1 or 60"),
        sa.Column("at", gateway.ledger.schema.Instant(), nullable=False, comment="when the minute or the hour began"),
        sa.Column("measure", sa.String(length=20), nullable=False, comment="received, rejected or settled"),
        sa.Column(
            "name",
            sa.String(length=100),
            nullable=False,
            comment="of the source or destination; empty: no such source",
        ),
        sa.Column("word", sa.String(length=40), nullable=False, comment="outcome, cause or status"),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("minutes", "at", "measure", "name", "word", name=op.f("tallies_pk")),
        comment="how much came and went, for charts",
    )
    op.create_table(
        "levels",
        sa.Column("destination", sa.String(length=100), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("lane", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("destination", "status", "lane", name=op.f("levels_pk")),
        comment="how many events were unsettled when they were last counted",
    )
    op.create_table(
        "counted",
        sa.Column("name", sa.String(length=20), nullable=False, comment="tallies or levels"),
        sa.Column("until", gateway.ledger.schema.Instant(), nullable=False, comment="what happened before is counted"),
        sa.PrimaryKeyConstraint("name", name=op.f("counted_pk")),
    )


def downgrade() -> None:
    for table in ("counted", "levels", "tallies"):
        op.drop_table(table)
    for name, table, _, _ in reversed(_PARTIAL):
        op.drop_index(name, table_name=table)
    op.drop_index("events_of_source", table_name="events")
    op.drop_index("events_by_status", table_name="events")
    op.create_index("events_by_status", "events", ["destination", "status", "lane"])
