"""A person leaves a running installation: no file of it and no column says who it was."""

import gzip
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import requests

from gateway.ledger.database import Ledger
from tests.cli.conftest import Terminal
from tests.crash.installation import (
    SENDGRID,
    STRIPE,
    Installation,
    Setup,
    installation,
    settings_of,
    signed_mail,
    signed_payment,
)
from tests.ledger.test_erasure import texts
from tests.waiting import eventually

CANARY = "ana-the-canary"
PERSON = f"{CANARY}@example.com"
BY_OTHERS = "ben@example.com"
LARGE = "x" * 200_000
"""More than is collected in memory."""


WHERE_SHE_IS = {
    *("attempts.sent", "events.subscriber", "memory.values"),
    *("webhooks.body", "webhooks.headers", "webhooks.url", "webhooks.notes"),
}


def opened(number: int, **others: object) -> dict[str, object]:
    told = {"email": PERSON, "timestamp": 1762160400 + number, "event": "open", "sg_event_id": f"e{number}"}
    return {**told, "sg_message_id": f"m{number}", **others}


def post(running: Installation, source: str, body: bytes, headers: dict[str, str]) -> int:
    url = f"{running.url}/webhooks/{source}?for={PERSON}"
    return requests.post(url, data=body, headers=headers, timeout=30).status_code


def told_in_every_way(running: Installation) -> list[int]:
    """Genuine and refused, large and compressed, in types, fields, addresses and of others too."""
    payment = signed_payment("00001", PERSON)
    mails = [
        signed_mail([opened(1, odd=f"{LARGE}{PERSON}")]),
        signed_mail([opened(2, event=PERSON), opened(3, email=PERSON.upper())]),
        signed_mail([opened(4, email=BY_OTHERS, reason=f"friend of {PERSON}")]),
    ]
    packed = signed_mail([opened(5)])
    answers = [post(running, "stripe", payment.body, {**payment.headers, "X-Told": PERSON})]
    answers += [post(running, "sendgrid", one.body, dict(one.headers)) for one in mails]
    answers.append(
        post(running, "sendgrid", gzip.compress(packed.body), {**packed.headers, "Content-Encoding": "gzip"})
    )
    answers += [post(running, PERSON, b"{}", {}), post(running, "stripe", LARGE.encode(), {"Stripe-Signature": PERSON})]
    return answers


def files(folder: Path) -> Iterator[Path]:
    """Of the installation: its data, its database where that is a file, and its log."""
    return (path for path in sorted(folder.rglob("*")) if path.is_file())


def found(folder: Path, database_url: str) -> list[str]:
    """Where the canary is, compressed or not, in a file or a column."""
    needle = CANARY.encode()
    places = [path.name for path in files(folder) if any(needle in one for one in read(path.read_bytes().lower()))]
    return places + [f"{table}.{column}" for table, column, value in told_in(database_url) if CANARY in value.lower()]


def read(content: bytes) -> Iterator[bytes]:
    yield content
    for magic, bits in ((b"\x1f\x8b", 31), (b"\x78", 15)):
        place = content.find(magic)
        while place >= 0:
            with suppress(zlib.error):
                yield zlib.decompressobj(bits).decompress(content[place:], 1_000_000)
            place = content.find(magic, place + 1)


def test_nothing_of_a_running_installation_says_who_it_was(tmp_path: Path, installed_url: str) -> None:
    with installation(
        tmp_path, installed_url, Setup(sources={"stripe": STRIPE, "sendgrid": SENDGRID}, web=1, workers=1)
    ) as running:
        assert told_in_every_way(running) == [200] * 5 + [404, 401]
        eventually(lambda: len(running.sandbox.events()) >= 5, within=90, what="what is told is delivered")
        assert WHERE_SHE_IS - set(found(tmp_path, installed_url)) == set()
        terminal = Terminal(settings_of(running, tmp_path, installed_url))
        eventually(lambda: terminal.document("forget", PERSON, "--yes")["done"], within=60, what="she is erased")
        eventually(lambda: found(tmp_path, installed_url) == [], within=150, what="nothing is left")
        assert any(BY_OTHERS in value for _, _, value in told_in(installed_url))


def told_in(database_url: str) -> list[tuple[str, str, str]]:
    ledger = Ledger(database_url)
    try:
        return list(texts(ledger))
    finally:
        ledger.close()
