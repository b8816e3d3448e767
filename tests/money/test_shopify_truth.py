"""The judge of histories at Shopify against life: where it may be told less than the truth, and nowhere else."""

from tests.money.shopify_histories import write_history
from tests.money.shopify_truth import EXEMPT, LEARNT_FROM, exemption, paid, really
from tests.money.stripe_life import major
from tests.money.telling import MovedBack


def test_what_arrives_tells_each_order_exactly_but_where_the_table_of_exemptions_says_otherwise() -> None:
    met = set()
    for number in range(600):
        history = write_history("table", number)
        arrived = [one for one in history.arrived() if one.type in LEARNT_FROM]
        for position, order in enumerate(history.shop.orders):
            told = [one for one in arrived if one.sale == position]
            says = [say for one in told for say in one.says if isinstance(say, MovedBack)]
            through = {say.transaction: say.amount for say in says if say.status == "success"}
            shopper = (order.rate[0] if order.rate else order.currency).lower()
            span = paid(order, told, "when_paid")
            known = (span.least, major(sum(through.values()), shopper))
            rows = exemption(order, told)
            met |= rows
            assert span.least == span.most
            assert known == really(order) or rows, f"{history.told()}\norder {position}: {known}, {really(order)}"
    assert met >= EXEMPT.keys() - {"nobody"}
