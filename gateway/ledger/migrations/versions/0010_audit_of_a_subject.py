"""What was done to one event is shown on its page."""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("audit_of_subject", "audit", ["subject", "at"], unique=False)


def downgrade() -> None:
    op.drop_index("audit_of_subject", table_name="audit")
