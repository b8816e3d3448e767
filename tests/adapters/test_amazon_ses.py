"""Amazon SES beyond its fixtures: whom an envelope of SNS has to convince, and of what."""

import base64
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from adapters.amazon_ses import Options, adapter, confirm, scheme, sns
from gateway import http_get
from gateway.errors import RejectionCause, SignatureError, UnavailableError
from gateway.translation import certificates
from gateway.translation.certificates import Certificates
from gateway.translation.registry import samples
from gateway.translation.signature import verify
from gateway.translation.webhook import VerifiedWebhook, Webhook
from tests.adapters.cases import NOW, Remembered, tell, webhook_of

TOPIC = "arn:aws:sns:eu-west-1:123456789012:mail"
HOST = "https://sns.eu-west-1.amazonaws.com"
CERTIFICATE = f"{HOST}/SimpleNotificationService-0123456789abcdef0123456789abcdef.pem"
SUBSCRIBE = f"{HOST}/?Action=ConfirmSubscription&TopicArn={TOPIC}&Token=2336412f37f"
AMAZON, STRANGER = certificates.self_signed("Amazon"), certificates.self_signed("a stranger")
ENVELOPE = {
    "Type": "Notification",
    "MessageId": "165545c9-2a5c-472c-8df2-7ff2be2b3b1b",
    "TopicArn": TOPIC,
    "Message": '{"eventType": "Send"}',
    "Timestamp": NOW.isoformat(),
    "SignatureVersion": "2",
    "SigningCertURL": CERTIFICATE,
}
SUBSCRIPTION = ENVELOPE | {"Type": "SubscriptionConfirmation", "Token": "2336412f37f", "SubscribeURL": SUBSCRIBE}


def pem(pair: Any) -> bytes:
    certificate = x509.load_der_x509_certificate(base64.b64decode(pair.verifying))
    return certificate.public_bytes(serialization.Encoding.PEM)


@dataclass
class Network:
    """Every host that there is answers with Amazon's certificate, so that only what is asked matters."""

    answer: http_get.Answer | None = field(default_factory=lambda: http_get.Answer(200, pem(AMAZON)))
    asked: list[str] = field(default_factory=list)

    def get(self, address: str) -> http_get.Answer:
        self.asked.append(address)
        if self.answer is None:
            raise UnavailableError("no answer")
        return self.answer

    def scheme(self, *topics: str) -> sns.Sns:
        return sns.Sns(topics or (TOPIC,), (), Certificates(sns.DOWNLOADED.allowed, self.get))


def envelope(told: Mapping[str, Any] = ENVELOPE, pair: Any = AMAZON, **changes: Any) -> Webhook:
    """An envelope, signed as SNS would, by whoever holds the key of `pair`."""
    told = {name: value for name, value in {**told, **changes}.items() if value is not None}
    key = cast(rsa.RSAPrivateKey, serialization.load_der_private_key(base64.b64decode(pair.signing), None))
    digest = hashes.SHA1() if told.get("SignatureVersion") == "1" else hashes.SHA256()
    told.setdefault("Signature", base64.b64encode(key.sign(text_of(told), padding.PKCS1v15(), digest)).decode())
    return body(json.dumps(told).encode())


def text_of(told: Mapping[str, Any]) -> bytes:
    """What SNS signs, written down once more from its documentation."""
    if told["Type"] == "Notification":
        names = ["Message", "MessageId", *(["Subject"] if "Subject" in told else []), "Timestamp", "TopicArn", "Type"]
    else:
        names = ["Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"]
    return "".join(f"{name}\n{told[name]}\n" for name in names).encode()


def body(text: bytes) -> Webhook:
    return replace(webhook_of(samples("amazon_ses")["bounced"]), body=text)


def refusal(scheme: sns.Sns, webhook: Webhook, secrets: Sequence[str] = ()) -> RejectionCause:
    with pytest.raises(SignatureError) as refused:
        verify(scheme, webhook, secrets)
    return refused.value.cause


@pytest.mark.parametrize("version", ["1", "2"])
@pytest.mark.parametrize("subject", [None, "Amazon SES Email Event Notification"])
def test_sns_is_believed_without_a_secret(version: str, subject: str | None) -> None:
    network = Network()
    proven = verify(network.scheme(), envelope(SignatureVersion=version, Subject=subject), [])
    assert (proven.secret, proven.signed_at, network.asked) == (None, NOW, [CERTIFICATE])


def test_confirmations_are_signed_with_their_address() -> None:
    assert verify(Network().scheme(), envelope(SUBSCRIPTION), []).secret is None
    moved = envelope(SUBSCRIPTION | {"SubscribeURL": SUBSCRIBE + "&a=b", "Signature": signature_of(SUBSCRIPTION)})
    assert refusal(Network().scheme(), moved) is RejectionCause.WRONG


def signature_of(told: Mapping[str, Any]) -> str:
    signature: str = json.loads(envelope(told).body)["Signature"]
    return signature


def test_chinas_regions_have_a_domain_of_their_own() -> None:
    topic = "arn:aws-cn:sns:cn-north-1:123456789012:mail"
    address = "https://sns.cn-north-1.amazonaws.com.cn/SimpleNotificationService-0.pem"
    assert verify(Network().scheme(topic), envelope(TopicArn=topic, SigningCertURL=address), []).secret is None


@pytest.mark.parametrize(
    "address",
    [
        CERTIFICATE.replace("https:", "http:"),
        CERTIFICATE.replace("amazonaws.com", "example.com"),
        CERTIFICATE.replace("amazonaws.com", "amazonaws.com.evil.example.com"),
        CERTIFICATE.replace("amazonaws.com", "amazonaws.com:8443"),
        CERTIFICATE.replace("amazonaws.com", "amazonaws.com.cn"),
        CERTIFICATE.replace("eu-west-1", "us-east-1"),
        CERTIFICATE.replace("eu-west-1", "eu-west-1.evil"),
        CERTIFICATE.replace("eu-west-1", "eu-west-1@evil"),
        CERTIFICATE.replace("sns.", "sqs."),
        CERTIFICATE.replace("//sns", "//user:password@sns"),
        CERTIFICATE.replace("//sns", "//evil.example.com#@sns"),
        CERTIFICATE.replace("//sns", "//evil.example.com\\@sns"),
        CERTIFICATE.replace("//sns", "//evil.example.com/sns"),
        CERTIFICATE.replace("sns.", "SNS."),
        CERTIFICATE.replace("/Simple", "/../Simple"),
        CERTIFICATE.replace("/Simple", "/%2e%2e/Simple"),
        CERTIFICATE.replace("/Simple", "//evil.example.com/Simple"),
        CERTIFICATE + "?x=.pem",
        CERTIFICATE + "#.pem",
        CERTIFICATE + "\n",
        CERTIFICATE.removesuffix(".pem"),
        CERTIFICATE.removesuffix("m") + "м",
        " " + CERTIFICATE,
        "",
        "file:///etc/ssl/cert.pem",
    ],
)
def test_a_certificate_from_elsewhere_is_not_even_asked_for(address: str) -> None:
    network = Network()
    assert refusal(network.scheme(), envelope(SigningCertURL=address)) is RejectionCause.WRONG
    assert network.asked == []


@pytest.mark.parametrize(
    "answer", [http_get.Answer(404, b""), http_get.Answer(302, pem(AMAZON)), http_get.Answer(200, None)]
)
def test_a_certificate_that_is_none_is_asked_for_once(answer: http_get.Answer) -> None:
    network = Network(answer)
    sns_scheme = network.scheme()
    assert [refusal(sns_scheme, envelope()) for _ in range(3)] == [RejectionCause.WRONG] * 3
    assert len(network.asked) == 1


def test_what_can_not_be_judged_now_is_neither_believed_nor_refused() -> None:
    with pytest.raises(UnavailableError):
        verify(Network(None).scheme(), envelope(), [])


def test_a_certificate_out_of_its_time_proves_nothing() -> None:
    late = replace(envelope(Timestamp="2130-01-01T00:00:00Z"), received_at=NOW.replace(year=2130))
    assert refusal(Network().scheme(), late) is RejectionCause.WRONG


FOREIGN = "arn:aws:sns:eu-west-1:999999999999:mail"


@pytest.mark.parametrize("told", [ENVELOPE, SUBSCRIPTION], ids=["notification", "subscription"])
def test_a_foreign_topic_is_refused_by_name_before_anything_is_downloaded(told: dict[str, Any]) -> None:
    network = Network()
    with pytest.raises(SignatureError, match=f"{told['Type']} of {FOREIGN}, which is not among the source's `topics`"):
        verify(network.scheme(), envelope(told, TopicArn=FOREIGN), [])
    assert network.asked == []


def test_every_topic_is_taken_only_where_that_is_asked_for() -> None:
    assert verify(Network().scheme("*"), envelope(TopicArn=FOREIGN), []).secret is None
    assert refusal(Network().scheme(TOPIC + "s", TOPIC[:-1]), envelope()) is RejectionCause.WRONG


@pytest.mark.parametrize(
    "name", ["Message", "MessageId", "Timestamp", "TopicArn", "Type", "Signature", "SignatureVersion"]
)
@pytest.mark.parametrize("value", [None, 7, ["x"], {}, "x", "\x00"])
def test_an_envelope_with_anything_changed_is_refused(name: str, value: object) -> None:
    told = json.loads(envelope().body) | {name: value}
    told = {key: kept for key, kept in told.items() if kept is not None}
    assert isinstance(refusal(Network().scheme("*"), body(json.dumps(told).encode())), RejectionCause)


@pytest.mark.parametrize("version", ["0", "3", "", "sha1"])
def test_only_the_two_versions_are_read(version: str) -> None:
    assert refusal(Network().scheme(), envelope(SignatureVersion=version)) is RejectionCause.MALFORMED


def test_a_subject_can_not_be_slipped_in_or_taken_away() -> None:
    plain, titled = json.loads(envelope().body), json.loads(envelope(Subject="x").body)
    slipped = body(json.dumps(plain | {"Subject": "x"}).encode())
    taken = body(json.dumps({name: value for name, value in titled.items() if name != "Subject"}).encode())
    assert [refusal(Network().scheme(), one) for one in (slipped, taken)] == [RejectionCause.WRONG] * 2


def test_a_strangers_signature_is_refused() -> None:
    assert refusal(Network().scheme(), envelope(pair=STRANGER)) is RejectionCause.WRONG


def test_a_retry_of_an_hour_is_believed_and_one_of_a_day_is_not() -> None:
    late = [replace(envelope(), received_at=NOW + timedelta(hours=hours)) for hours in (1, 24)]
    assert verify(Network().scheme(), late[0], []).signed_at == NOW
    assert refusal(Network().scheme(), late[1]) is RejectionCause.STALE


def test_pinned_certificates_are_the_only_ones_and_nothing_is_downloaded(tmp_path: Path) -> None:
    (tmp_path / "sns.pem").write_bytes(pem(AMAZON))
    (tmp_path / "old.pem").write_bytes(pem(STRANGER))
    files = [str(tmp_path / "old.pem"), str(tmp_path / "sns.pem")]
    options = Options().load({"topics": [TOPIC], "signing_certificates": files})
    network = Network()
    pinned = replace(scheme(options), downloaded=network.scheme().downloaded)
    assert verify(pinned, envelope(SigningCertURL="https://nowhere.example.com/"), []).secret is None
    assert refusal(pinned, envelope(pair=certificates.self_signed("another"))) is RejectionCause.WRONG
    assert network.asked == []


def raw(secret: str | None) -> Webhook:
    webhook = body(samples("amazon_ses")["bounced"].body)
    return webhook if secret is None else Network().scheme().sign(webhook, secret, NOW)


def test_a_raw_delivery_is_judged_by_basic_auth_alone() -> None:
    sns_scheme = Network().scheme()
    assert verify(sns_scheme, raw("user:password"), ["user:other", "user:password"]).secret == 1
    assert refusal(sns_scheme, raw("user:wrong"), ["user:password"]) is RejectionCause.WRONG
    assert refusal(sns_scheme, raw(None), ["user:password"]) is RejectionCause.MISSING
    assert refusal(sns_scheme, raw("user:password"), []) is RejectionCause.WRONG


def test_a_password_makes_no_envelope_genuine() -> None:
    forged = Network().scheme().sign(envelope(pair=STRANGER), "user:password", NOW)
    assert refusal(Network().scheme(), forged, ["user:password"]) is RejectionCause.WRONG
    hollow = body(json.dumps({"Signature": "", "eventType": "Send"}).encode())
    assert refusal(Network().scheme(), Network().scheme().sign(hollow, "user:password", NOW), ["user:password"]) in (
        RejectionCause.MISSING,
        RejectionCause.MALFORMED,
    )


def test_a_sample_says_what_a_raw_delivery_says() -> None:
    sample = samples("amazon_ses")["bounced"]
    whole = verify(Network().scheme(), raw("user:password"), ["user:password"])
    [event] = tell(adapter, sample, Remembered()).source_events
    assert list(adapter.split(whole)) == [event]


def test_a_raw_delivery_is_named_by_its_header() -> None:
    named = raw("user:password").with_headers({"X-Amz-Sns-Message-Id": "m1"})
    assert adapter.delivery_id(verify(Network().scheme(), named, ["user:password"])) == "m1"
    assert adapter.delivery_id(verify(Network().scheme(), envelope(), [])) == ENVELOPE["MessageId"]


def confirmed(**changes: Any) -> str | None:
    return confirm(verify(Network().scheme(), envelope(SUBSCRIPTION, **changes), []))


def test_a_subscription_is_confirmed_where_sns_says() -> None:
    assert confirmed() == SUBSCRIBE
    assert confirmed(Type="UnsubscribeConfirmation") is None
    assert confirm(verify(Network().scheme(), envelope(), [])) is None


@pytest.mark.parametrize(
    "address",
    [
        SUBSCRIBE.replace("https:", "http:"),
        SUBSCRIBE.replace("amazonaws.com", "amazonaws.com.evil.example.com"),
        SUBSCRIBE.replace("eu-west-1.", "us-east-1.", 1),
        SUBSCRIBE.replace("//sns", "//user@sns"),
        SUBSCRIBE.replace("/?", "/x?"),
        SUBSCRIBE.replace("ConfirmSubscription", "Unsubscribe"),
        SUBSCRIBE.replace(":mail", ":other"),
        SUBSCRIBE + "&Action=Unsubscribe",
        SUBSCRIBE + "#x",
        SUBSCRIBE + "\r\nHost: evil",
        "",
    ],
)
def test_no_other_address_is_visited(address: str) -> None:
    assert confirmed(SubscribeURL=address) is None


def test_a_sample_confirms_nothing() -> None:
    sns_scheme, sample = Network().scheme(), samples("amazon_ses")["subscription"]
    told = verify(sns_scheme, sns_scheme.sign(webhook_of(sample), AMAZON.signing, NOW), [AMAZON.verifying])
    assert (told.secret, confirm(told)) == (0, None)


def test_the_same_bounce_told_by_feedback_and_by_event_publishing_is_one_fact() -> None:
    keys = [
        event.keys
        for case in ("bounced", "feedback_bounced")
        for event in tell(adapter, samples("amazon_ses")[case], Remembered()).events
    ]
    assert keys[0] == keys[1]


def test_two_opens_and_two_recipients_are_facts_of_their_own() -> None:
    opened = samples("amazon_ses")["opened"]
    later = replace(opened, body=opened.body.replace(b"09:00:00.669Z", b"09:00:00.670Z"))
    several = tell(adapter, samples("amazon_ses")["delivered"], Remembered()).events
    found = [event.keys for one in (opened, later) for event in tell(adapter, one, Remembered()).events]
    assert len({*found, *(event.keys for event in several)}) == 4


@pytest.mark.parametrize("topics", [None, [], ["mail"], ["arn:aws:sns:eu-west-1:1:mail"], [TOPIC, 7], "*"])
def test_topics_are_demanded(topics: object) -> None:
    assert "topics" in Options().validate({} if topics is None else {"topics": topics})


def test_what_may_be_a_secret_is_told() -> None:
    told = [Network().scheme().check_secret(text) for text in ("user:password", AMAZON.verifying, "password", "")]
    assert told == [None, None, "should be user:password", "should be user:password"]


def test_the_addresses_that_may_be_asked_are_sns_own() -> None:
    assert re.fullmatch(sns.DOWNLOADED.allowed, CERTIFICATE)
    assert not re.fullmatch(sns.DOWNLOADED.allowed, CERTIFICATE.replace("amazonaws.com", "example.com"))


def test_a_body_that_is_no_webhook_of_theirs_is_quarantined_and_breaks_nothing() -> None:
    verified = VerifiedWebhook(body(b"\xff\xfe"), None, NOW)
    assert (adapter.delivery_id(verified), confirm(verified)) == (None, None)


def test_event_bridge_proves_itself_by_a_header() -> None:
    options = adapter.options().load({"topics": [TOPIC], "auth": "header", "header": "X-Api-Key"})
    secret = "a-secret-of-our-own-making"
    event = webhook_of(samples("amazon_ses")["event_bridge"])
    genuine = event.with_headers({"X-Api-Key": secret})
    assert verify(adapter.scheme(options), genuine, [secret]).secret == 0
    with pytest.raises(SignatureError):
        verify(adapter.scheme(options), event.with_headers({"X-Api-Key": "another"}), [secret])
    assert "X-Api-Key" in adapter.scheme(options).proof_headers
