"""What a stranger's bodies cost at the doors of adapters: posted in a process of its own, which has little.

Run as ``python -m tests.adapters.unproven_bodies FOLDER ADAPTER…``, it prints a line of JSON for each body.
"""

import gzip
import json
import resource
import sys
import time
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import quote_from_bytes

from gateway.ledger.database import Ledger
from gateway.ledger.migration import migrate
from gateway.translation.adapter import Adapter
from gateway.translation.registry import adapters, default_sample
from gateway.translation.schemes import reading
from gateway.translation.signature import HASHED, KeyPair, Signed, Unproven
from gateway.translation.webhook import Webhook
from tests.adapters.cases import keys_of
from tests.adapters.test_at_the_door import Provider
from tests.making import add_destinations

MEGABYTE = 1024 * 1024

MOST_MEMORY = 1024 * MEGABYTE
MOST_SECONDS = 120
"""Of the whole process: past them it dies."""

MULTIPART = {"Content-Type": "multipart/form-data; boundary=x"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
PART = b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n\r\n'


@dataclass(frozen=True)
class Hostile:
    """A request of a stranger: what is odd in it, the body as it is sent and the fields that go with it."""

    name: str
    body: bytes
    fields: Mapping[str, str]


@dataclass(frozen=True)
class Cost:
    """What one request took: `grown` is bytes of memory at its worst, `seconds` of CPU."""

    adapter: str
    name: str
    sent: int
    status: int
    grown: int
    seconds: float


def shapes(size: int) -> Iterator[Hostile]:
    """Bodies of about so many bytes that are dear for whoever parses them."""
    json_type = {"Content-Type": "application/json"}
    for name, body in {
        "flat": b'{"a":"' + b"x" * size + b'"}',
        "nested arrays": b"[" * size,
        "nested objects": b'{"a":' * (size // 5),
        "one-character arrays": b"[" + b"[0]," * (size // 4) + b"0]",
        "keys": b"{" + b",".join(b'"%d":0' % number for number in range(size // 10)) + b"}",
        "a long number": b'{"a":' + b"1" * size + b"}",
        "a long fraction": b'{"a":0.' + b"1" * size + b"e-300}",
        "escapes": b'{"Type":"Notification","Message":"' + rb"\n" * (size // 2) + b'"}',
        "surrogates": b'{"Type":"Notification","Message":"' + rb"\ud800" * (size // 6) + b'"}',
        "signatures": b"{" + b'"signature":{"token":"x"},' * (size // 26) + b"}",
        "signatures that do not end": b"{" + b'"signature":{' * (size // 13) + b"}",
        "digests": b'{"auth":"%s"' % (b"0" * 32) + b',"auth" : "1"' * (size // 13) + b"}",
        "zeros": bytes(size),
    }.items():
        yield Hostile(name, body, json_type)
    for name, body in {
        "fields": b"a&" * (size // 2),
        "fields with names": b"&".join(b"a%d=" % number for number in range(size // 8)),
        "percents": b"mandrill_events=" + b"%5B" * (size // 3),
        "broken percents": b"%" * size,
    }.items():
        yield Hostile(name, body, FORM)
    inner = b"--x\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n"
    for name, body in {
        "parts": PART * (size // len(PART)) + b"--x--\r\n",
        "nested parts": inner * (size // len(inner)),
        "headers of a part": b"--x\r\n" + b"a: b\r\n" * (size // 6) + b"\r\n",
        "line ends in a part": PART + b"\r" * size,
        "boundaries that are none": PART + b"\r\n--x y" * (size // 7),
    }.items():
        yield Hostile(name, body, MULTIPART)
    deeper = b"".join(
        b"--%d\r\nContent-Type: multipart/mixed; boundary=%d\r\n\r\n" % (n, n + 1) for n in range(size // 55)
    )
    yield Hostile("parts in parts", deeper, {"Content-Type": "multipart/form-data; boundary=0"})


def bombs() -> Iterator[Hostile]:
    """Small as they are sent, large when they are unpacked."""
    for name, plain in {
        "10 MB of JSON": b"[" + b"[]," * 3_000_000 + b"[]]",
        "30 MB": bytes(30_000_000),
    }.items():
        packed = gzip.compress(plain, 1)
        yield Hostile(f"{name}, gzip", packed, {"Content-Encoding": "gzip"})
        yield Hostile(f"{name}, gzip twice", gzip.compress(packed), {"Content-Encoding": "gzip"})
        yield Hostile(f"{name}, deflate", zlib.compress(plain, 1), {"Content-Encoding": "deflate"})


def grafted(signed: Webhook, one: Hostile) -> Hostile:
    """The hostile body within one that a stranger has signed."""
    kept = signed.body.rstrip()
    if kept.endswith(b"}"):
        body = kept[:-1] + b',"x":' + one.body + b"}"
    else:
        body = kept + b"&x=" + quote_from_bytes(one.body).encode()
    return Hostile(f"{one.name}, grafted", body, {})


@lru_cache
def requests() -> list[Hostile]:
    sizes = (10_000, MEGABYTE - 100)
    named = [replace(one, name=f"{one.name}, {size} bytes") for size in sizes for one in shapes(size)]
    return [*named, *bombs()]


def costs(adapter: Adapter, ledger: Ledger) -> Iterator[Cost]:
    sample = default_sample(adapter.name if adapter.name != "careless" else "postmark")
    provider = Provider(adapter, ledger, sample.options)
    url, now = f"https://hooks.example.com/webhooks/{adapter.name}", datetime.now(UTC)
    signed = provider.scheme.sign(sample.webhook(adapter.name, url, now), keys_of(provider.scheme, 1).signing, now)
    path = f"/webhooks/{adapter.name}" + (f"/{signed.path_token}" if signed.path_token else "")
    _cost(provider, path, signed, Hostile("the first", b"{}", {}))
    for one in requests():
        yield _cost(provider, path, signed, one)
        if len(one.body) <= 10_000 and not one.fields.get("Content-Encoding"):
            yield _cost(provider, path, signed, grafted(signed, one))
    provider.close()


_STRANGERS = count(1)


def _cost(provider: Provider, path: str, signed: Webhook, one: Hostile) -> Cost:
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    memory, cpu = _memory("VmRSS"), time.process_time()
    fields = {**signed.headers, **{name.lower(): value for name, value in one.fields.items()}}
    # Each from an address of its own: who guesses secrets is answered late.
    stranger = {"REMOTE_ADDR": f"2001:db8::{next(_STRANGERS):x}"}
    answer = provider.client.post(path, data=one.body, headers=fields, environ_overrides=stranger)
    seconds = time.process_time() - cpu
    return Cost(
        provider.adapter.name, one.name, len(one.body), answer.status_code, _memory("VmHWM") - memory, round(seconds, 3)
    )


def _memory(what: str) -> int:
    [line] = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(f"{what}:")]
    return int(line.split()[1]) * 1024


@dataclass(frozen=True)
class Careless:
    """Parses whatever comes and says that it does not: what the contract is to find."""

    tolerance: None = None
    proof_headers: tuple[str, ...] = ()
    signs_body: bool = False
    unproven: Unproven = HASHED

    def check_secret(self, secret: str) -> str | None:
        return reading.check_text(secret)

    def verify(self, webhook: Webhook, secret: str) -> Signed:
        reading.match(secret.encode(), [str(json.loads(webhook.body)["secret"]).encode()], "the body")
        return Signed()

    def sign(self, webhook: Webhook, signing: str, at: datetime) -> Webhook:
        return webhook

    def generate(self) -> KeyPair:
        return reading.symmetric("a secret of the careless")


def adapter_named(name: str) -> Adapter:
    if name == "careless":
        return replace(adapters()["postmark"], name="careless", scheme=lambda options: Careless())
    return adapters()[name]


def main(folder: str, *names: str) -> None:
    ledger = Ledger(f"sqlite:///{folder}/ledger.db")
    migrate(ledger)
    add_destinations(ledger, "main")
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (MOST_SECONDS, MOST_SECONDS))
    for name in names:
        for cost in costs(adapter_named(name), ledger):
            told: dict[str, Any] = asdict(cost)
            print(json.dumps(told), flush=True)
    ledger.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
