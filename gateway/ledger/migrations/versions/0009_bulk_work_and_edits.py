"""Bulk work with its items; what a person wrote in place of what a webhook told."""

import sqlalchemy as sa
from alembic import op

import gateway.ledger.schema

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_RUNNING = sa.text("status = 'running'")
_OPEN = sa.text("outcome IS NULL")


def upgrade() -> None:
    op.add_column(
        "jobs",
        sa.Column(
            "destination",
            sa.String(length=100),
            nullable=True,
            comment="whose writer lock the steps of bulk work take",
        ),
    )
    op.add_column(
        "jobs",
        sa.Column(
            "looked_through",
            sa.Boolean(),
            server_default=sa.text("false"),
            nullable=False,
            comment="nothing is left behind cursor",
        ),
    )
    op.add_column(
        "jobs",
        sa.Column(
            "counts", gateway.ledger.schema.Json(), nullable=True, comment="items by their outcome, and new events"
        ),
    )
    op.add_column(
        "jobs",
        sa.Column(
            "slots_until",
            gateway.ledger.schema.Instant(),
            nullable=True,
            comment="until when its share of the budget is given out",
        ),
    )
    op.add_column(
        "jobs",
        sa.Column("next_at", gateway.ledger.schema.Instant(), nullable=True, comment="no step is of use before"),
    )
    op.add_column(
        "jobs", sa.Column("error", sa.Text(), nullable=True, comment="why the newest step failed; null: it did not")
    )
    op.create_index("jobs_by_time", "jobs", ["made_at", "id"], unique=False)
    op.create_index("jobs_running", "jobs", ["next_at"], unique=False, sqlite_where=_RUNNING, postgresql_where=_RUNNING)
    op.create_table(
        "job_items",
        sa.Column("job", sa.String(length=40), nullable=False),
        sa.Column("subject", sa.String(length=40), nullable=False, comment="the event or webhook"),
        sa.Column("at", gateway.ledger.schema.Instant(), nullable=False),
        sa.Column(
            "before", gateway.ledger.schema.Json(), nullable=False, comment="the columns that it changed, as they were"
        ),
        sa.Column("outcome", sa.String(length=20), nullable=True, comment="null: released and not settled yet"),
        sa.Column("note", sa.Text(), nullable=True, comment="why"),
        sa.PrimaryKeyConstraint("job", "subject", name=op.f("job_items_pk")),
    )
    op.create_index("job_items_of_subject", "job_items", ["subject"], unique=False)
    op.create_index("job_items_open", "job_items", ["job"], unique=False, sqlite_where=_OPEN, postgresql_where=_OPEN)
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
    op.add_column(
        "events",
        sa.Column(
            "edited_at",
            gateway.ledger.schema.Instant(),
            nullable=True,
            comment="since when it is what a person wrote; what was before is in edits",
        ),
    )


def downgrade() -> None:
    op.drop_column("events", "edited_at")
    op.drop_table("edits")
    op.drop_table("job_items")
    op.drop_index("jobs_running", "jobs")
    op.drop_index("jobs_by_time", "jobs")
    for name in ("error", "next_at", "slots_until", "counts", "looked_through", "destination"):
        op.drop_column("jobs", name)
