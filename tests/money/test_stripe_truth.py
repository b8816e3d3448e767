"""The judge of histories at Stripe against life: where it may be told less or more than the truth, and nowhere else."""

from random import Random

from tests.money.spans import Span
from tests.money.stripe_histories import write_history
from tests.money.stripe_life import major, write_life
from tests.money.stripe_truth import (
    EXEMPT,
    LEARNT_FROM,
    MODES,
    exemption,
    knowledge,
    really,
    truth_of_refunds,
)
from tests.money.stripe_words import tell_life
from tests.money.telling import Returned, Snapshot


def test_what_arrives_tells_each_sale_exactly_but_where_the_table_of_exemptions_says_otherwise() -> None:
    met = set()
    for number in range(400):
        for mode in MODES:
            history = write_history("table", number, mode)
            arrived = [one for one in history.arrived() if one.type in LEARNT_FROM]
            for position, sale in enumerate(history.life.sales):
                told = [one for one in arrived if one.sale == position]
                spans = [known.paid for known in knowledge(sale, told, set(), mode)]
                came = sum(spans, Span())
                rows = exemption(sale, told, mode)
                met |= rows
                exact = came.least == came.most == really(sale)[0]
                assert exact or rows, f"{history.told()}\nsale {position}: {came}, in truth {really(sale)[0]}"
    assert met >= EXEMPT.keys() - {"nobody"}


def test_all_that_stripe_tells_of_refunds_in_any_order_adds_up_to_what_went_back() -> None:
    judged = 0
    for number in range(400):
        dice = Random(number)
        life = write_life(dice, str(number))
        told = tell_life(life, lambda sale: sale.only[-1])
        dice.shuffle(told)
        for position, sale in enumerate(life.sales):
            says = [say for one in told if one.sale == position for say in one.says]
            snapshots = [say for say in says if isinstance(say, Snapshot)]
            singles = [say for say in says if isinstance(say, Returned)]
            total = sum(
                truth_of_refunds(
                    [one for one in snapshots if one.charge == cash.charge],
                    [one for one in singles if one.charge == cash.charge],
                )
                for cash in sale.cashes
            )
            assert major(total, sale.moved_in) == really(sale)[1], sale
            judged += total > 0
    assert judged > 100
