"""Whose account a source event belongs to. What nobody signed decides nothing: it can only agree with what is known."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from gateway.intake.route import Route
from gateway.ledger.facts import pinned_accounts
from gateway.translation.adapter import Claim, SourceEvent

NO_ACCOUNT = "-"
"""What stands for the account of sources that know of none; those of one adapter count as one account."""


@dataclass(frozen=True)
class Account:
    """`named` is what the webhook says it is, None where it names none; `fault` why what it says can't be believed.

    `pins` where it is the first that the source hears of, and stays.
    """

    name: str
    named: str | None
    pins: bool = False
    fault: str | None = None


def account_of(route: Route, event: SourceEvent, read: Callable[[str], Mapping[str, Any] | None]) -> Account:
    """What the signed body names, else what the configuration does, else what was named first; `read` reads memory."""
    named = None if event.account is None else identity(event.account)
    is_claimed = Claim.ACCOUNT in route.adapter.claims or (named is not None and not route.scheme.signs_body)
    if not is_claimed:
        return Account(event.account or route.source.account or NO_ACCOUNT, event.account)
    if route.source.account is not None:
        return Account(route.source.account, named)
    known = read(pinned_accounts.key(route.source.name))
    if known is None:
        return Account(named or NO_ACCOUNT, named, pins=True)
    pinned = known[pinned_accounts.NAME]
    if named is None or named == pinned:
        return Account(pinned, named)
    return Account(pinned, named, fault=_fault(route.source.name, named, pinned))


def identity(named: str) -> str:
    """A site by its host: that it is also reached by http, as www and under a path makes no other shop of it."""
    text = named.strip()
    if not text.lower().startswith(("http://", "https://")):
        return text
    try:
        parts = urlsplit(text)
        host, port = (parts.hostname or "").rstrip(".").removeprefix("www."), parts.port
    except ValueError:
        return text
    return text if not host else host if port in (None, 80, 443) else f"{host}:{port}"


def _fault(source: str, named: str, pinned: str) -> str:
    return (
        f"names the account {named[:100]!r}, which is not signed, and this source is {pinned[:100]!r}'s. "
        f"A shop of its own gets a source of its own; where this source's has a new name: "
        f"lumail-gateway sources account {source} --set NAME, then replay this webhook"
    )
