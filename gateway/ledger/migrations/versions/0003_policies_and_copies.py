"""Events that expire or are held too long; what a destination and the ledger itself are known by."""

import sqlalchemy as sa
from alembic import op

import gateway.ledger.schema

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_HELD = sa.text("status = 'held'")
_EXPIRES = sa.text("status = 'waiting' AND expires_at IS NOT NULL")
_INCIDENT = sa.text("incident IS NOT NULL")


def upgrade() -> None:
    _comment_on_fingerprint("of the API token; a change is noticed at start")
    op.add_column(
        "destinations",
        sa.Column(
            "base_url", sa.Text(), nullable=True, comment="another is refused at start until somebody accepts it"
        ),
    )
    op.add_column(
        "destinations",
        sa.Column(
            "organization", sa.Text(), nullable=True, comment="Lumail's id of the organization, once an answer named it"
        ),
    )
    op.add_column(
        "destinations",
        sa.Column(
            "on_trial",
            sa.Boolean(),
            server_default=sa.text("false"),
            nullable=False,
            comment="the token is new: one event goes alone",
        ),
    )
    op.add_column(
        "events", sa.Column("held_at", gateway.ledger.schema.Instant(), nullable=True, comment="since when it is held")
    )
    op.add_column(
        "events",
        sa.Column(
            "expires_at",
            gateway.ledger.schema.Instant(),
            nullable=True,
            comment="from when on it is worth nothing; null: never",
        ),
    )
    op.execute("UPDATE events SET held_at = due_at WHERE status = 'held'")
    op.create_index(
        "events_held", "events", ["destination", "held_at"], unique=False, sqlite_where=_HELD, postgresql_where=_HELD
    )
    op.create_index(
        "events_expiring",
        "events",
        ["destination", "expires_at"],
        unique=False,
        sqlite_where=_EXPIRES,
        postgresql_where=_EXPIRES,
    )
    op.create_index(
        "groups_with_incident",
        "groups",
        ["destination"],
        unique=False,
        sqlite_where=_INCIDENT,
        postgresql_where=_INCIDENT,
    )
    op.create_table(
        "marks",
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("marks_pk")),
        comment="by which the ledger knows that it is still the one that it was, and on the machine that it was on",
    )


def _comment_on_fingerprint(comment: str) -> None:
    if op.get_bind().dialect.name != "sqlite":  # which keeps no comments
        op.alter_column("destinations", "fingerprint", comment=comment)


def downgrade() -> None:
    _comment_on_fingerprint("of base URL and token; a change is noticed at start")
    op.drop_table("marks")
    op.drop_index("groups_with_incident", table_name="groups")
    op.drop_index("events_expiring", table_name="events")
    op.drop_index("events_held", table_name="events")
    op.drop_column("events", "expires_at")
    op.drop_column("events", "held_at")
    op.drop_column("destinations", "on_trial")
    op.drop_column("destinations", "organization")
    op.drop_column("destinations", "base_url")
