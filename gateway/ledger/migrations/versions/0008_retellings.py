"""Which webhooks told of a fact without making an event of it."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "retellings",
        sa.Column("webhook", sa.String(length=40), nullable=False),
        sa.Column("group", sa.String(length=40), nullable=False),
        sa.PrimaryKeyConstraint("webhook", "group", name=op.f("retellings_pk")),
        comment="webhooks that told of a fact without making an event of it",
    )
    op.create_index("retellings_of_group", "retellings", ["group"], unique=False)


def downgrade() -> None:
    op.drop_index("retellings_of_group", table_name="retellings")
    op.drop_table("retellings")
