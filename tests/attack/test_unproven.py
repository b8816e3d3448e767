"""Bodies that nobody has proven, thrown at a running gateway: they cost little, and who is genuine is heard beside."""

import gzip
import itertools
import json
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import requests

from tests.adapters.unproven_bodies import MEGABYTE, Hostile, bombs, shapes
from tests.attack.figures import cost_of
from tests.crash.installation import STRIPE, Installation, Setup, installation, signed_payment

SECRET = "a-secret-that-no-stranger-knows"
SOURCES: Mapping[str, Mapping[str, object]] = {
    "stripe": STRIPE,
    "mailgun": {"adapter": "mailgun", "secrets": ["${ATTACKED}"]},
    "unisender": {"adapter": "unisender_go", "secrets": ["${ATTACKED}"]},
    "mandrill": {"adapter": "mandrill", "secrets": ["${ATTACKED}"]},
    "ses": {"adapter": "amazon_ses", "topics": ["arn:aws:sns:eu-west-1:123456789012:mail"], "secrets": []},
    "shop": {"adapter": "shopify", "secrets": ["${ATTACKED}"]},
}
SETUP = Setup(sources=SOURCES, web=2, workers=1)
ENVIRON = {"ATTACKED": SECRET}

JUNK_A_SECOND = 500
JUNK_SECONDS = 6

THREADS = 12
REQUESTS = 600

MOST_GROWN = 300 * MEGABYTE
"""Of two web processes that had done nothing before: what 64 threads each keep once they have had a megabyte in hand.
Twelve requests of 10 KB took 3.7 GB when bodies were parsed before the proof."""

SIGNATURES = {
    "X-Mandrill-Signature": "AAAA",
    "X-Shopify-Hmac-Sha256": "AAAA",
    "Stripe-Signature": "t=1,v1=ab",
}


@dataclass
class Flood:
    """Strangers who post whatever there is to every source until the block ends, or REQUESTS have been posted."""

    url: str
    bodies: list[Hostile]
    answers: "Counter[int]" = field(default_factory=Counter)
    _count: Iterator[int] = field(default_factory=itertools.count)
    _ends: threading.Event = field(default_factory=threading.Event)

    def post(self, most: int) -> None:
        names = sorted(SOURCES)
        while not self._ends.is_set() and (number := next(self._count)) < most:
            one = self.bodies[number // len(names) % len(self.bodies)]
            url = f"{self.url}/webhooks/{names[number % len(names)]}"
            try:
                answer = requests.post(url, data=one.body, headers={**SIGNATURES, **one.fields}, timeout=60)
            except requests.RequestException:
                continue  # the gateway was told to end
            self.answers[answer.status_code] += 1

    def end(self) -> None:
        self._ends.set()


@contextmanager
def flooded(url: str, bodies: list[Hostile], most: int = REQUESTS) -> Iterator[tuple[Flood, Callable[[], bool]]]:
    flood = Flood(url, bodies)
    threads = [threading.Thread(target=flood.post, args=(most,)) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    try:
        yield flood, lambda: any(thread.is_alive() for thread in threads)
    finally:
        flood.end()
        for thread in threads:
            thread.join()


def hostile() -> list[Hostile]:
    large = [one for one in shapes(MEGABYTE - 100) if one.name in ("one-character arrays", "escapes", "nested parts")]
    return [*shapes(10_000), *bombs(), *large]


def warmed(running: Installation) -> None:
    for number in range(20):
        webhook = signed_payment(f"{number:05d}")
        requests.post(f"{running.url}/webhooks/stripe", data=webhook.body, headers=dict(webhook.headers), timeout=30)


def test_a_flood_of_bodies_costs_little_and_genuine_webhooks_are_taken_beside_it(
    tmp_path: Path, installed_url: str
) -> None:
    with installation(tmp_path, installed_url, SETUP, ENVIRON) as running:
        warmed(running)
        attack = f"{REQUESTS} hostile bodies, up to a megabyte"
        with cost_of(attack, running) as cost, flooded(running.url, hostile()) as (flood, goes_on):
            while goes_on():
                cost.genuine()
    assert sum(flood.answers.values()) == REQUESTS
    assert set(flood.answers) <= {400, 401, 413, 415, 503}
    assert cost.statuses == {200}
    assert cost.grown < MOST_GROWN


@contextmanager
def junk(running: Installation) -> Iterator[tuple["subprocess.Popen[bytes]", IO[bytes]]]:
    """The process, once it has begun, and what it will tell."""
    argv = ["-m", "tests.attack.junk", running.url.rpartition(":")[2], str(JUNK_A_SECOND), str(JUNK_SECONDS)]
    with subprocess.Popen([sys.executable, *argv], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"begins\n"
        yield process, process.stdout


def test_every_genuine_webhook_is_answered_beside_500_junk_requests_a_second(
    tmp_path: Path, installed_url: str
) -> None:
    with installation(tmp_path, installed_url, SETUP, ENVIRON) as running:
        warmed(running)
        attack = f"{JUNK_A_SECOND} junk requests a second for {JUNK_SECONDS} s"
        with junk(running) as (process, output), cost_of(attack, running) as cost:
            while process.poll() is None:
                cost.genuine()
            told = json.loads(output.read())
        print(f"junk was answered {told['answers']} in {told['seconds']:.1f} s")
    assert sum(told["answers"].values()) == JUNK_A_SECOND * JUNK_SECONDS
    assert set(told["answers"]) <= {"400", "401", "413", "415", "503"}
    assert cost.statuses == {200}
    assert cost.grown < MOST_GROWN


def test_a_bomb_is_refused_by_every_source(tmp_path: Path, installed_url: str) -> None:
    bomb = gzip.compress(bytes(30_000_000))
    with installation(tmp_path, installed_url, SETUP, ENVIRON) as running, cost_of("bombs of 30 MB", running) as cost:
        answers = {
            name: requests.post(
                f"{running.url}/webhooks/{name}",
                data=bomb,
                headers={**SIGNATURES, "Content-Encoding": "gzip"},
                timeout=30,
            ).status_code
            for name in sorted(SOURCES)
        }
        cost.genuine()
    assert cost.statuses == {200}
    assert answers == {"mailgun": 415, "mandrill": 415, "ses": 415, "shop": 413, "stripe": 413, "unisender": 415}


def test_the_gateway_ends_cleanly_in_the_middle_of_nested_forms(tmp_path: Path, installed_url: str) -> None:
    nested = [one for one in shapes(MEGABYTE - 100) if one.name in ("nested parts", "parts in parts")]
    with installation(tmp_path, installed_url, SETUP, ENVIRON) as running:
        with flooded(running.url, nested, most=10**6) as (flood, _):
            while sum(flood.answers.values()) < 30:
                time.sleep(0.01)
            running.process.send_signal(signal.SIGTERM)
            flood.end()
            assert running.process.wait(60) == 0
        assert "child.killed" not in running.log.read_text()
