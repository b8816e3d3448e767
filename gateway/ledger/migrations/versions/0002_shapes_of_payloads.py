"""Shapes of payloads."""

import sqlalchemy as sa
from alembic import op

import gateway.ledger.schema

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
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


def downgrade() -> None:
    op.drop_table("shapes")
