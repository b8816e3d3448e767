"""Versions of the gateway that come after this one: its own files with a migration more, run as real processes."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import gateway
from gateway.ledger.schema import SCHEMA

_ROOT = Path(gateway.__file__).parents[1]

_MIGRATION = '''"""One column more, for a version that knows {schema}."""

import sqlalchemy as sa
from alembic import op

revision = "{schema}"
down_revision = "{before}"
branch_labels = None
depends_on = None

works_beside = "{works_beside}"


def upgrade() -> None:
    op.add_column("webhooks", sa.Column("of_{schema}", sa.String(length=40), nullable=True))
    op.create_table("things_of_{schema}", sa.Column("id", sa.String(length=40), nullable=False, primary_key=True))
    op.create_index("things_of_{schema}_by_id", "things_of_{schema}", ["id"])
    {more}
'''


@dataclass(frozen=True)
class Version:
    """Where it lies, and the newest schema that it knows."""

    folder: Path
    schema: str

    @property
    def environ(self) -> Mapping[str, str]:
        """What makes a process that is started with it one of this version."""
        return {"PYTHONPATH": str(self.folder), "PYTHONSAFEPATH": "1"}


def after(folder: Path, former: Version | None = None, *, works_beside: str = SCHEMA, more: str = "pass") -> Version:
    """The version after `former`, or after this one. Its migration does `more` than to add."""
    before = SCHEMA if former is None else former.schema
    schema = f"{int(before) + 1:04d}"
    new = folder / f"version-{schema}"
    root = _ROOT if former is None else former.folder
    shutil.copytree(root / "gateway", new / "gateway", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("adapters", "config"):
        (new / name).symlink_to(_ROOT / name)
    tables = new / "gateway" / "ledger" / "schema.py"
    tables.write_text(tables.read_text().replace(f'SCHEMA = "{before}"\n', f'SCHEMA = "{schema}"\n'))
    migration = new / "gateway" / "ledger" / "migrations" / "versions" / f"{schema}_one_more.py"
    migration.write_text(_MIGRATION.format(schema=schema, before=before, works_beside=works_beside, more=more))
    return Version(new, schema)
