"""Who guesses a shared secret is answered ever later; who knows it, never."""

from dataclasses import dataclass, field, replace

from gateway.intake import guesses
from gateway.intake.guesses import AT_ONCE, FREE, Guesses
from gateway.ledger.database import Ledger
from gateway.translation.schemes import Bearer
from tests.intake.conftest import SHOP, SOURCE, shop_at


@dataclass
class Clock:
    now: float = 0.0
    slept: list[float] = field(default_factory=list)

    def guesses(self) -> Guesses:
        return Guesses(lambda: self.now, self.slept.append)


def test_a_wrong_secret_is_told_ever_later_up_to_a_limit() -> None:
    clock = Clock()
    counted = clock.guesses()
    for _ in range(FREE + 8):
        counted.wrong("203.0.113.7")
    assert clock.slept == [0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 2.0, 2.0]


def test_another_address_and_a_later_day_begin_anew() -> None:
    clock = Clock()
    counted = clock.guesses()
    for _ in range(FREE):
        counted.wrong("203.0.113.7")
    counted.wrong("198.51.100.1")
    clock.now += guesses.FORGOTTEN_AFTER
    counted.wrong("203.0.113.7")
    assert clock.slept == []


def test_no_more_threads_than_a_few_are_held() -> None:
    inner: list[float] = []

    def sleep(seconds: float) -> None:
        inner.append(seconds)
        counted.wrong("203.0.113.7")  # another one, while this one waits

    counted = Guesses(lambda: 0.0, sleep)
    for _ in range(FREE + 1):
        counted.wrong("203.0.113.7")
    assert len(inner) == AT_ONCE


def test_the_right_secret_is_taken_from_an_address_that_guessed(ledger: Ledger) -> None:
    adapter = replace(SHOP, scheme=lambda options: Bearer())
    with shop_at(ledger, adapter, SOURCE) as shop:
        answers = [shop.post(Authorization="Bearer wrong").status_code for _ in range(FREE + 2)]
        right = shop.post(Authorization=f"Bearer {SOURCE.secrets[0]}").status_code
    assert (answers, right) == ([401] * (FREE + 2), 200)
