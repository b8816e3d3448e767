"""Generated histories at Stripe, told in every generation of its API: each sale once, and refunds that add up."""

from collections.abc import Sequence

from tests.money.stripe_histories import post_of, sources, write_history
from tests.money.trial import Opens, put_to_the_test


def test_each_sale_reaches_lumail_once_whatever_stripe_tells_of_it(
    stripe_chunk: tuple[str, Sequence[int]], open_office: Opens
) -> None:
    seed, numbers = stripe_chunk
    put_to_the_test([write_history(seed, number) for number in numbers], open_office, sources(), post_of)


def test_each_sale_reaches_lumail_once_from_postgresql_as_well(open_postgres_office: Opens) -> None:
    histories = [write_history("postgresql", number) for number in range(15)]
    put_to_the_test(histories, open_postgres_office, sources(), post_of)
