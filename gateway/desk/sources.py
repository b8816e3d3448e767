"""One source: whether its webhooks arrive, and if not, why, in words and with what to do."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from difflib import SequenceMatcher

from flask import Blueprint, abort, render_template
from flask.typing import ResponseReturnValue

from gateway.desk.access import Role, allowed
from gateway.desk.parts import Desk, now, parts
from gateway.formats.wording import distance
from gateway.intake.route import Route
from gateway.ledger.views import counters, detail
from gateway.ledger.views.counters import Measure
from gateway.ledger.views.detail import Arrivals, Refusals
from gateway.translation.schemes import PathToken

pages = Blueprint("sources", __name__)

AKIN = 0.6
"""How alike a path has to be to a source's own for a misspelling of it."""

STRAYS_WITHIN = timedelta(minutes=10)
"""A request that is turned away this soon after a genuine one may be anybody's; where none follows, all are."""

CAUSES = {
    "wrong": (
        "The signature fits none of the source's secrets",
        (
            "The provider signs with another secret than those that are configured. Copy the signing secret of exactly "
            "this endpoint from the provider's settings into the configuration, and restart. While a secret is being "
            "rotated, keep both."
        ),
    ),
    "missing": (
        "The request carries no signature",
        (
            "Either the provider does not sign these (switch signing on there), or somebody else than the provider "
            "posts here, or a proxy in between removes the header."
        ),
    ),
    "malformed": (
        "The signature can't be read",
        (
            "It is not in the form of this provider. Look whether the URL belongs to another provider's source, and "
            "whether a proxy in between changes headers."
        ),
    ),
    "stale": (
        "The signature is right, but its time is not",
        (
            "The provider's time and this machine's are too far apart, or the request was kept on its way. Look "
            "at this machine's clock (timedatectl) first. `max_age` of the source allows more."
        ),
    ),
    "too_large": (
        "The body is larger than what is taken",
        (
            "If the provider sent it: raise `max_body_mb` in the configuration, or let it send smaller batches. Where "
            "the signature stands in the body no more is read than the provider can send, and compressed bodies may "
            "not be many times as long as they came (docs/security.md): what is longer comes from somebody else."
        ),
    ),
    "encoded": (
        "The body is compressed, and the signature stands in it",
        (
            "This provider does not compress what it sends, so it was sent by somebody else, or a proxy in between "
            "compresses requests: switch that off."
        ),
    ),
    "unreadable": ("The body can't be read", "Its encoding is broken, or the connection ended in the middle of it."),
}
"""What is behind each cause of a refusal, and what to do about it."""


@dataclass(frozen=True)
class Verdict:
    """Whether webhooks arrive: `tone` is good, warn or bad; `advice` says what to do."""

    tone: str
    words: str
    advice: str | None = None


@dataclass(frozen=True)
class Secret:
    """One of the configured secrets by its place, with its fingerprint; `at` None: none of those looked at fitted."""

    place: int
    fingerprint: str
    count: int
    at: datetime | None


@pages.get("/sources/<name>")
@allowed(Role.VIEWER)
def show(name: str) -> ResponseReturnValue:
    desk = parts()
    route = desk.routes.get(name)
    with desk.ledger.read() as connection:
        found = detail.arrivals(connection, name)
        unknown = detail.unknown_paths(connection)
        day = counters.totals(connection, Measure.RECEIVED, now()).get(name, {})
        rejected = counters.totals(connection, Measure.REJECTED, now()).get(name, {})
    if route is None and found.last_webhook_at is None and not found.refusals:
        abort(404)
    akin = _nearest(desk, name, unknown)
    return render_template(
        "desk/sources/source.html",
        name=name,
        route=route,
        url=None if route is None else _url(desk, route),
        disabled=name in desk.config.disabled_sources,
        found=found,
        verdict=_verdict(route, found, akin, now()),
        akin=akin,
        day=day,
        rejected=rejected,
        causes=CAUSES,
        secrets=[] if route is None else _secrets(route, found),
        former=_former(route, found),
    )


def _url(desk: Desk, route: Route) -> str:
    """What the provider has to be given; a token in it is a secret."""
    end = "/<token>" if isinstance(route.scheme, PathToken) else ""
    return f"{desk.config.public_url.rstrip('/')}/webhooks/{route.source.name}{end}"


def _verdict(route: Route | None, found: Arrivals, akin: Sequence[Refusals], at: datetime) -> Verdict:
    if route is None:
        return Verdict("bad", "This source is not configured or not enabled: its URL answers 404.")
    refused, last = found.last_refusal, found.last_webhook_at
    if refused is not None and (last is None or refused.at > last):
        told, advice = CAUSES.get(refused.cause, (refused.cause, None))
        if last is not None and refused.at - last < STRAYS_WITHIN:
            cause = f"{told[0].lower()}{told[1:]}"
            return Verdict("warn", f"Webhooks arrive, the last {distance(last, at)}, but not all: {cause}.", advice)
        return Verdict(
            "bad", f"The newest requests are turned away, the last {distance(refused.at, at)}. {told}.", advice
        )
    if last is None and akin:
        told = (
            f"Nothing has come to this URL, but requests came to {akin[0].cause}, the last {distance(akin[0].at, at)}."
        )
        return Verdict("bad", told, "Compare the URL in the provider's settings with the one below.")
    if last is None:
        told = "No request has ever come to this URL."
        return Verdict("warn", told, "Enter the URL below in the provider's settings, and let it send a test.")
    if at - last > timedelta(days=1):
        told = f"The last webhook came {distance(last, at)}, and nothing was turned away since."
        return Verdict("warn", told, "Look at the provider's page whether the webhook is still switched on there.")
    return Verdict("good", f"Webhooks arrive, the last {distance(last, at)}.")


def _nearest(desk: Desk, name: str, unknown: Sequence[Refusals]) -> list[Refusals]:
    """Paths that no source has and that are more like this source's than like any other's."""
    others = [one for one in desk.routes if one != name]
    akin = []
    for one in unknown:
        likeness = _likeness(one.cause, name)
        if likeness >= AKIN and all(likeness >= _likeness(one.cause, other) for other in others):
            akin.append((likeness, one))
    return [one for _, one in sorted(akin, key=lambda found: -found[0])][:5]


def _likeness(path: str, name: str) -> float:
    told = path.lower().rstrip("/").rpartition("/")[2] or path.lower()
    return SequenceMatcher(None, told, name).ratio()


def _secrets(route: Route, found: Arrivals) -> list[Secret]:
    told = []
    for place, fingerprint in enumerate(route.secrets, 1):
        use = found.secrets.get(fingerprint)
        told.append(Secret(place, fingerprint, 0 if use is None else use.count, None if use is None else use.at))
    return told


def _former(route: Route | None, found: Arrivals) -> list[Secret]:
    """Secrets that fitted and are not configured any more."""
    known = set() if route is None else set(route.secrets)
    return [Secret(0, one, use.count, use.at) for one, use in found.secrets.items() if one not in known]
