"""How Shopify signs: base64 of an HMAC-SHA256 of the raw body, in a header that has two spellings."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from gateway.errors import RejectionCause, SignatureError
from gateway.translation import schemes
from gateway.translation.signature import HASHED, KeyPair, Signed, Unproven
from gateway.translation.webhook import Webhook

# The second is that of Events, the successor of webhooks: https://shopify.dev/docs/apps/build/events/delivery-structure
_SPELLINGS = tuple(
    schemes.Hmac(header=header, encoding="base64") for header in ("X-Shopify-Hmac-Sha256", "Shopify-Hmac-Sha256")
)

_ACCESS_TOKENS = ("shpat_", "shpca_", "shppa_", "shpua_")

# Deliveries to other clouds are not signed; whoever forwards them from there is known by this.
_FORWARDERS: Mapping[str, str] = {
    "apis-google": "Google Cloud Pub/Sub",
    "cloudpubsub-google": "Google Cloud Pub/Sub",
    "amazon/eventbridge": "Amazon EventBridge",
}


@dataclass(frozen=True)
class TwoSpellings:
    """The scheme; no time is signed, so ids and keys are what stops replays."""

    @property
    def tolerance(self) -> None:
        return None

    @property
    def proof_headers(self) -> tuple[str, ...]:
        return tuple(one.header for one in _SPELLINGS)

    @property
    def signs_body(self) -> bool:
        return True

    @property
    def unproven(self) -> Unproven:
        return HASHED

    def check_secret(self, secret: str) -> str | None:
        if secret.startswith(_ACCESS_TOKENS):
            return "is an access token of the Admin API; webhooks are signed with the app's client secret"
        return _SPELLINGS[0].check_secret(secret)

    def verify(self, webhook: Webhook, secret: str) -> Signed:
        forwarder = self._forwarder(webhook)
        if forwarder is not None:
            cause = RejectionCause.MISSING
            raise SignatureError(cause, f"forwarded by {forwarder}, where Shopify signs nothing; use an HTTPS address")
        return self._spelled(webhook).verify(webhook, secret)

    def sign(self, webhook: Webhook, signing: str, at: datetime) -> Webhook:
        spelling = _SPELLINGS["shopify-topic" in webhook.headers]
        return spelling.sign(webhook, signing, at)

    def generate(self) -> KeyPair:
        return _SPELLINGS[0].generate()

    def _spelled(self, webhook: Webhook) -> schemes.Hmac:
        return next((one for one in _SPELLINGS if one.header in webhook.headers), _SPELLINGS[0])

    def _forwarder(self, webhook: Webhook) -> str | None:
        if any(one.header in webhook.headers for one in _SPELLINGS):
            return None
        agent = webhook.headers.get("User-Agent", "").lower()
        return next((name for word, name in _FORWARDERS.items() if agent.startswith(word)), None)
