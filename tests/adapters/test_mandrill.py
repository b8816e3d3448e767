"""Mandrill beyond its fixtures: the URL belongs to what is signed, and to what is looked at first."""

import base64
import hmac
from dataclasses import replace
from urllib.parse import urlencode

import pytest

from adapters.mandrill import FormSignature, adapter, probe
from gateway.errors import SignatureError
from gateway.translation.registry import samples
from gateway.translation.signature import verify
from gateway.translation.webhook import Webhook
from tests.adapters.cases import NOW, Remembered, tell, webhook_of

URL = "https://user:pass%20word@hooks.example.com/webhooks/mandrill?shop=1"
EMPTY = urlencode({"mandrill_events": "[]"}).encode()


def form(body: bytes) -> Webhook:
    return replace(webhook_of(samples("mandrill")["sent"]), body=body)


def signed(webhook: Webhook, text: str, key: str = "key") -> Webhook:
    """Signed by hand: `text` is the URL and each name and value, sorted by name."""
    signature = base64.b64encode(hmac.digest(key.encode(), text.encode(), "sha1")).decode()
    return webhook.with_headers({"X-Mandrill-Signature": signature})


def test_the_url_and_the_sorted_fields_are_signed() -> None:
    webhook = form(urlencode({"z": "ü ☂", "mandrill_events": "[]", "a": ""}).encode())
    genuine = signed(webhook, "https://hooks.example.com/webhooks/mandrillamandrill_events[]zü ☂")
    assert verify(FormSignature(), genuine, ["key"]).secret == 0


def test_the_url_as_it_was_entered_is_signed_with_its_credentials() -> None:
    genuine = signed(form(EMPTY), f"{URL}mandrill_events[]")
    assert verify(adapter.scheme(adapter.options().load({"url": URL})), genuine, ["key"]).secret == 0
    with pytest.raises(SignatureError):
        verify(FormSignature(), genuine, ["key"])


def test_a_form_of_countless_fields_is_refused() -> None:
    with pytest.raises(SignatureError):
        verify(FormSignature(), form(b"&".join(b"a%d=" % number for number in range(10_000))), ["key"])


@pytest.mark.parametrize("url", ["hooks.example.com", "ftp://hooks.example.com", "https://", "https://a b", 7])
def test_an_url_that_is_none_is_a_fault(url: object) -> None:
    assert "url" in adapter.options().validate({"url": url})


@pytest.mark.parametrize(
    ("body", "key", "looked"),
    [
        (EMPTY, "key", True),
        (EMPTY, "test-webhook", True),
        (b"mandrill_events=[]", "test-webhook", True),
        (EMPTY, "another", False),
        (urlencode({"mandrill_events": '[{"event":"spam"}]'}).encode(), "test-webhook", False),
        (EMPTY + b"&a=b", "test-webhook", False),
        (b"", "test-webhook", False),
    ],
)
def test_only_an_empty_batch_is_a_look_at_the_url(body: bytes, key: str, looked: bool) -> None:
    webhook = FormSignature(URL).sign(form(body), key, NOW)
    assert probe(webhook, ["key"], {"url": URL}) is looked
    assert probe(webhook, ["key"], {"url": None}) is False


def test_an_unsigned_look_is_none() -> None:
    assert probe(form(EMPTY), ["key"], {}) is False


def test_what_is_repeated_is_one_fact_and_what_differs_is_another() -> None:
    sample = samples("mandrill")["clicked"]
    other = replace(sample, body=sample.body.replace(b"shop.example.com", b"blog.example.com"))
    keys = [event.keys for one in (sample, sample, other) for event in tell(adapter, one, Remembered()).events]
    assert (keys[0] == keys[1], len(set(keys))) == (True, 2)
