"""Who is believed: any of several secrets, within the tolerance, and what a refusal says."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

import gateway
from gateway.errors import RejectionCause, SignatureError, UnavailableError
from gateway.translation import schemes
from gateway.translation.schemes import reading
from gateway.translation.signature import Fetch, KeyPair, Reads, Scheme, SelfProving, Signed, Unproven, verify
from gateway.translation.webhook import Webhook
from tests.translation.requests import NOW, request

TIMED = schemes.Hmac(
    header="X-Signature", signed="{timestamp}.{body}", timestamp_header="X-Time", tolerance=timedelta(seconds=300)
)


def cause(scheme: Scheme, webhook: Webhook, secrets: Sequence[str], max_age: timedelta | None = None) -> RejectionCause:
    with pytest.raises(SignatureError) as caught:
        verify(scheme, webhook, secrets, max_age)
    return caught.value.cause


def test_any_of_several_secrets_proves_a_webhook() -> None:
    proven = verify(TIMED, TIMED.sign(request(), "former", NOW), ["new", "former"])
    assert (proven.secret, proven.signed_at, proven.body) == (1, NOW, request().body)


def test_without_a_secret_nothing_is_believed() -> None:
    assert cause(TIMED, TIMED.sign(request(), "", NOW), []) is RejectionCause.WRONG
    assert cause(TIMED, TIMED.sign(request(), "", NOW), ["", " "]) is RejectionCause.WRONG


@pytest.mark.parametrize("seconds", [-301, 301])
def test_age_is_judged_both_ways(seconds: int) -> None:
    webhook = TIMED.sign(request(), "secret", NOW + timedelta(seconds=seconds))
    assert cause(TIMED, webhook, ["secret"]) is RejectionCause.STALE


def test_max_age_replaces_the_tolerance() -> None:
    webhook = TIMED.sign(request(), "secret", NOW - timedelta(hours=2))
    assert verify(TIMED, webhook, ["secret"], timedelta(hours=3)).secret == 0
    assert cause(TIMED, webhook, ["secret"], timedelta(hours=1)) is RejectionCause.STALE


def test_max_age_means_nothing_where_no_time_is_signed() -> None:
    plain = schemes.Hmac(header="X-Signature")
    assert verify(plain, plain.sign(request(), "secret", NOW), ["secret"], timedelta(0)).signed_at is None


def test_a_right_signature_that_is_too_old_says_more_than_a_wrong_one() -> None:
    webhook = TIMED.sign(request(), "secret", NOW - timedelta(hours=2))
    assert cause(TIMED, webhook, ["other", "secret", "third"]) is RejectionCause.STALE


def test_a_refusal_tells_no_secret() -> None:
    with pytest.raises(SignatureError) as caught:
        verify(TIMED, TIMED.sign(request(), "other", NOW), ["s3cret"])
    assert "s3cret" not in str(caught.value)


IN_THE_BODY = Unproven(Reads.CONTENT)


@dataclass(frozen=True)
class InTheBody:
    """A scheme that an adapter brings: the body begins with its secret. Careless: a body that is not text breaks it."""

    tolerance: timedelta | None = None
    proof_headers: tuple[str, ...] = ()
    signs_body: bool = False
    unproven: Unproven = IN_THE_BODY

    def check_secret(self, secret: str) -> str | None:
        return reading.check_text(secret)

    def verify(self, webhook: Webhook, secret: str) -> Signed:
        reading.match(secret.encode(), [webhook.body.decode().split(" ")[0].encode()], "the body")
        return Signed()

    def sign(self, webhook: Webhook, signing: str, at: datetime) -> Webhook:
        return replace(webhook, body=signing.encode() + b" " + webhook.body)

    def generate(self) -> KeyPair:
        return reading.symmetric("generated")


def test_an_adapter_may_bring_a_scheme_of_its_own() -> None:
    scheme: Scheme = InTheBody()
    assert verify(scheme, scheme.sign(request(), "secret", NOW), ["secret"]).body.startswith(b"secret ")
    assert cause(scheme, request(), ["secret"]) is RejectionCause.WRONG


class Announced(InTheBody, SelfProving):
    """Believes, without a secret, what says of itself that it is genuine; what it is silent about, secrets decide."""

    def fetching(self, fetch: Fetch) -> Scheme:
        return self

    def prove(self, webhook: Webhook, secrets: Sequence[str]) -> Signed | None:
        match webhook.body:
            case b"genuine":
                return Signed(NOW)
            case b"forged":
                raise SignatureError(RejectionCause.WRONG, "it says so")
            case b"who knows":
                raise UnavailableError("nobody can tell now")
            case b"nonsense":
                raise ZeroDivisionError
        return None


def test_a_request_may_prove_itself_without_a_secret() -> None:
    proven = verify(Announced(), request(b"genuine"), [])
    assert (proven.secret, proven.signed_at) == (None, NOW)
    assert verify(Announced(), request(b"secret word"), ["secret"]).secret == 0


def test_no_secret_makes_up_for_a_proof_that_failed() -> None:
    assert cause(Announced(), request(b"forged"), ["forged"]) is RejectionCause.WRONG
    assert cause(Announced(), request(b"nonsense"), ["nonsense"]) is RejectionCause.MALFORMED
    late = replace(request(b"genuine"), received_at=NOW + timedelta(hours=2))
    assert cause(Announced(), late, ["genuine"], timedelta(hours=1)) is RejectionCause.STALE


def test_what_can_not_be_judged_now_is_no_refusal() -> None:
    with pytest.raises(UnavailableError):
        verify(Announced(), request(b"who knows"), ["who"])


def test_a_scheme_that_fails_on_forged_input_refuses_it() -> None:
    assert cause(InTheBody(), request(body=b"\xff"), ["secret"]) is RejectionCause.MALFORMED


def test_the_door_believes_nothing_but_verification() -> None:
    root = Path(gateway.__file__).parents[1]
    files = [file for folder in ("gateway/intake", "adapters") for file in (root / folder).rglob("*.py")]
    assert [file.name for file in files if "VerifiedWebhook(" in file.read_text()] == []
