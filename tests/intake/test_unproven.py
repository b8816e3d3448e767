"""What the door reads of a request that may be anybody's, and how much of it at once."""

import gzip
import io
import os
import threading
import tracemalloc
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

import pytest

from gateway.errors import UnavailableError
from gateway.intake import body
from gateway.intake.proving import ProofSlots, Waiting
from gateway.ledger.database import Ledger
from gateway.ledger.schema import rejections
from gateway.translation.schemes import Basic, reading
from gateway.translation.signature import KeyPair, Reads, Signed, Unproven
from gateway.translation.webhook import Webhook
from tests.intake.conftest import SECRET, SHOP, SOURCE, Shop, shop_at
from tests.making import rows
from tests.translation.requests import NOW, request

PAIR = "shop:a secret of the shop"

MOST = 20_000
READS = Unproven(Reads.CONTENT, MOST)


@dataclass(frozen=True)
class FirstWord:
    """The proof is how the body begins."""

    tolerance: None = None
    proof_headers: tuple[str, ...] = ()
    signs_body: bool = False
    unproven: Unproven = READS

    def check_secret(self, secret: str) -> str | None:
        return reading.check_text(secret)

    def verify(self, webhook: Webhook, secret: str) -> Signed:
        reading.match(secret.encode(), [webhook.body.partition(b":")[0]], "the body")
        return Signed()

    def sign(self, webhook: Webhook, signing: str, at: datetime) -> Webhook:
        return replace(webhook, body=signing.encode() + b":" + webhook.body)

    def generate(self) -> KeyPair:
        return reading.symmetric("generated")


@pytest.fixture
def in_body(ledger: Ledger) -> Iterator[Shop]:
    with shop_at(ledger, replace(SHOP, scheme=lambda options: FirstWord()), SOURCE) as made:
        yield made


@pytest.fixture
def in_header(ledger: Ledger) -> Iterator[Shop]:
    with shop_at(ledger, replace(SHOP, scheme=lambda options: Basic()), replace(SOURCE, secrets=(PAIR,))) as made:
        yield made


def test_where_the_proof_stands_in_the_body_no_more_is_read_than_the_scheme_says(in_body: Shop) -> None:
    start = SECRET.encode() + b":"
    assert in_body.post_body(start + b" " * (MOST - len(start))).status_code == 200
    assert in_body.post_body(start + b" " * MOST).status_code == 413


def test_where_the_proof_stands_in_the_body_it_is_not_taken_compressed(in_body: Shop) -> None:
    answer = in_body.post_body(gzip.compress(SECRET.encode() + b":"), Content_Encoding="gzip")
    assert answer.status_code == 415
    assert in_body.post_body(SECRET.encode() + b":", Content_Encoding="identity").status_code == 200
    in_body.door.refusals.flush()
    assert rows(in_body.ledger, rejections, "cause") == [("encoded",)]


def test_a_body_whose_proof_is_in_a_header_is_not_unpacked_before_it_holds(in_header: Shop) -> None:
    nonsense = in_header.client.post("/webhooks/shop", data=b"no gzip", headers={"Content-Encoding": "gzip"})
    signed = {**Basic().sign(request(), PAIR, NOW).headers, "Content-Encoding": "gzip"}
    believed = in_header.client.post("/webhooks/shop", data=gzip.compress(b'{"items": []}'), headers=signed)
    assert (nonsense.status_code, believed.status_code) == (401, 200)


def test_a_compressed_body_may_be_so_many_times_as_long_as_it_came() -> None:
    usual = b"".join(b'{"id":"%s","event":"open"},' % os.urandom(16).hex().encode() for _ in range(5000))
    assert body.unfolded(gzip.compress(usual), "gzip", 10**7) == usual
    short = b"x" * body.ALWAYS_UNFOLDED
    assert body.unfolded(gzip.compress(short), "GZIP ", 10**7) == short
    with pytest.raises(body.BodyTooLargeError, match=str(body.ALWAYS_UNFOLDED)):
        body.unfolded(gzip.compress(short + b"x"), "gzip", 10**7)


def test_a_body_that_unfolds_without_end_is_left_where_it_is_too_long() -> None:
    """Two hundred megabytes in one: what would be made of it is never in memory."""
    bomb = gzip.compress(bytes(200_000_000), compresslevel=1)
    tracemalloc.start()
    with pytest.raises(body.BodyTooLargeError):
        body.unfolded(bomb, "gzip", 10_000_000)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 50_000_000


def test_of_a_body_that_tells_no_length_no_more_is_read_than_may_be() -> None:
    sent = io.BytesIO(bytes(1_000_000))
    with pytest.raises(body.BodyTooLargeError):
        body.read_body(sent, None, 1000, thrown_away=5000)
    assert sent.tell() == 1001 + 5000


def test_one_who_gets_no_turn_in_time_is_told_to_come_again_and_other_sources_have_theirs() -> None:
    waiting = Waiting()
    busy, other = ProofSlots(waiting, at_once=1, wait=0.01), ProofSlots(waiting, at_once=1, wait=0.01)
    with busy.slot():
        with pytest.raises(UnavailableError), busy.slot():
            pass
        with other.slot():
            pass
    with busy.slot():
        pass


def test_no_more_wait_than_leave_threads_for_others() -> None:
    slots = ProofSlots(Waiting(most=0), at_once=1, wait=60)
    with slots.slot(), pytest.raises(UnavailableError), slots.slot():
        pass


def test_one_who_waits_gets_the_next_turn() -> None:
    slots, entered, go = ProofSlots(Waiting(), at_once=1, wait=60), threading.Event(), threading.Event()

    def hold() -> None:
        with slots.slot():
            entered.set()
            go.wait(60)

    thread = threading.Thread(target=hold)
    thread.start()
    entered.wait(60)
    threading.Timer(0.05, go.set).start()
    with slots.slot():
        assert go.is_set()
    thread.join()
