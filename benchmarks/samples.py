"""The webhooks that are sent: each one genuine, of its own, signed now and rendered as the bytes of a request."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from random import Random

from gateway.translation.registry import adapters, default_sample, samples
from gateway.translation.sample import Sample, freshen
from gateway.translation.signature import KeyPair
from gateway.translation.webhook import Headers, Webhook

BODY_BYTES = 2048
KINDS_OF_MAIL = ("delivered", "opened", "clicked", "bounced", "processed")
"""What a campaign brings, each as many times as the others."""


def key_pair(adapter: str) -> KeyPair:
    return adapters()[adapter].scheme({}).generate()


def payments(count: int, signing: str, series: str, words: Random | None = None) -> list[bytes]:
    """Requests of paid Stripe checkouts, 2 KB each; `series` tells these from those of other calls.

    They say the same but for their names, or have `words` of their own, which take room wherever they are kept.
    """
    stripe = adapters()["stripe"].scheme({})
    now = datetime.now(UTC)
    same = _padded(default_sample("stripe"), None)
    requests = []
    for number in range(count):
        sample = same if words is None else _padded(default_sample("stripe"), words)
        webhook = freshen(sample, now, f"{series} {number}").webhook("stripe", "", now)
        requests.append(_request(stripe.sign(webhook, signing, now)))
    return requests


def campaign(items: int, signing: str, series: str) -> bytes:
    """One request of SendGrid with so many events, each about another subscriber."""
    told = [json.loads(samples("sendgrid")[kind].body)[0] for kind in KINDS_OF_MAIL]
    now = datetime.now(UTC)
    batch = [
        {
            **told[number % len(told)],
            "email": f"s{number}@example.com",
            "timestamp": int(now.timestamp()),
            "sg_event_id": f"{series}-{number}",
        }
        for number in range(items)
    ]
    body = json.dumps(batch, separators=(",", ":")).encode()
    headers = Headers({"Content-Type": "application/json"})
    webhook = Webhook("sendgrid", "", headers, body, now)
    return _request(adapters()["sendgrid"].scheme({}).sign(webhook, signing, now))


def _padded(sample: Sample, words: Random | None) -> Sample:
    """The same with what shops and Stripe put into it, up to the size of a common Stripe event: half of it names.

    A real event of 2 KB deflates to 40 %, one with this to a little more.
    """
    told = json.loads(sample.body)
    metadata: dict[str, str] = told["data"]["object"]["metadata"]
    while (missing := BODY_BYTES - len(_encoded(told))) > 0:
        metadata[f"order_note_{len(metadata)}"] = _note(words, max(1, min(200, missing - len(',"order_note_1":""'))))
    return Sample(**{**vars(sample), "body": _encoded(told)})


def _note(words: Random | None, length: int) -> str:
    if words is None:
        return "x" * length
    note = ""
    while len(note) < length:
        note += f"{words.choice(COMMON)} {words.getrandbits(40):010x} "
    return note[:length]


COMMON = ("customer_details", "payment_method_types", "shipping_address_collection", "total_details", "automatic_tax")


def _encoded(told: Mapping[str, object]) -> bytes:
    return json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode()


def _request(webhook: Webhook) -> bytes:
    head = [
        f"POST /webhooks/{webhook.source} HTTP/1.1",
        "Host: 127.0.0.1",
        "User-Agent: benchmark",
        "Accept: */*",
        f"Content-Length: {len(webhook.body)}",
        *(f"{name}: {value}" for name, value in webhook.headers.items()),
    ]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + webhook.body
