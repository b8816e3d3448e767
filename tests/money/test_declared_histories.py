"""Generated histories of the providers whose adapters are YAML files, in any order, late and repeated."""

from collections.abc import Sequence

import pytest

from tests.money.declared_histories import History, faults, post_of, write_history
from tests.money.declared_words import PROVIDERS
from tests.money.playing import play, smallest
from tests.money.trial import Opens


@pytest.mark.parametrize("provider", PROVIDERS)
def test_each_sale_reaches_lumail_once_and_all_that_went_back_follows_it(
    provider: str, declared_chunk: tuple[str, Sequence[int]], open_office: Opens
) -> None:
    seed, numbers = declared_chunk

    def came_of(*some: History) -> list[tuple[History, list[str]]]:
        with open_office() as office:
            for source in PROVIDERS[provider].sources:
                office.open(source, provider)
            play(office, some, post_of)  # type: ignore[arg-type]  # told alike
            assert not (odd := office.unsettled()), odd
            return [(one, wrong) for one in some if (wrong := faults(one, office))]

    wrong = came_of(*(write_history(provider, seed, number) for number in numbers))
    if wrong:
        least = smallest(wrong[0][0], lambda one: bool(came_of(one)), patience=40)
        raise AssertionError(
            "\n".join([f"{len(wrong)} of {len(numbers)} are wrong; one is", least.told(), *came_of(least)[0][1]])
        )
