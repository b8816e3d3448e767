"""How a request is believed without costing more than its bytes: what is read of it before, and how much at once.

What a scheme has to read of a body that may be anybody's it declares (`Scheme.unproven`); here that is kept.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from gateway.errors import UnavailableError
from gateway.intake.body import is_plain, unfolded
from gateway.intake.route import Route
from gateway.translation.signature import Reads, Scheme, verify
from gateway.translation.webhook import VerifiedWebhook, Webhook

AT_ONCE = 2
"""Unproven bodies of one source that a process works on at the same time; the others wait."""

MOST_WAITING = 24
"""Of all sources, in a process: fewer than half of its threads, so that a flood leaves enough for other sources."""

WAIT = 0.5
"""Seconds until one that waits is told to come again."""

LITTLE = 16 * 1024
"""Bytes that need no turn: what can be done with them costs no more than the request itself."""


class EncodingRefusedError(Exception):
    """The body is compressed, where the proof has to be looked for in it."""


class Waiting:
    """How many requests of a process wait for their turn; safe to share between threads."""

    def __init__(self, most: int = MOST_WAITING) -> None:
        self._places = threading.BoundedSemaphore(most)

    @contextmanager
    def place(self) -> Iterator[None]:
        """Raises UnavailableError where too many wait already."""
        if not self._places.acquire(blocking=False):
            raise UnavailableError("too many requests that are not proven yet wait to be read")
        try:
            yield
        finally:
            self._places.release()


class ProofSlots:
    """Those of one source."""

    def __init__(self, waiting: Waiting, at_once: int = AT_ONCE, wait: float = WAIT) -> None:
        self._waiting = waiting
        self._free = threading.BoundedSemaphore(at_once)
        self._wait = wait

    @contextmanager
    def slot(self) -> Iterator[None]:
        """Raises UnavailableError where none comes soon."""
        if not self._free.acquire(blocking=False):
            with self._waiting.place():
                if not self._free.acquire(timeout=self._wait):
                    raise UnavailableError("too many requests that are not proven yet are being read")
        try:
            yield
        finally:
            self._free.release()


def most_unproven(scheme: Scheme, most: int) -> int:
    """Bytes that are taken of a request that may be anybody's, where the door takes `most`."""
    return most if scheme.unproven.most is None else min(most, scheme.unproven.most)


def refuse_encoding(scheme: Scheme, encoding: str) -> None:
    """Raises EncodingRefusedError for a compressed body in which the proof would have to be looked for."""
    if scheme.unproven.reads is Reads.CONTENT and not is_plain(encoding):
        raise EncodingRefusedError("the signature stands in the body, so it has to be sent as it is")


def prove(route: Route, sent: Webhook, encoding: str, most: int, slots: ProofSlots) -> VerifiedWebhook | None:
    """The webhook, proven; None for what is only the provider's look at the URL. `sent` has the body as it came.

    Raises SignatureError, UnavailableError (as `verify`, and where too many are being read), and what `unfolded` does.
    """
    if route.scheme.unproven.reads is Reads.NOTHING:
        if is_plain(encoding) and _is_probe(route, sent):
            return None
        return _verified(route, sent).unpacked(unfolded(sent.body, encoding, most))
    if is_plain(encoding) and (route.scheme.unproven.reads is Reads.BYTES or len(sent.body) <= LITTLE):
        return None if _is_probe(route, sent) else _verified(route, sent)
    with slots.slot():
        webhook = replace(sent, body=unfolded(sent.body, encoding, most))
        return None if _is_probe(route, webhook) else _verified(route, webhook)


def _is_probe(route: Route, webhook: Webhook) -> bool:
    return route.adapter.probe(webhook, route.source.secrets, route.source.options)


def _verified(route: Route, webhook: Webhook) -> VerifiedWebhook:
    return verify(route.scheme, webhook, route.source.secrets, route.source.max_age)
