"""What is left of people who were erased, and of facts whose events are not kept any more."""

import sqlalchemy as sa
from alembic import op

import gateway.ledger.schema

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "groups",
        sa.Column(
            "closed",
            sa.String(length=10),
            nullable=True,
            comment="why nothing of it is told any more: told (its events are purged) or erased",
        ),
    )
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


def downgrade() -> None:
    op.drop_table("tombstones")
    op.drop_column("groups", "closed")
