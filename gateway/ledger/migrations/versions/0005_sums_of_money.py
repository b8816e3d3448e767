"""Payments and refunds count in their sale's sums; refunds follow their payment."""

import sqlalchemy as sa
from alembic import op

import gateway.ledger.schema

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_COLUMNS = (
    ("named_by", sa.Text(), "the memory key that may teach a better name of the product"),
    ("book", sa.String(20), "of its sale's sums: paid, or the charge or order that a refund takes from"),
    ("part", sa.String(20), "of the book: the object that told it"),
    ("amount", sa.Text(), "what it counts in its book, exactly; an edit of what is sent does not change it"),
    ("currency", sa.String(3), "of `amount`"),
    ("after", sa.String(40), "the payment that has to be delivered first"),
    ("release_at", gateway.ledger.schema.Instant(), "when a held event leaves if what it waits for did not come"),
)
_FOLLOWS = sa.text("status = 'held' AND after IS NOT NULL")
_RELEASED = sa.text("status = 'held' AND release_at IS NOT NULL")
_NAMED_LATER = sa.text("status IN ('waiting', 'held') AND named_by IS NOT NULL")
_HEARD = sa.text("heard_at IS NOT NULL")


def upgrade() -> None:
    for name, kind, comment in _COLUMNS:
        op.add_column("events", sa.Column(name, kind, nullable=True, comment=comment))
    op.add_column(
        "groups",
        sa.Column(
            "heard_at",
            gateway.ledger.schema.Instant(),
            nullable=True,
            comment="since when a payment is told, but by no telling that makes one",
        ),
    )
    _comment_on_groups(
        "what is true of the sale's money, in sums",
        "by book: what removed events told Lumail (kept), and the excess that was shown",
    )
    _index("events_following", "events", ["after"], _FOLLOWS)
    _index("events_releasing", "events", ["destination", "release_at"], _RELEASED)
    _index("events_named_later", "events", ["destination", "named_by"], _NAMED_LATER)
    _index("groups_heard", "groups", ["heard_at"], _HEARD)


def _index(name: str, table: str, columns: list[str], where: sa.TextClause) -> None:
    op.create_index(name, table, columns, unique=False, sqlite_where=where, postgresql_where=where)


def _comment_on_groups(truth: str, emitted: str) -> None:
    if op.get_bind().dialect.name != "sqlite":  # which keeps no comments
        op.alter_column("groups", "truth", comment=truth)
        op.alter_column("groups", "emitted", comment=emitted)


def downgrade() -> None:
    op.drop_index("groups_heard", table_name="groups")
    for name in ("events_named_later", "events_releasing", "events_following"):
        op.drop_index(name, table_name="events")
    _comment_on_groups("what is true of the fact, in sums", "what was told to Lumail, in sums")
    op.drop_column("groups", "heard_at")
    for name, _, _ in reversed(_COLUMNS):
        op.drop_column("events", name)
