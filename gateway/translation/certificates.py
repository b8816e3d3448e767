"""The certificates that signatures are checked with: read, made for the sandbox, and downloaded where providers say."""

import base64
import re
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from marshmallow import ValidationError, fields

from gateway.errors import RejectionCause, SignatureError, UnavailableError
from gateway.translation.schemes import reading
from gateway.translation.signature import Fetch, KeyPair, fetch_nothing

KEPT = 64
KEPT_FOR = 24 * 3600.0
REFUSED_FOR = 300.0
"""Seconds for which an address that has no certificate is not asked again."""
UNREACHED_FOR = 10.0
WITHIN = 3.0
"""Seconds that a request waits for a certificate that another is downloading."""
LARGEST = 64 * 1024
DOWNLOADS_A_MINUTE = 20
"""Of each of three kinds; more are never tried: strangers, who can name any address, keep nobody busy."""
PATIENT_AFTER = 3.0
"""Seconds after which an address that had to wait is asked for in a turn that new ones can't use up: who makes them up
has another one each time, and a provider comes back with its own."""
WAITING = 4096
"""Addresses of which is known since when they wait."""

_PEM = re.compile(r"-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----")


@lru_cache(maxsize=64)
def read(text: str) -> x509.Certificate | None:
    """The certificate in a PEM, whose line ends may be escaped, or in bare base64; None for whatever else."""
    pem = _PEM.search(text.replace("\\n", "\n"))
    der = reading.decoded("".join((pem[1] if pem else text).split()), "base64")
    try:
        return x509.load_der_x509_certificate(der) if der else None
    except ValueError:
        return None


def rsa_key(certificate: x509.Certificate) -> rsa.RSAPublicKey | None:
    """The public key, where it is one of RSA."""
    try:
        key = certificate.public_key()
    except ValueError:  # a key that cryptography does not read
        return None
    return key if isinstance(key, rsa.RSAPublicKey) else None


def self_signed(name: str) -> KeyPair:
    """A certificate and its private key, both in bare base64, for samples that nobody else will believe."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    certificate = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2120, 1, 1, tzinfo=UTC))
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    der = certificate.public_bytes(serialization.Encoding.DER)
    return KeyPair(verifying=base64.b64encode(der).decode(), signing=base64.b64encode(private).decode())


class CertificateFile(fields.Field[str]):
    """The path of a PEM file with an RSA certificate, or (by a reference) its content; loads as the content."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        if not isinstance(value, str) or not value:
            raise ValidationError("must be the path of a PEM file")
        certificate = read(value if "BEGIN CERTIFICATE" in value else _content(value))
        if certificate is None or rsa_key(certificate) is None:
            raise ValidationError("is no PEM file with an RSA certificate")
        return certificate.public_bytes(serialization.Encoding.PEM).decode()


def _content(path: str) -> str:
    try:
        with Path(path).open("rb") as file:
            return file.read(LARGEST).decode("latin-1")
    except (OSError, ValueError) as error:
        raise ValidationError(f"can't be read: {type(error).__name__}") from error


@dataclass(frozen=True)
class _Failure:
    """Why an address gave no certificate; `definite` where it answered so."""

    definite: bool
    text: str

    def error(self) -> SignatureError | UnavailableError:
        return SignatureError(RejectionCause.WRONG, self.text) if self.definite else UnavailableError(self.text)


class Certificates:
    """Downloaded certificates, asked for again after a day. Threads share one.

    `allowed` is what the whole of an address must look like; `get` asks there. One that proved a message (`proved`) is
    kept for good, and served where it can't be asked for again. What is found and what is not are kept apart, each
    bounded, so that made-up addresses push out nothing.
    """

    def __init__(
        self,
        allowed: re.Pattern[str],
        get: Fetch = fetch_nothing,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.allowed = allowed
        self._get = get
        self._clock = clock
        self._turn = threading.Lock()
        self._turn_of_proven = threading.Lock()
        self._found: dict[str, tuple[x509.Certificate, float]] = {}
        self._proven: dict[str, tuple[x509.Certificate, float]] = {}
        self._failed: dict[str, tuple[_Failure, float]] = {}
        self._waiting: dict[str, float] = {}
        self._downloads: dict[str, deque[float]] = {kind: deque() for kind in ("proven", "new", "patient")}

    def by(self, get: Fetch) -> "Certificates":
        """Others, asked for through `get`."""
        return Certificates(self.allowed, get, self._clock)

    def at(self, address: str) -> x509.Certificate:
        """The certificate at an address, asked for at most once.

        Raises SignatureError where there is none or the address is not allowed, UnavailableError where it can't be
        told now.
        """
        if not self.allowed.fullmatch(address):
            raise SignatureError(RejectionCause.WRONG, "the certificate's address is not one that may be asked")
        proven, until = self._proven.get(address, (None, 0.0))
        if proven is not None:
            return proven if self._clock() < until else self._renewed(address, proven)
        kept = self._kept(address)
        return kept if kept is not None else self._downloaded(address)

    def proved(self, address: str, certificate: x509.Certificate) -> None:
        """A message was proven by the certificate of this address: it is genuine, and no stranger made it up."""
        if address not in self._proven:
            _keep(self._proven, address, certificate, self._found.get(address, (None, self._clock() + KEPT_FOR))[1])

    def _renewed(self, address: str, proven: x509.Certificate) -> x509.Certificate:
        """Asked for again; the one that is known where that is refused, fails, or somebody else is at it."""
        if not self._turn_of_proven.acquire(blocking=False):
            return proven
        try:
            found = self._download(address) if self._may_download("proven") else None
            renewed = found if isinstance(found, x509.Certificate) else proven
            wait = KEPT_FOR if renewed is found else REFUSED_FOR
            _keep(self._proven, address, renewed, self._clock() + wait)
            return renewed
        finally:
            self._turn_of_proven.release()

    def _kept(self, address: str) -> x509.Certificate | None:
        now = self._clock()
        certificate, until = self._found.get(address, (None, now))
        if certificate is not None and now < until:
            return certificate
        failure, until = self._failed.get(address, (None, now))
        if failure is not None and now < until:
            raise failure.error()
        return None

    def _downloaded(self, address: str) -> x509.Certificate:
        if not self._turn.acquire(timeout=WITHIN):
            raise UnavailableError("another certificate is being downloaded")
        try:
            kept = self._kept(address)  # by whoever had the turn before
            if kept is not None:
                return kept
            self._wait_for_turn(address)
            found = self._download(address)
            if isinstance(found, _Failure):
                _keep(self._failed, address, found, self._clock() + (REFUSED_FOR if found.definite else UNREACHED_FOR))
                raise found.error()
            _keep(self._found, address, found, self._clock() + KEPT_FOR)
            return found
        finally:
            self._turn.release()

    def _wait_for_turn(self, address: str) -> None:
        """Raises UnavailableError where the address has to wait."""
        if self._may_download("new"):
            return
        now = self._clock()
        since = self._waiting.setdefault(address, now)
        while len(self._waiting) > WAITING:
            del self._waiting[next(iter(self._waiting))]
        if now - since < PATIENT_AFTER or not self._may_download("patient"):
            raise UnavailableError("too many certificates were asked for within a minute")
        self._waiting.pop(address, None)

    def _may_download(self, kind: str) -> bool:
        """Whether one more of this kind may be downloaded now, which is counted then."""
        now, counted = self._clock(), self._downloads[kind]
        while counted and counted[0] <= now - 60:
            counted.popleft()
        if len(counted) >= DOWNLOADS_A_MINUTE:
            return False
        counted.append(now)
        return True

    def _download(self, address: str) -> x509.Certificate | _Failure:
        try:
            answer = self._get(address)
        except UnavailableError as error:
            return _Failure(False, f"the certificate can't be downloaded: {error}")
        if answer.status >= 500 or answer.status == 429:
            return _Failure(False, f"the certificate can't be downloaded: status {answer.status}")
        if answer.status != 200 or answer.body is None:
            return _Failure(True, f"there is no certificate at the address that was named (status {answer.status})")
        certificate = read(answer.body.decode("latin-1"))
        if certificate is None or rsa_key(certificate) is None:
            return _Failure(True, "what is at the address that was named is no RSA certificate")
        return certificate


def _keep(kept: dict[str, Any], address: str, value: object, until: float) -> None:
    kept.pop(address, None)
    kept[address] = value, until
    while len(kept) > KEPT:
        del kept[next(iter(kept))]
