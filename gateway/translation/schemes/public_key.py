"""Schemes where the provider holds a private key and the source its public half: ECDSA and RSA."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Literal, cast

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from gateway.errors import AdapterError, RejectionCause, SignatureError
from gateway.translation.schemes import reading
from gateway.translation.signature import HASHED, KeyPair, Signed, Unproven
from gateway.translation.webhook import Webhook

PublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey

_RSA_DIGESTS: Mapping[str, type[hashes.SHA1] | type[hashes.SHA256]] = {"sha1": hashes.SHA1, "sha256": hashes.SHA256}


@dataclass(frozen=True)
class Ecdsa:
    """Base64 of a DER signature, ECDSA on P-256 with SHA-256; the secret is the public key, base64 DER or PEM."""

    header: str
    timestamp_header: str | None = None
    signed: str = "{timestamp}{body}"
    tolerance: timedelta | None = None

    def __post_init__(self) -> None:
        reading.check_template(self.signed, self.timestamp_header, None, self.tolerance)

    @property
    def signs_body(self) -> bool:
        return True

    @property
    def unproven(self) -> Unproven:
        return HASHED

    @property
    def proof_headers(self) -> tuple[str, ...]:
        return (self.header,)

    def check_secret(self, secret: str) -> str | None:
        key = _public_key(secret)
        fits = isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1)
        return None if fits else "should be a P-256 public key, as base64 DER or PEM"

    def verify(self, webhook: Webhook, secret: str) -> Signed:
        signature, stamp = _signature_and_stamp(webhook, self.header, self.timestamp_header)
        at = reading.unix_time(stamp) if self.timestamp_header else None
        key = _public_key(secret)
        if not isinstance(key, ec.EllipticCurvePublicKey):
            raise SignatureError(RejectionCause.WRONG, "the configured public key can't be read")
        try:
            key.verify(signature, reading.signed_text(self.signed, webhook, stamp, ""), ec.ECDSA(hashes.SHA256()))
        except InvalidSignature as error:
            raise reading.wrong(self.header) from error
        return Signed(at)

    def sign(self, webhook: Webhook, signing: str, at: datetime) -> Webhook:
        key = cast(ec.EllipticCurvePrivateKey, _private_key(signing))
        message = reading.signed_text(self.signed, webhook, reading.to_unix(at), "")
        return _with_signature(webhook, self, key.sign(message, ec.ECDSA(hashes.SHA256())), at)

    def generate(self) -> KeyPair:
        return _key_pair(ec.generate_private_key(ec.SECP256R1()))


@dataclass(frozen=True)
class Rsa:
    """Base64 of an RSA signature (PKCS #1 v1.5); the secret is the public key, base64 DER or PEM."""

    header: str
    digest: Literal["sha1", "sha256"] = "sha256"
    timestamp_header: str | None = None
    signed: str = "{body}"
    tolerance: timedelta | None = None

    def __post_init__(self) -> None:
        if self.digest not in _RSA_DIGESTS:
            raise AdapterError(f"digest {self.digest!r} is neither sha1 nor sha256")
        reading.check_template(self.signed, self.timestamp_header, None, self.tolerance)

    @property
    def signs_body(self) -> bool:
        return True

    @property
    def unproven(self) -> Unproven:
        return HASHED

    @property
    def proof_headers(self) -> tuple[str, ...]:
        return (self.header,)

    def check_secret(self, secret: str) -> str | None:
        fits = isinstance(_public_key(secret), rsa.RSAPublicKey)
        return None if fits else "should be an RSA public key, as base64 DER or PEM"

    def verify(self, webhook: Webhook, secret: str) -> Signed:
        signature, stamp = _signature_and_stamp(webhook, self.header, self.timestamp_header)
        at = reading.unix_time(stamp) if self.timestamp_header else None
        key = _public_key(secret)
        if not isinstance(key, rsa.RSAPublicKey):
            raise SignatureError(RejectionCause.WRONG, "the configured public key can't be read")
        message = reading.signed_text(self.signed, webhook, stamp, "")
        try:
            key.verify(signature, message, padding.PKCS1v15(), _RSA_DIGESTS[self.digest]())
        except InvalidSignature as error:
            raise reading.wrong(self.header) from error
        return Signed(at)

    def sign(self, webhook: Webhook, signing: str, at: datetime) -> Webhook:
        key = cast(rsa.RSAPrivateKey, _private_key(signing))
        message = reading.signed_text(self.signed, webhook, reading.to_unix(at), "")
        return _with_signature(webhook, self, key.sign(message, padding.PKCS1v15(), _RSA_DIGESTS[self.digest]()), at)

    def generate(self) -> KeyPair:
        return _key_pair(rsa.generate_private_key(public_exponent=65537, key_size=2048))


def is_public_key(text: str) -> bool:
    """Whether a text is a public key, which is no secret at all."""
    return _public_key(text) is not None


def _signature_and_stamp(webhook: Webhook, header: str, timestamp_header: str | None) -> tuple[bytes, str]:
    signature = reading.decoded(reading.header(webhook, header), "base64")
    if signature is None:
        raise SignatureError(RejectionCause.MALFORMED, f"{header} is not base64")
    return signature, reading.header(webhook, timestamp_header) if timestamp_header else ""


def _der(key: str) -> bytes | None:
    """The DER of a key, told bare in base64 or as PEM, whose line ends may be escaped."""
    lines = key.replace("\\n", "\n").strip().splitlines()
    return reading.decoded("".join(line.strip() for line in lines if not line.startswith("-----")), "base64")


@lru_cache(maxsize=64)
def _public_key(secret: str) -> PublicKey | None:
    der = _der(secret)
    try:
        key = serialization.load_der_public_key(der) if der else None
    except (ValueError, UnsupportedAlgorithm):
        return None
    return key if isinstance(key, ec.EllipticCurvePublicKey | rsa.RSAPublicKey) else None


@lru_cache(maxsize=64)
def _private_key(signing: str) -> object:
    return serialization.load_der_private_key(_der(signing) or b"", password=None)


def _key_pair(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> KeyPair:
    public = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    private = key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return KeyPair(verifying=base64.b64encode(public).decode(), signing=base64.b64encode(private).decode())


def _with_signature(webhook: Webhook, scheme: Ecdsa | Rsa, signature: bytes, at: datetime) -> Webhook:
    fields = {scheme.header: base64.b64encode(signature).decode()}
    if scheme.timestamp_header:
        fields[scheme.timestamp_header] = reading.to_unix(at)
    return webhook.with_headers(fields)
