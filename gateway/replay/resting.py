"""A person lets a destination, one lane or one source of it rest, lets it go on, and takes for right what it became."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.config import Destination
from gateway.errors import CommandError
from gateway.ledger.accounts import audit
from gateway.ledger.accounts.audit import Deed
from gateway.ledger.database import Ledger
from gateway.ledger.facts import currencies
from gateway.ledger.identity import fingerprint
from gateway.ledger.outbox import destination_identity, uncertain
from gateway.ledger.outbox.destination_identity import Fingerprint
from gateway.ledger.scheduling import pauses
from gateway.ledger.scheduling.leases import wake
from gateway.ledger.scheduling.pauses import Scope
from gateway.ledger.status import PauseKind


def pause(ledger: Ledger, scope: Scope, who: str, why: str | None = None) -> None:
    """Send nothing of it until somebody resumes it; `why` is shown with the pause.

    Raises CommandError where it is paused already.
    """
    with ledger.write([scope.destination]) as connection:
        now = ledger.now(connection)
        if not pauses.rest(connection, scope, {"who": who, **({"why": why} if why else {})}, now):
            raise CommandError(f"{described(scope)} is paused already: `lumail-gateway status` says why")
        after = {"paused": True} | ({"why": why} if why else {})
        audit.record(connection, now, Deed(who, "pause", described(scope)), {"paused": False}, after)


@dataclass(frozen=True)
class Resumed:
    """Why it rested, in words and codes, and how many events are looked up at Lumail before they are sent."""

    reasons: tuple[str, ...]
    reason_codes: tuple[str, ...]
    looked_up: int


def resume(ledger: Ledger, scope: Scope, who: str) -> Resumed:
    """Send again what waits, whatever the pause was for.

    In a ledger that was copied or restored, what waits is looked up at Lumail first. Raises CommandError where it is
    not paused.
    """
    with ledger.write([scope.destination]) as connection:
        now = ledger.now(connection)
        ended = pauses.end_all(connection, scope, now)
        if not ended:
            raise CommandError(f"{described(scope)} is not paused")
        doubted = (
            uncertain.mark_all_unconfirmed(connection, scope.destination, now)
            if any(one.kind == PauseKind.LEDGER_COPIED for one in ended)
            else 0
        )
        wake(connection, scope.destination, now)
        after = {"paused": False, "looked_up": doubted}
        audit.record(
            connection,
            now,
            Deed(who, "resume", described(scope)),
            {"paused": True, "reasons": [one.reason for one in ended]},
            after,
        )
    return Resumed(tuple(one.reason for one in ended), tuple(one.kind for one in ended), doubted)


@dataclass(frozen=True)
class Accepted:
    """What a destination was known by, what it is known by now, and the pauses that ended."""

    before: Mapping[str, Any]
    after: Mapping[str, Any]
    ended: tuple[str, ...]


def fingerprint_of(destination: Destination) -> Fingerprint:
    """What a destination is known by, as it is configured."""
    return Fingerprint(destination.base_url, fingerprint(destination.api_token))


def accept(ledger: Ledger, name: str, found: Fingerprint, who: str) -> Accepted:
    """Take a destination's new address or organization for right; `found` is what the configuration says."""
    with ledger.write([name]) as connection:
        now = ledger.now(connection)
        before, after = destination_identity.accept(connection, name, found)
        ended = pauses.end_all(connection, Scope("destination", name, name), now, kind=PauseKind.OTHER_ORGANIZATION)
        wake(connection, name, now)
        audit.record(connection, now, Deed(who, "accept destination", name), before, after)
    return Accepted(before, after, tuple(one.reason for one in ended))


def mix(ledger: Ledger, name: str, who: str) -> Sequence[str]:
    """Money in several currencies may go to a destination; the currencies. Raises CommandError where there is one."""
    with ledger.write([name]) as connection:
        found = currencies.accept(connection, name)
        if len(found) < 2:
            raise CommandError(f"{name} was told of money in {found[0] if found else 'no currency'} only")
        now = ledger.now(connection)
        audit.record(connection, now, Deed(who, "mix currencies", name), {"mixed": False}, {"mixed": list(found)})
    return found


def described(scope: Scope) -> str:
    """The scope in words: ``main``, ``main: lane bulk``."""
    return scope.destination if scope.kind == "destination" else f"{scope.destination}: {scope.kind} {scope.name}"
