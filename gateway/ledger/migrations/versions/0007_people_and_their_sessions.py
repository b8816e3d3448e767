"""Sessions of signed-in people, and what throttles sign-ins; who leaves is removed and no longer disabled."""

import sqlalchemy as sa
from alembic import op

import gateway.ledger.schema

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_column("users", "disabled_at")
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
    op.create_index("sessions_of_user", "sessions", ["user"], unique=False)
    op.create_index("sessions_by_time", "sessions", ["made_at"], unique=False)
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


def downgrade() -> None:
    op.drop_index("sign_in_tries_by_time", table_name="sign_in_tries")
    op.drop_table("sign_in_tries")
    op.drop_index("sessions_by_time", table_name="sessions")
    op.drop_index("sessions_of_user", table_name="sessions")
    op.drop_table("sessions")
    op.add_column("users", sa.Column("disabled_at", gateway.ledger.schema.Instant(), nullable=True))
