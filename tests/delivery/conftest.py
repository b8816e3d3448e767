"""A ledger, a sandbox over real HTTP, and a courier between them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from gateway.config import Destination
from gateway.delivery.drain import DeliveryPool, drain
from gateway.ledger.database import Ledger
from gateway.ledger.schema import events
from gateway.lumail.sandbox import Sandbox, SandboxServer, SandboxSettings, create_sandbox, sandbox_of
from tests.making import rows

TOKEN = "lum_for_tests"


@dataclass(frozen=True)
class Road:
    """Everything between a recorded event and Lumail."""

    ledger: Ledger
    sandbox: Sandbox
    delivery_pool: DeliveryPool

    def drain(self) -> int:
        return drain(self.delivery_pool, "main")

    def statuses(self) -> list[tuple[str, str | None]]:
        """Status and reason of every event, in the order in which they were recorded."""
        return [(status, reason) for status, reason in rows(self.ledger, events, "status", "reason")]

    def recorded(self) -> list[dict[str, Any]]:
        return self.sandbox.events()


@pytest.fixture
def sandbox_server() -> Iterator[tuple[Sandbox, str]]:
    app = create_sandbox(SandboxSettings(api_tokens=(TOKEN,)))
    with SandboxServer(app) as server:
        yield sandbox_of(app), server.base_url
    sandbox_of(app).close()


@pytest.fixture
def road(ledger: Ledger, sandbox_server: tuple[Sandbox, str]) -> Iterator[Road]:
    sandbox, base_url = sandbox_server
    destination = Destination("main", base_url, TOKEN, requests_per_minute=1000)
    delivery_pool = DeliveryPool(ledger, {"main": destination}, threads=8)
    yield Road(ledger, sandbox, delivery_pool)
    delivery_pool.close()


Later = Callable[..., None]


@pytest.fixture
def later(road: Road) -> Later:
    """Lets time pass for pauses, and for events that wait or are in doubt: moves them into the past, and drains."""
    usual = road

    def pass_by(*, road: Road = usual, **by: float) -> None:
        span = {"by": round(timedelta(**by).total_seconds() * 1_000_000)}
        with road.ledger.write(["main"]) as connection:
            connection.execute(
                text(
                    "UPDATE events SET due_at = due_at - :by, unconfirmed_at = unconfirmed_at - :by "
                    "WHERE status IN ('unknown', 'waiting')"
                ),
                span,
            )
            connection.execute(text("UPDATE lines SET due_at = due_at - :by"), span)
            connection.execute(text("UPDATE pauses SET until = until - :by WHERE ended_at IS NULL"), span)
        road.drain()

    return pass_by
