"""What Amazon SNS puts around a message, and how it is proven: by SNS's certificate, or by basic auth without it.

https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html
https://docs.aws.amazon.com/sns/latest/dg/sns-large-payload-raw-message-delivery.html
"""

import base64
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from gateway.errors import PayloadError, RejectionCause, SignatureError
from gateway.translation import certificates, json_body, moment
from gateway.translation.certificates import Certificates
from gateway.translation.schemes import Basic, reading
from gateway.translation.signature import Fetch, KeyPair, Reads, Scheme, SelfProving, Signed, Unproven
from gateway.translation.webhook import Webhook

NOTIFICATION = "Notification"
SUBSCRIPTION = "SubscriptionConfirmation"
UNSUBSCRIPTION = "UnsubscribeConfirmation"

_CONFIRMATION = ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")
SIGNED = {
    NOTIFICATION: ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    SUBSCRIPTION: _CONFIRMATION,
    UNSUBSCRIPTION: _CONFIRMATION,
}
"""What is signed of each type, in this order; a notification without Subject is signed without."""

_DIGESTS: Mapping[str, type[hashes.SHA1] | type[hashes.SHA256]] = {"1": hashes.SHA1, "2": hashes.SHA256}

MOST = 1024 * 1024
"""Bytes that are read unproven: SNS takes messages of 256 KB, of which JSON may make twice as much and more."""

ANY_TOPIC = "*"
TOPIC = re.compile(
    r"arn:aws(?:-[a-z-]{1,20})?:sns:(?P<region>[a-z]{2}(?:-[a-z]{1,20}){1,3}-\d{1,2}):\d{12}:[\w-]{1,256}(?:\.fifo)?",
    re.ASCII,
)
_CERTIFICATE_PATH = re.compile(r"/[\w-]{1,200}\.pem", re.ASCII)
_QUERY = re.compile(r"[\w=&%.:~+-]{1,2000}", re.ASCII)

DOWNLOADED = Certificates(
    re.compile(r"https://sns\.[a-z0-9-]{1,60}\.amazonaws\.com(?:\.cn)?/[\w-]{1,200}\.pem", re.ASCII)
)

RETRIED_FOR = timedelta(hours=2)
"""SNS repeats for at most an hour, with the first signature and time (…/dg/sns-message-delivery-retries.html)."""


def envelope(body: bytes) -> Mapping[str, Any] | None:
    """The envelope of a body; None for one without: a message that is delivered raw, or nothing of SNS's at all.

    An envelope is flat but for the attributes of a message, so anybody's body costs no more than its bytes.
    """
    try:
        told = json_body.load_flat(body)
    except PayloadError:
        return None
    kind = told.get("Type")
    is_envelope = (isinstance(kind, str) and kind in SIGNED) or "Signature" in told or "SigningCertURL" in told
    return told if is_envelope else None


def host(topic: str) -> str | None:
    """The host that speaks for a topic; None for what is no topic."""
    found = TOPIC.fullmatch(topic)
    if found is None:
        return None
    region = found["region"]
    return f"sns.{region}.amazonaws.com{'.cn' if region.startswith('cn-') else ''}"


def address_to_confirm(told: Mapping[str, Any]) -> str | None:
    """The SubscribeURL of an envelope, if it is one: SNS's own, of this topic's region, for this topic."""
    address, topic = told.get("SubscribeURL"), told.get("TopicArn")
    if told.get("Type") != SUBSCRIPTION or not isinstance(address, str) or not isinstance(topic, str):
        return None
    start = f"https://{host(topic)}/?"
    query = address.removeprefix(start)
    if query == address or not _QUERY.fullmatch(query):
        return None
    asked = parse_qs(query)
    fits = asked.get("Action") == ["ConfirmSubscription"] and asked.get("TopicArn") == [topic]
    return address if fits else None


@dataclass(frozen=True)
class Sns(SelfProving):
    """An envelope is judged by its signature alone: by `pinned` certificates (PEM) where there are any, else by those
    among the secrets (the sandbox makes one), else by the one that it names at SNS. What has no envelope, as
    raw deliveries and EventBridge's have none, is judged by a shared secret: `raw`.

    A signature proves SNS, where everybody can have a topic: only `topics` are taken.
    """

    topics: tuple[str, ...]
    pinned: tuple[str, ...] = ()
    downloaded: Certificates = field(default=DOWNLOADED, repr=False)
    raw: Scheme = field(default_factory=Basic)

    @property
    def tolerance(self) -> timedelta:
        return RETRIED_FOR

    @property
    def signs_body(self) -> bool:
        return True

    @property
    def unproven(self) -> Unproven:
        return Unproven(Reads.CONTENT, MOST)

    @property
    def proof_headers(self) -> tuple[str, ...]:
        return self.raw.proof_headers

    def check_secret(self, secret: str) -> str | None:
        certificate = certificates.read(secret)
        return None if certificate and certificates.rsa_key(certificate) else self.raw.check_secret(secret)

    def fetching(self, fetch: Fetch) -> "Sns":
        return replace(self, downloaded=self.downloaded.by(fetch))

    def prove(self, webhook: Webhook, secrets: Sequence[str]) -> Signed | None:
        told = envelope(webhook.body)
        if told is None or (not self.pinned and any(certificates.read(secret) for secret in secrets)):
            return None
        topic_host = self._judge_topic(told)
        if self.pinned:
            return _judge_any([certificate for pem in self.pinned if (certificate := certificates.read(pem))], told)
        address = _text(told, "SigningCertURL")
        start = f"https://{topic_host}"
        if not (address.startswith(start) and _CERTIFICATE_PATH.fullmatch(address.removeprefix(start))):
            raise SignatureError(RejectionCause.WRONG, f"the certificate is not one of {topic_host}")
        certificate = self.downloaded.at(address)
        if not certificate.not_valid_before_utc <= webhook.received_at <= certificate.not_valid_after_utc:
            raise SignatureError(RejectionCause.WRONG, "the certificate is not valid at this time")
        signed = _judge_any([certificate], told)
        self.downloaded.proved(address, certificate)
        return signed

    def verify(self, webhook: Webhook, secret: str) -> Signed:
        certificate, told = certificates.read(secret), envelope(webhook.body)
        if certificate is None:
            if told is not None:
                raise SignatureError(
                    RejectionCause.MALFORMED, "an envelope is proven by its signature, not by a secret"
                )
            return self.raw.verify(webhook, secret)
        if told is None:
            raise SignatureError(RejectionCause.MISSING, "no envelope of SNS")
        self._judge_topic(told)
        return _judge_any([certificate], told)

    def sign(self, webhook: Webhook, signing: str, at: datetime) -> Webhook:
        """With a private key an envelope, around whatever has none yet; with a shared secret a raw delivery."""
        key = _private_key(signing)
        if key is None:
            return self.raw.sign(webhook, signing, at)
        told = {**_wrapped(webhook.body), **(envelope(webhook.body) or {})}
        told |= {"Timestamp": _milliseconds(at), "SignatureVersion": "2", "TopicArn": self._own_topic(told)}
        told["SigningCertURL"] = f"https://{host(told['TopicArn'])}/SimpleNotificationService-sample.pem"
        try:
            signature = key.sign(signed_text(told), padding.PKCS1v15(), hashes.SHA256())
        except SignatureError:
            return webhook  # not even the provider could sign that
        signed = json.dumps({**told, "Signature": base64.b64encode(signature).decode()}, ensure_ascii=False).encode()
        fields = {"Content-Type": "text/plain; charset=UTF-8", "x-amz-sns-message-id": str(told["MessageId"])}
        return replace(webhook.with_headers(fields), body=signed)

    def generate(self) -> KeyPair:
        return certificates.self_signed("Amazon SNS of the sandbox")

    def _judge_topic(self, told: Mapping[str, Any]) -> str:
        """The host that speaks for the envelope's topic. Raises SignatureError for a topic that is not taken."""
        topic, kind = _text(told, "TopicArn"), _text(told, "Type")
        speaks = host(topic)
        if speaks is None or kind not in SIGNED:
            raise SignatureError(RejectionCause.MALFORMED, "no envelope of SNS: TopicArn or Type is none of its")
        if topic not in self.topics and ANY_TOPIC not in self.topics:
            raise SignatureError(RejectionCause.WRONG, f"{kind} of {topic}, which is not among the source's `topics`")
        return speaks

    def _own_topic(self, told: Mapping[str, Any]) -> str:
        taken = [topic for topic in self.topics if topic != ANY_TOPIC]
        topic = told["TopicArn"]
        return topic if topic in taken or not taken else taken[0]


def _private_key(text: str) -> rsa.RSAPrivateKey | None:
    try:
        key = serialization.load_der_private_key(base64.b64decode(text, validate=True), password=None)
    except ValueError:
        return None
    return key if isinstance(key, rsa.RSAPrivateKey) else None


def signed_text(told: Mapping[str, Any]) -> bytes:
    """What the signature of an envelope covers. Raises SignatureError where a part of it is missing."""
    names = SIGNED[_text(told, "Type")]
    if told.get("Subject") is None:
        names = tuple(name for name in names if name != "Subject")
    try:
        return "".join(f"{name}\n{_text(told, name)}\n" for name in names).encode()
    except UnicodeEncodeError as error:
        raise SignatureError(RejectionCause.MALFORMED, "the envelope is no text") from error


def _judge_any(trusted: Sequence[x509.Certificate], told: Mapping[str, Any]) -> Signed:
    """Raise SignatureError unless one of the certificates proves the envelope."""
    digest = _DIGESTS.get(_text(told, "SignatureVersion"))
    signature = reading.decoded(_text(told, "Signature"), "base64")
    if digest is None or signature is None:
        raise SignatureError(RejectionCause.MALFORMED, "SignatureVersion is neither 1 nor 2, or Signature is no base64")
    text = signed_text(told)
    for certificate in trusted:
        key = certificates.rsa_key(certificate)
        try:
            if key is not None:
                key.verify(signature, text, padding.PKCS1v15(), digest())
                return Signed(_time(told))
        except InvalidSignature:
            continue
    raise SignatureError(RejectionCause.WRONG, "Signature does not fit this envelope and certificate")


def _time(told: Mapping[str, Any]) -> datetime:
    try:
        return moment.from_iso(told["Timestamp"])
    except PayloadError as error:
        raise SignatureError(RejectionCause.MALFORMED, f"Timestamp is {error}") from error


def _text(told: Mapping[str, Any], name: str) -> str:
    value = told.get(name)
    if not isinstance(value, str):
        raise SignatureError(RejectionCause.MISSING if value is None else RejectionCause.MALFORMED, f"no text {name}")
    return value


def _wrapped(body: bytes) -> dict[str, Any]:
    digest = hashlib.sha256(body).hexdigest()
    identity = f"{digest[:8]}-{digest[8:12]}-{digest[12:16]}-{digest[16:20]}-{digest[20:32]}"
    topic = "arn:aws:sns:eu-west-1:123456789012:mail"
    return {"Type": NOTIFICATION, "MessageId": identity, "TopicArn": topic, "Message": body.decode(errors="replace")}


def _milliseconds(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"
