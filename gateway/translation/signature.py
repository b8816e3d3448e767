"""How a webhook is proven genuine: what a signature scheme is, and the one function that believes a signature."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from functools import partial
from typing import Protocol, TypeVar

from gateway.errors import RejectionCause, SignatureError, UnavailableError, is_of_machine
from gateway.translation.webhook import VerifiedWebhook, Webhook

Proof = TypeVar("Proof")


@dataclass(frozen=True)
class KeyPair:
    """A secret as generated for the sandbox: `verifying` goes into the configuration, `signing` signs samples.

    Both are the same text where the scheme is symmetric.
    """

    verifying: str
    signing: str


@dataclass(frozen=True)
class Signed:
    """What a signature that holds covers; `at` is None where the scheme signs no time."""

    at: datetime | None = None


class Reads(Enum):
    """What a scheme does with a body that nobody has proven yet, the cheapest first."""

    NOTHING = "nothing"
    """The proof stands in a header or in the URL: it is judged before a compressed body is unpacked."""

    BYTES = "bytes"
    """The bytes are hashed as they are, those that a compressed body stands for."""

    CONTENT = "content"
    """The proof stands in the body, or is made of its parts: it has to be looked for. Such a body is never taken
    compressed."""


@dataclass(frozen=True)
class Unproven:
    """What a scheme reads of a request before it believes it. Whatever it does costs time and memory in proportion to
    the bytes that came, with a small factor; `most` is how many it looks at (None: as many as the door takes).
    """

    reads: Reads
    most: int | None = None


UNREAD = Unproven(Reads.NOTHING)
HASHED = Unproven(Reads.BYTES)


class Scheme(Protocol):
    """One way of signing. `gateway.translation.schemes` has the common ones; an adapter may bring its own class.

    `tolerance` is how far a signed time may lie from now; None where no time is signed.
    `proof_headers` are the header fields that hold signature or credential: they are masked where webhooks are kept.
    `signs_body` is False where the proof would fit another body just as well.
    `unproven` is what it reads of a request that may be anybody's.
    """

    @property
    def tolerance(self) -> timedelta | None: ...

    @property
    def proof_headers(self) -> tuple[str, ...]: ...

    @property
    def signs_body(self) -> bool: ...

    @property
    def unproven(self) -> Unproven: ...

    def check_secret(self, secret: str) -> str | None:
        """What is wrong with the form of a secret (never quoting it), or None."""

    def verify(self, webhook: Webhook, secret: str) -> Signed:
        """Raise SignatureError unless the webhook is signed with this secret; age is not judged here.

        Compares in constant time, and calls whatever can't be read MALFORMED.
        """

    def sign(self, webhook: Webhook, signing: str, at: datetime) -> Webhook:
        """The webhook with the headers (or body) that the provider would have sent at that time."""

    def generate(self) -> KeyPair: ...


class Fetched(Protocol):
    """What an address answered; `body` is None where it was too large."""

    @property
    def status(self) -> int: ...

    @property
    def body(self) -> bytes | None: ...


Fetch = Callable[[str], Fetched]
"""One GET to an address. Raises UnavailableError."""


def fetch_nothing(address: str) -> Fetched:
    raise UnavailableError("nothing is fetched here")


class SelfProving(ABC):
    """What a scheme is besides where a request can prove itself without a secret of the source.

    No Protocol: the question whether a scheme is one is asked of every webhook, and has to cost nothing.
    """

    @abstractmethod
    def fetching(self, fetch: Fetch) -> Scheme:
        """The same, which gets by `fetch` what a proof needs besides the request. It has no effects of its own."""

    @abstractmethod
    def prove(self, webhook: Webhook, secrets: Sequence[str]) -> Signed | None:
        """As `Scheme.verify`; None leaves the judgement to the source's `secrets`.

        Raises UnavailableError where what the proof needs can't be had now.
        """


# The first is the most telling: a right signature that is too old says more than a wrong one.
_TELLING = (RejectionCause.STALE, RejectionCause.WRONG, RejectionCause.MALFORMED, RejectionCause.MISSING)


def verify(
    scheme: Scheme, webhook: Webhook, secrets: Sequence[str], max_age: timedelta | None = None
) -> VerifiedWebhook:
    """Prove a webhook with any of `secrets`; age is judged at `webhook.received_at`, both ways.

    `max_age` replaces the scheme's own tolerance, where the scheme signs a time at all. Raises SignatureError with
    the most telling cause, and UnavailableError where it can't be told now.
    """
    tolerance = scheme.tolerance if max_age is None else max_age
    if isinstance(scheme, SelfProving):
        proven = _read(lambda: scheme.prove(webhook, secrets))
        if proven is not None:
            _judge_age(proven.at, webhook.received_at, tolerance)
            return VerifiedWebhook(webhook, None, proven.at)
    failures = []
    for position, secret in enumerate(secrets):
        if not secret.strip():
            continue  # with an empty key anybody could sign
        try:
            signed = _read(partial(scheme.verify, webhook, secret))
            _judge_age(signed.at, webhook.received_at, tolerance)
        except SignatureError as error:
            failures.append(error)
        else:
            return VerifiedWebhook(webhook, position, signed.at)
    if not failures:
        raise SignatureError(RejectionCause.WRONG, "the source has no secret")
    raise min(failures, key=lambda failure: _TELLING.index(failure.cause))


def _read(judge: Callable[[], Proof]) -> Proof:
    try:
        return judge()
    except (SignatureError, UnavailableError):
        raise
    except Exception as error:  # a scheme that fails on forged input must refuse it, not break the door
        if is_of_machine(error):
            raise UnavailableError(f"the signature can't be judged now: {type(error).__name__}") from error
        raise SignatureError(RejectionCause.MALFORMED, f"unreadable ({type(error).__name__})") from error


def _judge_age(at: datetime | None, now: datetime, tolerance: timedelta | None) -> None:
    if at is None or tolerance is None:
        return
    age = now - at
    if abs(age) > tolerance:
        seconds = round(abs(age).total_seconds())
        where = "old" if age > timedelta(0) else "in the future"
        raise SignatureError(
            RejectionCause.STALE, f"signed {seconds} s {where}; {round(tolerance.total_seconds())} s are allowed"
        )
