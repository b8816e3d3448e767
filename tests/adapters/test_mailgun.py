"""Mailgun beyond its fixtures: in agreement with Mailgun's own SDK, subaccounts, forms with files, tokens."""

import hashlib
import hmac
import json
from dataclasses import replace

import pytest
from mailgun.security import SecurityGuard

from adapters.mailgun import SCHEME, multipart
from gateway.errors import RejectionCause, SignatureError
from gateway.translation.registry import adapters, default_sample
from gateway.translation.signature import verify
from gateway.translation.webhook import Headers, Webhook
from tests.adapters.cases import NOW, Remembered, keys_of, tell, verified, webhook_of

ADAPTER = adapters()["mailgun"]
KEY, PARENT_KEY = "key-of-the-subaccount", "key-of-the-account"
STAMP = str(int(NOW.timestamp()))
TOKEN = "e0b5477167110d68991efc6b9f89f0a11066af27834600e123"


def signature(key: str) -> str:
    return hmac.new(key.encode(), f"{STAMP}{TOKEN}".encode(), hashlib.sha256).hexdigest()


def posted(body: bytes, content_type: str = "application/json") -> Webhook:
    return Webhook("mailgun", "https://hooks.example.com/", Headers({"Content-Type": content_type}), body, NOW)


def signed_by(**block: object) -> Webhook:
    event = json.loads(default_sample("mailgun").body)
    return posted(json.dumps({"signature": {"timestamp": STAMP, "token": TOKEN, **block}, **event}).encode())


def refusal(webhook: Webhook, secret: str) -> RejectionCause:
    with pytest.raises(SignatureError) as caught:
        verify(SCHEME, webhook, [secret])
    return caught.value.cause


@pytest.mark.parametrize(("secret", "believed"), [(KEY, True), ("another", False)])
def test_mailguns_sdk_believes_what_is_signed_here(secret: str, believed: bool) -> None:
    signed = SCHEME.sign(webhook_of(default_sample("mailgun")), KEY, NOW)
    block = json.loads(signed.body)["signature"]
    judged = SecurityGuard.verify_webhook(
        secret, block["token"], block["timestamp"], block["signature"], max_age_seconds=0
    )
    assert judged is believed


def test_what_mailgun_signs_is_believed() -> None:
    assert verify(SCHEME, signed_by(signature=signature(KEY)), [KEY]).signed_at == NOW


def test_the_key_of_the_account_above_a_subaccount_is_enough() -> None:
    webhook = signed_by(signature=signature(KEY), **{"parent-signature": signature(PARENT_KEY)})
    assert [verify(SCHEME, webhook, [secret]).secret for secret in (KEY, PARENT_KEY)] == [0, 0]
    assert refusal(webhook, "another") is RejectionCause.WRONG


@pytest.mark.parametrize("block", [{}, {"signature": None}, {"signature": "ab", "token": ""}, {"timestamp": None}])
def test_a_block_without_its_members_is_no_signature(block: dict[str, object]) -> None:
    assert refusal(signed_by(**block), KEY) is RejectionCause.MISSING


@pytest.mark.parametrize("block", [{"signature": "no hex"}, {"signature": "ab", "timestamp": "soon"}])
def test_a_block_that_is_nonsense_is_refused(block: dict[str, object]) -> None:
    assert refusal(signed_by(**block), KEY) is RejectionCause.MALFORMED


def test_a_timestamp_may_be_a_number() -> None:
    assert verify(SCHEME, signed_by(signature=signature(KEY), timestamp=int(STAMP)), [KEY]).signed_at == NOW


def test_the_token_names_the_delivery_whatever_body_is_put_under_it() -> None:
    sample = default_sample("mailgun")
    webhook = SCHEME.sign(webhook_of(sample), KEY, NOW)
    other = replace(webhook, body=webhook.body.replace(b"ana@", b"eve@"))
    named = [ADAPTER.delivery_id(verify(SCHEME, each, [KEY])) for each in (webhook, other)]
    assert named[0] == named[1] is not None


MULTIPART = """--x\r
Content-Disposition: form-data; name="event"\r
\r
bounced\r
--x\r
Content-Disposition: form-data; name="recipient"\r
\r
ana@example.com\r
--x\r
Content-Disposition: form-data; name="code"\r
\r
550\r
--x\r
Content-Disposition: form-data; name="error"\r
\r
5.1.1 no such user: ü\r
--x\r
Content-Disposition: form-data; name="Message-Id"\r
\r
<1@mg.example.com>\r
--x\r
Content-Disposition: form-data; name="attachment-1"; filename="message.mime"\r
Content-Type: application/octet-stream\r
\r
event=opened\r
--x\r
Content-Disposition: form-data; name="timestamp"\r
\r
{stamp}\r
--x\r
Content-Disposition: form-data; name="token"\r
\r
{token}\r
--x\r
Content-Disposition: form-data; name="signature"\r
\r
{signature}\r
--x--\r
"""


def test_a_form_with_files_is_read() -> None:
    body = MULTIPART.format(stamp=STAMP, token=TOKEN, signature=signature(KEY)).encode()
    told = verify(SCHEME, posted(body, 'multipart/form-data; boundary="x"'), [KEY])
    [event] = ADAPTER.split(told)
    assert ADAPTER.delivery_id(told) == TOKEN
    assert (event.id, event.type, event.occurred_at) == (TOKEN, "permanent_fail", NOW)  # type: ignore[union-attr]  # one event
    assert event.payload["delivery-status"] == {"code": "550", "message": "5.1.1 no such user: ü"}  # type: ignore[union-attr]


def test_custom_variables_in_a_form_hide_neither_event_nor_signature() -> None:
    body = b"event=opened&recipient=ana@example.com&timestamp=1&token=mine&event=mine&recipient=eve@example.com"
    told = SCHEME.sign(posted(body, "application/x-www-form-urlencoded"), keys_of(SCHEME).signing, NOW)
    [event] = ADAPTER.split(verify(SCHEME, told, [keys_of(SCHEME).verifying]))
    assert (event.type, event.payload["recipient"]) == ("opened", "ana@example.com")  # type: ignore[union-attr]


def test_an_event_posted_for_domain_and_account_is_one_fact() -> None:
    sample = default_sample("mailgun")
    again = replace(sample, body=sample.body.replace(b'"attempt-no":1', b'"attempt-no":2'))
    tokens = {ADAPTER.delivery_id(verified(ADAPTER, each)) for each in (sample, again)}
    keys = {tell(ADAPTER, each, Remembered()).events[0].keys for each in (sample, again)}
    assert (len(tokens), len(keys)) == (2, 1)


NESTED = b'--x\r\nContent-Disposition: form-data; name="event"\r\nContent-Type: multipart/mixed; boundary=y\r\n\r\n'


def test_what_is_nested_in_a_form_is_the_value_of_a_field() -> None:
    body = NESTED + b"--y\r\n\r\nopened\r\n--y--\r\n--x--\r\n"
    assert multipart.pairs("multipart/form-data; boundary=x", body) == [(b"event", b"--y\r\n\r\nopened\r\n--y--")]


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("multipart/form-data", MULTIPART.encode()),
        ("multipart/form-data; boundary=x", MULTIPART.encode()[:-9]),
        ("multipart/form-data; boundary=x", NESTED + b"a\r\n" + (NESTED + b"a\r\n") * 100 + b"--x--\r\n"),
        ("multipart/form-data; boundary=x", b"--x\r\n" + b"a: b\r\n" * 10_000 + NESTED[5:] + b"a\r\n--x--\r\n"),
        ("multipart/form-data; boundary=x", b"--x\r\n\r\na\r\n--x--\r\n"),
    ],
    ids=["no boundary", "no end", "101 parts", "long headers", "no name"],
)
def test_a_form_that_is_none_or_too_much_of_one_is_refused(content_type: str, body: bytes) -> None:
    assert refusal(posted(body, content_type), KEY) is RejectionCause.MALFORMED


def test_a_body_with_two_signatures_says_nothing_of_which_was_meant() -> None:
    block = json.dumps({"timestamp": STAMP, "token": TOKEN, "signature": signature(KEY)})
    other = block.replace("e0b5", "e0b6")
    body = f'{{"event-data":{{"signature":{other}}},"signature":{block}}}'
    assert refusal(posted(body.encode()), KEY) is RejectionCause.MALFORMED
    named = f'{{"event-data":{{"user-variables":{{"signature":{{"html":"Ana"}}}}}},"signature":{block}}}'
    assert verify(SCHEME, posted(named.encode()), [KEY]).signed_at == NOW
