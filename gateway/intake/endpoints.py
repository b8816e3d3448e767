"""The door: /webhooks/<source>, and which HTTP status each case is answered with."""

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import BinaryIO

import structlog
from flask import Blueprint, Response, jsonify, request
from flask.blueprints import BlueprintSetupState
from flask.typing import ResponseReturnValue
from prometheus_client import Counter, Histogram

from gateway.errors import LedgerUnavailableError, RejectionCause, SignatureError, UnavailableError, place_of
from gateway.intake.accept import Receipt, accept
from gateway.intake.body import BodyTooLargeError, BodyUnreadableError, read_body, throw_away
from gateway.intake.drift import DriftWatch
from gateway.intake.guesses import Guesses
from gateway.intake.memory_cache import MemoryCache
from gateway.intake.proving import EncodingRefusedError, ProofSlots, Waiting, most_unproven, prove, refuse_encoding
from gateway.intake.refusals import Refusals
from gateway.intake.route import Route
from gateway.ledger.recording.commit import Committer
from gateway.ledger.status import Outcome
from gateway.translation.schemes import PathToken
from gateway.translation.webhook import Headers, Webhook

RETRY_AFTER = 5

CHALLENGE = 'Basic realm="webhooks"'
"""Amazon SNS, for one, sends the credentials of its URL only when it is asked for them."""

MASKED = "***"
"""What stands in kept URLs where a token was."""

LONGEST_NAME = 15
"""Characters of a part of an unknown path that is kept; a longer one may be a token."""

WEBHOOKS = Counter("gateway_webhooks", "Requests to sources by outcome.", ["source", "outcome"])
UNAVAILABLE = Counter("gateway_unavailable", "Requests that were answered 503, by cause.", ["source", "cause"])
UNAVAILABLE_CAUSES = ("ledger", "outside", "fault")
WEBHOOK_SECONDS = Histogram(
    "gateway_webhook_seconds",
    "From the whole request read to its receipt.",
    buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
)

_log = structlog.get_logger()


@dataclass(frozen=True)
class EndpointServices:
    """What the endpoints work with; one a process."""

    routes: Mapping[str, Route]
    committer: Committer
    refusals: Refusals
    drift: DriftWatch
    public_url: str
    max_body_bytes: int


def endpoints(services: EndpointServices) -> Blueprint:
    """The blueprint that answers for every source, and counts what asks for none that there is."""
    blueprint = Blueprint("door", __name__)
    for name in services.routes:
        for cause in UNAVAILABLE_CAUSES:
            UNAVAILABLE.labels(name, cause)  # told as 0 until the first: what grows from nothing is no growth
    blueprint.record_once(_without_redirects)
    blueprint.after_app_request(partial(_count_unknown, services))
    memory_cache = {route.source.destination: MemoryCache() for route in services.routes.values()}
    waiting = Waiting()
    guesses = Guesses()
    slots = {name: ProofSlots(waiting) for name in services.routes}

    def route_of(source: str, token: str | None) -> Route | None:
        """A token in the URL makes sense to sources that are proven by it, and to no other."""
        route = services.routes.get(source)
        return None if route is None or (token is not None and not isinstance(route.scheme, PathToken)) else route

    @blueprint.route("/webhooks/<source>/", methods=["GET", "HEAD"], strict_slashes=False)
    @blueprint.route("/webhooks/<source>/<token>/", methods=["GET", "HEAD"], strict_slashes=False)
    def probe(source: str, token: str | None = None) -> ResponseReturnValue:
        """Providers look whether an endpoint is there before they save it."""
        return _unknown(services, source) if route_of(source, token) is None else Response(status=200)

    @blueprint.post("/webhooks/<source>/", strict_slashes=False)
    @blueprint.post("/webhooks/<source>/<token>/", strict_slashes=False)
    def receive(source: str, token: str | None = None) -> ResponseReturnValue:
        route = route_of(source, token)
        if route is None:
            return _unknown(services, source)
        started = time.perf_counter()
        encoding = request.headers.get("Content-Encoding", "")
        try:
            webhook = Webhook(
                source=source,
                url=_public_url(services),
                headers=Headers(request.headers.items()),
                body=_body(services, route, encoding),
                received_at=datetime.now(UTC),
                path_token=token,
            )
            verified = prove(route, webhook, encoding, services.max_body_bytes, slots[source])
            if verified is None:
                _note(route, "probe", started)
                return Response(status=200)
            receipt = accept(route, verified, services.committer, memory_cache[route.source.destination])
        except BodyTooLargeError as error:
            return _turned_away(services, route, 413, "too_large", f"larger than {error} bytes", started)
        except EncodingRefusedError as error:
            return _turned_away(services, route, 415, "encoded", str(error), started)
        except BodyUnreadableError as error:
            return _turned_away(services, route, 400, "unreadable", str(error), started)
        except SignatureError as error:
            if error.cause is RejectionCause.WRONG and not route.scheme.signs_body:
                guesses.wrong(request.remote_addr or "")
            answer = _turned_away(services, route, 401, error.cause.value, error.detail, started)
            if "Authorization" in route.scheme.proof_headers:
                answer.headers["WWW-Authenticate"] = CHALLENGE
            return answer
        except (LedgerUnavailableError, UnavailableError) as error:
            cause = "ledger" if isinstance(error, LedgerUnavailableError) else "outside"
            return _unavailable(services, route, cause, str(error), started)
        except Exception as error:  # noqa: BLE001 - a fault of ours: nothing was kept, and the provider is to send again
            _log.error("webhook.failed", source=source, error=type(error).__name__, at=place_of(error))
            return _unavailable(services, route, "fault", f"a fault of the gateway: {type(error).__name__}", started)
        _note_receipt(route, receipt, started)
        if receipt.recorded.duplicate:
            services.refusals.note_proven(source)
        services.drift.observe(route.adapter, receipt.verified, receipt.recorded)
        return jsonify(receipt.as_json())

    return blueprint


def _body(services: EndpointServices, route: Route, encoding: str) -> bytes:
    """The body as it came, of at most as many bytes as may be read of this source's unproven."""
    stream: BinaryIO = request.stream  # type: ignore[assignment]  # werkzeug types it as IO[bytes]
    thrown_away = 4 * services.max_body_bytes
    try:
        refuse_encoding(route.scheme, encoding)
    except EncodingRefusedError:
        throw_away(stream, thrown_away)
        raise
    return read_body(stream, request.content_length, most_unproven(route.scheme, services.max_body_bytes), thrown_away)


def _without_redirects(state: BlueprintSetupState) -> None:
    """Two slashes in a row are another path: providers do not follow redirects, and what they post would be lost."""
    state.app.url_map.merge_slashes = False


def _count_unknown(services: EndpointServices, response: Response) -> Response:
    """Counts what fits no path at all: a URL that was misspelt more than in its source's name, or is only a host, where
    the desk has a page that nobody posts to (405).
    """
    unknown = request.url_rule is None and response.status_code in (404, 405)
    if unknown and (request.method == "POST" or _is_below_webhooks()):
        services.refusals.count(None, _masked(request.path), "unknown_source")
    return response


def _is_below_webhooks() -> bool:
    return request.path.lower().lstrip("/").startswith("webhooks")


def _masked(path: str) -> str:
    """An unknown path as it may be kept: what stands behind a source's name may be a token, and so may what is long."""
    before, webhooks, behind = path.rpartition("webhooks/")
    source = re.match("/*[^/]*", behind)
    kept = len(before + webhooks) + (source.end() if webhooks and source else len(behind))
    return re.sub(
        "[^/]+", lambda found: MASKED if found.start() >= kept or len(found[0]) > LONGEST_NAME else found[0], path
    )


def _unknown(services: EndpointServices, source: str) -> ResponseReturnValue:
    services.refusals.count(None, _path(), "unknown_source")
    return jsonify(
        error=f"no source named {source[:100]!r}: compare the URL with the sources of the configuration"
    ), 404


def _turned_away(
    services: EndpointServices, route: Route, status: int, cause: str, detail: str, started: float
) -> Response:
    services.refusals.count(route.source.name, _path(), cause, detail)
    _note(route, "rejected", started, cause=cause)
    answer = jsonify(error=f"{cause}: {detail}")
    answer.status_code = status
    return answer


def _unavailable(services: EndpointServices, route: Route, cause: str, why: str, started: float) -> Response:
    services.refusals.count_unavailable(route.source.name, cause)
    UNAVAILABLE.labels(route.source.name, cause).inc()
    _note(route, "unavailable", started, error=why)
    return Response(status=503, headers={"Retry-After": str(RETRY_AFTER)})


def _note_receipt(route: Route, receipt: Receipt, started: float) -> None:
    one = receipt.recorded
    _note(
        route,
        Outcome.DUPLICATE if one.duplicate and not one.events else one.word,
        started,
        webhook=one.webhook,
        events=len(one.events),
        merged=one.merged,
        taught=one.taught,
        ignored=one.ignored,
        quarantined=one.quarantined,
    )


def _note(route: Route, outcome: str, started: float, **details: object) -> None:
    seconds = time.perf_counter() - started
    WEBHOOKS.labels(route.source.name, outcome).inc()
    WEBHOOK_SECONDS.observe(seconds)
    _log.info(
        "webhook.received",
        source=route.source.name,
        outcome=outcome,
        ms=round(seconds * 1000, 1),
        **details,
    )


def _path() -> str:
    """The path as it may be kept: a token in it is a secret."""
    source, token = (request.view_args or {}).get("source"), (request.view_args or {}).get("token")
    return request.path if token is None else f"/webhooks/{source}/{MASKED}"


def _public_url(services: EndpointServices) -> str:
    query = request.query_string.decode("latin-1")
    return f"{services.public_url}{_path()}{'?' + query if query else ''}"
