"""An installation of which everything runs: a ledger, its configuration, a web process and a worker that live."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from gateway.attention import Code, Need, Watched, attention, gathered, trouble_of
from gateway.config import Config, Flags
from gateway.ledger import heartbeats
from gateway.ledger.database import Ledger
from gateway.ledger.heartbeats import Condition
from gateway.ledger.schema import events
from gateway.startup import configured
from gateway.translation.registry import adapters
from tests.cli.conftest import CONFIGURATION, NOWHERE
from tests.making import WELL, beat, beat_all, record_facts


@dataclass
class Place:
    """Where something may be amiss. `weak` are secrets that are."""

    ledger: Ledger
    config: Config
    weak: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @property
    def now(self) -> datetime:
        with self.ledger.read() as connection:
            return self.ledger.now(connection)

    def needs(self) -> list[Need]:
        return list(attention(gathered(self.ledger, Watched(self.config, self.weak), trouble_of(self.ledger))))

    def codes(self) -> list[Code]:
        return [one.code for one in self.needs()]

    def only(self) -> Need:
        """What needs a person, where that is one thing."""
        [need] = self.needs()
        return need

    def beat(self, role: str, condition: Condition = WELL, version: str = "0.1.0") -> None:
        beat(self.ledger, role, condition, version)

    def end(self, role: str, version: str = "0.1.0") -> None:
        with self.ledger.write() as connection:
            heartbeats.end(connection, f"hb_{role}_{version}", self.ledger.now(connection))

    def event(self, fact: Any, **values: Any) -> str:
        """An event with these columns; its id."""
        [made] = record_facts(self.ledger, fact)
        if values:
            self.change(made, **values)
        return made

    def change(self, identity: str, **values: Any) -> None:
        with self.ledger.write(["main"]) as connection:
            connection.execute(update(events).where(events.c.id == identity).values(**values))

    def expecting(self, source: str, every: timedelta) -> None:
        changed = replace(self.config.sources[source], expect_every=every)
        self.config = replace(self.config, sources={**self.config.sources, source: changed})


@pytest.fixture
def place(ledger: Ledger, tmp_path: Path) -> Place:
    file = tmp_path / "gateway.yaml"
    file.write_text(CONFIGURATION)
    environ = {
        "GATEWAY_SECRET_KEY": "key-of-the-tests" * 2,
        "LUMAIL_API_TOKEN": "lum_for_tests",
        "LUMAIL_URL": NOWHERE,
        "STRIPE_WEBHOOK_SECRET": "whsec_for_tests_of_commands_and_other_things",
        "SENDGRID_WEBHOOK_PUBLIC_KEY": adapters()["sendgrid"].scheme({}).generate().verifying,
    }
    made = Place(ledger, configured(Flags(file=file, data=tmp_path / "var"), environ))
    beat_all(ledger)
    return made
