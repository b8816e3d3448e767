"""Certificates are asked for once, only where they may be, and never so often that it keeps anybody busy."""

import base64
import re
import threading
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from marshmallow import Schema, ValidationError

from gateway import http_get
from gateway.errors import RejectionCause, SignatureError, UnavailableError
from gateway.translation import certificates
from gateway.translation.certificates import CertificateFile, Certificates
from tests.webserver import answering, webserver

MADE = certificates.self_signed("somebody")
DER = base64.b64decode(MADE.verifying)
PEM = x509.load_der_x509_certificate(DER).public_bytes(Encoding.PEM)
GOOD = http_get.Answer(200, PEM)


@dataclass
class Elsewhere:
    """What answers in the place of the network, and a clock that stands still."""

    answer: http_get.Answer | None
    now: float = 1000.0
    asked: list[str] = field(default_factory=list)

    def get(self, address: str) -> http_get.Answer:
        self.asked.append(address)
        if self.answer is None:
            raise UnavailableError("no answer")
        return self.answer

    def certificates(self) -> Certificates:
        return Certificates(re.compile(r"https://example\.com/[a-z0-9]+\.pem"), self.get, lambda: self.now)


def test_a_certificate_is_downloaded_once_a_day() -> None:
    elsewhere = Elsewhere(GOOD)
    kept = elsewhere.certificates()
    assert {kept.at("https://example.com/a.pem") for _ in range(3)} == {x509.load_der_x509_certificate(DER)}
    assert len(elsewhere.asked) == 1
    elsewhere.now += certificates.KEPT_FOR + 1
    kept.at("https://example.com/a.pem")
    assert len(elsewhere.asked) == 2


@pytest.mark.parametrize("address", ["http://example.com/a.pem", "https://example.com/a.pem?", "x", "", "a\n"])
def test_an_address_that_is_not_allowed_is_not_asked(address: str) -> None:
    elsewhere = Elsewhere(GOOD)
    with pytest.raises(SignatureError):
        elsewhere.certificates().at(address)
    assert elsewhere.asked == []


@pytest.mark.parametrize(
    "answer",
    [http_get.Answer(404, b""), http_get.Answer(302, PEM), http_get.Answer(200, b"no PEM"), http_get.Answer(200, None)],
    ids=["missing", "redirected", "no certificate", "huge"],
)
def test_where_there_is_no_certificate_nobody_asks_again_for_minutes(answer: http_get.Answer) -> None:
    elsewhere = Elsewhere(answer)
    kept = elsewhere.certificates()
    for _ in range(3):
        with pytest.raises(SignatureError) as refused:
            kept.at("https://example.com/a.pem")
        assert refused.value.cause is RejectionCause.WRONG
    assert len(elsewhere.asked) == 1
    elsewhere.answer, elsewhere.now = GOOD, elsewhere.now + certificates.REFUSED_FOR + 1
    assert kept.at("https://example.com/a.pem")


@pytest.mark.parametrize("answer", [None, http_get.Answer(503, b""), http_get.Answer(429, b"")])
def test_what_can_not_be_told_now_is_asked_again_after_seconds(answer: http_get.Answer | None) -> None:
    elsewhere = Elsewhere(answer)
    kept = elsewhere.certificates()
    for _ in range(3):
        with pytest.raises(UnavailableError):
            kept.at("https://example.com/a.pem")
    assert len(elsewhere.asked) == 1
    elsewhere.answer, elsewhere.now = GOOD, elsewhere.now + certificates.UNREACHED_FOR + 1
    assert kept.at("https://example.com/a.pem")


def test_made_up_addresses_are_not_asked_without_end_and_push_out_nothing() -> None:
    elsewhere = Elsewhere(GOOD)
    kept = elsewhere.certificates()
    kept.at("https://example.com/genuine.pem")
    elsewhere.answer = http_get.Answer(404, b"")
    for number in range(1000):
        with pytest.raises((SignatureError, UnavailableError)):
            kept.at(f"https://example.com/{number}.pem")
    assert len(elsewhere.asked) == certificates.DOWNLOADS_A_MINUTE
    assert kept.at("https://example.com/genuine.pem")
    elsewhere.answer, elsewhere.now = GOOD, elsewhere.now + 61
    assert kept.at("https://example.com/new.pem")


def test_those_who_come_at_once_share_one_download() -> None:
    with webserver(answering(200, PEM)) as server:
        kept = Certificates(re.compile(re.escape(server.url) + "/a.pem"), http_get.get)
        threads = [threading.Thread(target=kept.at, args=(f"{server.url}/a.pem",)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert server.asked == ["/a.pem"]


def test_a_redirection_to_a_certificate_is_none() -> None:
    with webserver(answering(200, PEM)) as other:
        with webserver(answering(302, b"", {"Location": f"{other.url}/a.pem"})) as server:
            kept = Certificates(re.compile(re.escape(server.url) + "/a.pem"), http_get.get)
            with pytest.raises(SignatureError):
                kept.at(f"{server.url}/a.pem")
        assert other.asked == []


def test_a_huge_certificate_is_none() -> None:
    with webserver(answering(200, PEM + b"\n" * http_get.LARGEST)) as server:
        kept = Certificates(re.compile(re.escape(server.url) + "/a.pem"), http_get.get)
        with pytest.raises(SignatureError):
            kept.at(f"{server.url}/a.pem")


@pytest.mark.parametrize("text", [MADE.verifying, PEM.decode(), PEM.decode().replace("\n", "\\n")])
def test_a_certificate_is_read_as_pem_and_bare(text: str) -> None:
    assert certificates.read(text) == x509.load_der_x509_certificate(DER)


@pytest.mark.parametrize(
    "text", ["", "user:password", "AAAA", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"]
)
def test_what_is_no_certificate_is_none(text: str) -> None:
    assert certificates.read(text) is None


class Options(Schema):
    file = CertificateFile()


def test_a_certificate_may_be_named_or_stand_there(tmp_path: Path) -> None:
    (tmp_path / "sns.pem").write_bytes(PEM)
    assert Options().load({"file": str(tmp_path / "sns.pem")}) == Options().load({"file": PEM.decode()})


@pytest.mark.parametrize("content", [b"no PEM", None])
def test_a_file_without_a_certificate_is_a_fault(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "sns.pem").write_bytes(content)
    with pytest.raises(ValidationError):
        Options().load({"file": str(tmp_path / "sns.pem")})


@pytest.mark.parametrize(
    "answer", [None, http_get.Answer(503, b""), http_get.Answer(404, b""), http_get.Answer(200, b"x")]
)
def test_a_certificate_that_proved_something_is_served_where_it_can_not_be_had_again(
    answer: http_get.Answer | None,
) -> None:
    elsewhere = Elsewhere(GOOD)
    kept = elsewhere.certificates()
    proven = kept.at("https://example.com/a.pem")
    kept.proved("https://example.com/a.pem", proven)
    elsewhere.answer, elsewhere.now = answer, elsewhere.now + certificates.KEPT_FOR + 1
    assert [kept.at("https://example.com/a.pem") for _ in range(3)] == [proven] * 3
    assert len(elsewhere.asked) == 2


def test_one_that_proved_nothing_is_not_served_where_it_can_not_be_had_again() -> None:
    elsewhere = Elsewhere(GOOD)
    kept = elsewhere.certificates()
    kept.at("https://example.com/a.pem")
    elsewhere.answer, elsewhere.now = None, elsewhere.now + certificates.KEPT_FOR + 1
    with pytest.raises(UnavailableError):
        kept.at("https://example.com/a.pem")


def flooded(elsewhere: Elsewhere, kept: Certificates, start: int) -> None:
    """Strangers ask for addresses that they make up, each once."""
    elsewhere.answer = http_get.Answer(404, b"")
    for number in range(start, start + 200):
        with pytest.raises((SignatureError, UnavailableError)):
            kept.at(f"https://example.com/madeup{number}.pem")


def test_made_up_addresses_keep_no_proven_one_from_being_asked_for_again() -> None:
    elsewhere = Elsewhere(GOOD)
    kept = elsewhere.certificates()
    kept.proved("https://example.com/a.pem", kept.at("https://example.com/a.pem"))
    elsewhere.now += certificates.KEPT_FOR + 1
    flooded(elsewhere, kept, 0)
    elsewhere.answer = GOOD
    kept.at("https://example.com/a.pem")
    assert elsewhere.asked.count("https://example.com/a.pem") == 2


def test_made_up_addresses_keep_nobody_waiting_who_comes_back_with_his_own() -> None:
    elsewhere = Elsewhere(GOOD)
    kept = elsewhere.certificates()
    flooded(elsewhere, kept, 0)
    with pytest.raises(UnavailableError):
        kept.at("https://example.com/new.pem")
    elsewhere.now += certificates.PATIENT_AFTER
    flooded(elsewhere, kept, 200)
    elsewhere.answer = GOOD
    assert kept.at("https://example.com/new.pem")
    assert len(elsewhere.asked) == certificates.DOWNLOADS_A_MINUTE + 1
