"""What the door does beyond judging a signature: looks at the URL, subscriptions to confirm, proofs out of reach."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import pytest

from gateway.config import Source
from gateway.errors import UnavailableError
from gateway.ledger.database import Ledger
from gateway.ledger.schema import webhooks
from gateway.translation import certificates
from gateway.translation.registry import adapters, samples
from gateway.translation.schemes import Basic, Hmac
from gateway.translation.signature import Signed
from gateway.translation.webhook import Headers, Webhook
from tests.intake.conftest import SHOP, SOURCE, shop_at
from tests.making import rows
from tests.webserver import answering, webserver

COMPLAINT = {"type": "complaint", "id": "c1", "email": "ana@example.com"}
CONFIRMING = replace(SHOP, confirm=lambda verified: verified.headers.get("X-Shop-Confirm"))


def looked(webhook: Webhook, secrets: Sequence[str], options: Mapping[str, Any]) -> bool:
    return webhook.body.decode() == f"{options['word']} {len(secrets)}"


def test_a_look_at_the_url_is_judged_by_secrets_and_options_and_kept_nowhere(ledger: Ledger) -> None:
    with shop_at(ledger, replace(SHOP, probe=looked), replace(SOURCE, options={"word": "hello"})) as shop:
        answers = [shop.client.post("/webhooks/shop", data=body) for body in (b"hello 2", b"hi 2")]
        assert [(answer.status_code, answer.data == b"") for answer in answers] == [(200, True), (401, False)]
        assert rows(ledger, webhooks, "id") == []


def test_mandrills_look_is_signed_with_the_url_of_the_source(ledger: Ledger) -> None:
    mandrill, url = adapters()["mandrill"], "https://user:password@hooks.example.com/hook"
    source = Source("shop", "mandrill", "main", ("key",), options={"url": url})
    look = Webhook("shop", url, Headers(), b"mandrill_events=%5B%5D", datetime.now(UTC))
    signed = mandrill.scheme(source.options).sign(look, "test-webhook", look.received_at)
    with shop_at(ledger, mandrill, source) as shop:
        answer = shop.client.post("/webhooks/shop", data=signed.body, headers=dict(signed.headers))
        assert (answer.status_code, answer.data) == (200, b"")
        assert rows(ledger, webhooks, "id") == []


def test_a_subscription_is_confirmed_before_it_is_acknowledged(ledger: Ledger) -> None:
    with webserver(answering(200, b"<xml/>")) as server, shop_at(ledger, CONFIRMING, SOURCE) as shop:
        shop.receipt(COMPLAINT, X_Shop_Confirm=f"{server.url}/?token=1")
        assert server.asked == ["/?token=1"]
        assert len(rows(ledger, webhooks, "id")) == 1


@pytest.mark.parametrize("status", [302, 400, 500])
def test_a_subscription_that_can_not_be_confirmed_gets_503_and_nothing_is_kept(ledger: Ledger, status: int) -> None:
    with webserver(answering(status)) as server, shop_at(ledger, CONFIRMING, SOURCE) as shop:
        answer = shop.post(COMPLAINT, X_Shop_Confirm=server.url)
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
        assert rows(ledger, webhooks, "id") == []


def test_a_subscription_where_nobody_answers_gets_503(ledger: Ledger) -> None:
    with shop_at(ledger, CONFIRMING, SOURCE) as shop:
        assert shop.post(COMPLAINT, X_Shop_Confirm="http://127.0.0.1:1/").status_code == 503
        assert rows(ledger, webhooks, "id") == []


def test_nothing_is_confirmed_for_a_stranger(ledger: Ledger) -> None:
    with webserver(answering(200)) as server, shop_at(ledger, CONFIRMING, SOURCE) as shop:
        assert shop.post(COMPLAINT, secret="guessed", X_Shop_Confirm=server.url).status_code == 401
        assert server.asked == []


@dataclass(frozen=True)
class OutOfReach(Hmac):
    """A scheme that has to ask somebody who does not answer."""

    def verify(self, webhook: Webhook, secret: str) -> Signed:
        raise UnavailableError("nobody answers")


def test_a_proof_that_is_out_of_reach_gets_503_and_nothing_is_kept(ledger: Ledger) -> None:
    scheme = OutOfReach(header="X-Shop-Signature")
    with shop_at(ledger, replace(SHOP, scheme=lambda options: scheme), SOURCE) as shop:
        answer = shop.post(COMPLAINT)
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
        assert rows(ledger, webhooks, "id") == []


def test_who_needs_a_password_is_asked_for_it(ledger: Ledger) -> None:
    with shop_at(ledger, replace(SHOP, scheme=lambda options: Basic()), SOURCE) as shop:
        asked = shop.post(COMPLAINT).headers["WWW-Authenticate"]
    with shop_at(ledger, SHOP, SOURCE) as shop:
        silent = shop.post(COMPLAINT, secret="guessed").headers.get("WWW-Authenticate")
    assert (asked, silent) == ('Basic realm="webhooks"', None)


def test_sns_is_taken_in_without_a_secret(ledger: Ledger) -> None:
    ses, made, now = adapters()["amazon_ses"], certificates.self_signed("SNS"), datetime.now(UTC)
    pem = f"-----BEGIN CERTIFICATE-----\n{made.verifying}\n-----END CERTIFICATE-----"
    topics = ["arn:aws:sns:eu-west-1:123456789012:mail"]
    source = Source(
        "shop", "amazon_ses", "main", (), options=ses.options().load({"topics": topics, "signing_certificates": [pem]})
    )
    unsigned = samples("amazon_ses")["bounced"].webhook("shop", "https://hooks.example.com/webhooks/shop", now)
    signed = ses.scheme(source.options).sign(unsigned, made.signing, now)
    with shop_at(ledger, ses, source) as shop:
        answers = [
            shop.client.post("/webhooks/shop", data=body, headers=dict(signed.headers))
            for body in (signed.body, signed.body, signed.body.replace(b"ana@", b"bo@"))
        ]
    assert [answer.status_code for answer in answers] == [200, 200, 401]
    assert [answer.get_json().get("duplicate") for answer in answers] == [False, True, None]
    assert rows(ledger, webhooks, "secret", "outcome") == [(None, "translated")]
