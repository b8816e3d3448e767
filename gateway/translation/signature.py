"""How a webhook proves where it comes from: schemes as data, each able to verify and to sign."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from gateway.translation.webhook import VerifiedWebhook, Webhook


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


class Scheme(Protocol):
    """One way of signing. `tolerance` is how far a signed time may lie from now; None where no time is signed."""

    @property
    def tolerance(self) -> timedelta | None: ...

    def check_secret(self, secret: str) -> str | None:
        """What is wrong with the form of a secret (never quoting it), or None."""

    def verify(self, webhook: Webhook, secret: str) -> Signed:
        """Raise SignatureError unless the webhook is signed with this secret; age is not judged here."""

    def sign(self, webhook: Webhook, signing: str, at: datetime) -> Webhook:
        """The webhook with the headers (or body) that the provider would have sent at that time."""

    def generate(self) -> KeyPair: ...


def verify(
    scheme: Scheme, webhook: Webhook, secrets: Sequence[str], max_age: timedelta | None = None
) -> VerifiedWebhook:
    """Prove a webhook with any of `secrets`.

    `max_age` replaces the scheme's own tolerance, where the scheme signs a time at all. Raises SignatureError.
    """
    raise NotImplementedError
