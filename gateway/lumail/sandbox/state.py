"""What the parts of a running sandbox share: settings, faults, limits, and what it has recorded."""

import time
from typing import Any

from flask import Flask, current_app

from gateway.lumail.sandbox.faults import Fault, Faults, read_fault
from gateway.lumail.sandbox.limits import Limits
from gateway.lumail.sandbox.settings import SandboxSettings
from gateway.lumail.sandbox.store import Record, Store

_EXTENSION = "lumail_sandbox"


class Sandbox:
    """Tests drive a sandbox through this, people through HTTP."""

    def __init__(self, settings: SandboxSettings) -> None:
        self.settings = settings
        self.store = Store(settings.folder)
        self.faults = Faults()
        self.limits = Limits(self.store.request_times(time.time() - 120))

    def change(self, **changes: Any) -> None:
        """Change settings while it runs. Raises ConfigError."""
        self.settings = self.settings.changed(changes)

    def fail(self, kind: str, **rule: Any) -> Fault:
        """Put a fault in force, as `POST /faults` does. Raises ConfigError."""
        return self.faults.add(read_fault({"kind": kind, **rule}))

    def reset(self) -> None:
        """Forget what was recorded, the log, the counted requests and the faults; settings stay."""
        self.store.clear()
        self.limits.clear()
        self.faults.clear()

    def events(self, after: int = 0, limit: int = -1) -> list[dict[str, Any]]:
        """Everything recorded, the oldest first, as `GET /events` shows it."""
        return [_shown(record) for record in self.store.events(after, limit)]

    def requests(self, after: int = 0, limit: int = -1) -> list[dict[str, Any]]:
        """The log of requests to the API, the oldest first, as `GET /requests` shows it."""
        return self.store.requests(after, limit)

    def install(self, app: Flask) -> None:
        app.extensions[_EXTENSION] = self

    def close(self) -> None:
        self.store.close()


def sandbox_of(app: Flask) -> Sandbox:
    """The sandbox that an app made by `create_sandbox` serves."""
    sandbox: Sandbox = app.extensions[_EXTENSION]
    return sandbox


def this_sandbox() -> Sandbox:
    """The sandbox of the request that is being answered."""
    sandbox: Sandbox = current_app.extensions[_EXTENSION]
    return sandbox


def _shown(record: Record) -> dict[str, Any]:
    return {
        "seq": record.seq,
        "id": record.id,
        "eventType": record.type,
        "subscriber": record.person.email,
        "subscriberId": record.person.id,
        "organizationId": record.organization,
        "data": dict(record.received),
        "createdAt": record.created_at,
        "recordedAt": record.recorded_at,
    }
