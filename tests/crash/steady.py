"""A provider that never tries twice, while settings are read again and `up` is restarted: nothing is refused."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import requests

from tests.crash.installation import Setup, signed_payment, stand_in
from tests.crash.service import service
from tests.waiting import eventually

A_SECOND = 60

PATIENCE = 250
"""Seconds that the provider waits for an answer, as long as a busy machine may take to start the next process."""

SENDERS = 12


@dataclass
class Traffic:
    """Each webhook is answered 200, or it is refused."""

    url: str
    sent: int = 0
    refused: list[str] = field(default_factory=list)
    longest: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def send(self, ends: threading.Event) -> None:
        session = requests.Session()
        while not ends.is_set():
            with self._lock:
                self.sent += 1
                name = f"{self.sent:05d}"
            webhook = signed_payment(name)
            began = time.monotonic()
            try:
                answer = session.post(self.url, data=webhook.body, headers=dict(webhook.headers), timeout=PATIENCE)
                wrong = "" if answer.status_code == 200 else str(answer.status_code)
            except requests.RequestException as error:
                wrong = repr(error)
            took = time.monotonic() - began
            self.longest = max(self.longest, took)
            if wrong:
                self.refused.append(wrong)
            ends.wait(max(0.0, SENDERS / A_SECOND - took))


@contextmanager
def traffic(url: str) -> Iterator[Traffic]:
    """While the block lasts, so many webhooks a second."""
    ends, made = threading.Event(), Traffic(f"{url}/webhooks/stripe")
    senders = [threading.Thread(target=made.send, args=(ends,)) for _ in range(SENDERS)]
    for one in senders:
        one.start()
    try:
        yield made
    finally:
        ends.set()
        for one in senders:
            one.join()


@dataclass(frozen=True)
class Passed:
    """What came of it. `lost`, `doubled`: payments that Lumail has not, or more than once."""

    sent: int
    refused: tuple[str, ...]
    lost: int
    doubled: int
    reloads: int
    restarts: int
    longest: float

    def told(self) -> str:
        return (
            f"  {self.sent} webhooks at {A_SECOND} a second through {self.reloads} reloads and {self.restarts} "
            f"restarts: refused {len(self.refused)}, lost {self.lost}, doubled {self.doubled}; "
            f"the longest answer took {self.longest:.1f} s"
        )


def through_changes(folder: Path, database_url: str, *, reloads: int, restarts: int, patience: float) -> Passed:
    """Payments at a steady rate through so many reloads, with the restarts spread among them."""
    setup = Setup(web=1, workers=1)
    with (
        stand_in(setup.lumail) as (sandbox, base_url),
        service(folder, database_url, setup, base_url) as running,
    ):
        done = 0
        with traffic(running.url) as made:
            for number in range(1, reloads + 1):
                done += running.reload(patience)
                if number * restarts // reloads > (number - 1) * restarts // reloads:
                    running.restart()
        eventually(lambda: len(sandbox.events()) >= made.sent, within=patience, what="all are delivered")
        arrived = Counter(one["subscriber"] for one in sandbox.events())
    return Passed(
        sent=made.sent,
        refused=tuple(made.refused),
        lost=made.sent - len(arrived),
        doubled=sum(count > 1 for count in arrived.values()),
        reloads=done,
        restarts=restarts,
        longest=made.longest,
    )
