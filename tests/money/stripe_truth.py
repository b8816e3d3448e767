"""What of a life at Stripe can be known from the webhooks that arrived, and so must be at Lumail in the end.

A judge, not a second gateway: it looks at all that arrived at once, after the end, and never at the gateway's code.
The rules are those of Stripe's own documents: which ids name one sale, and how refunds add up.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from tests.money.spans import Account, Expected, Span, exactly
from tests.money.stripe_life import Life, Sale, major, minor
from tests.money.telling import Disputed, Paid, Returned, Snapshot, Told

Mode = Literal["sales", "payment_intents", "both"]
MODES: Sequence[Mode] = ("sales", "payment_intents", "both")

SALES_MAKERS = frozenset(
    {
        "checkout.session.completed",
        "checkout.session.async_payment_succeeded",
        "invoice.paid",
        "invoice.payment_succeeded",
    }
)
CASH_MAKERS = frozenset({"payment_intent.succeeded", "charge.succeeded", "charge.captured"})
REFUND_TYPES = frozenset(
    {"charge.refunded", "refund.created", "refund.updated", "refund.failed", "charge.refund.updated"}
)
DISPUTE_TYPES = frozenset(
    f"charge.dispute.{word}" for word in ("created", "updated", "closed", "funds_withdrawn", "funds_reinstated")
)
PEOPLE_TYPES = frozenset({"customer.created", "customer.updated"})
LINKS = frozenset({"invoice_payment.paid"})
NOTES = frozenset({"credit_note.created"})
LEARNT_FROM = SALES_MAKERS | CASH_MAKERS | REFUND_TYPES | DISPUTE_TYPES | PEOPLE_TYPES | LINKS | NOTES

EXEMPT: Mapping[str, str] = {
    "no maker": "none of the types that make this sale is among those that arrive",
    "unpaid": "an invoice that is not paid in full makes no sale: invoice.paid comes at its end",
    "nobody": "nothing that arrived says who bought; the payment is held and shown",
    "claimed": "`both`: an invoice or a session claims the intent, and its own type is not among those that arrive",
    "uncaptured": "charge.succeeded comes before the money is captured, and nothing that tells of that arrives",
    "other currency": "intents before 2025-03-31 have the buyer's currency, the session has the merchant's",
    "unlinked in both": "`both`: since 2025-03-31 only invoice_payment.paid says which invoice an intent pays; without "
    "it both count, as the documents warn",
    "session without its invoice": "a session that does not name the invoice which it makes waits for a link and, "
    "after link_wait, counts by itself: without invoice_payment.paid its invoice counts, too",
}
"""Where what arrives can't tell a sale exactly: too little is known in the first ones, too much is told in the last."""


@dataclass(frozen=True)
class Known:
    """What is known of tellings that ids tie together: one sale, as far as anybody can tell."""

    paid: Span
    currency: str
    email_known: bool
    told: tuple[Told, ...]
    counted: bool
    """Whether a payment is sent for it, or may be."""
    unsure: bool = False


def expected(life: Life, arrived: Sequence[Told], mode: Mode) -> Expected:
    """What must be at Lumail after `arrived`, in this order."""
    learnt = [told for told in arrived if told.type in LEARNT_FROM]
    introduced = {told.customer for told in learnt if told.sale is None and told.email}
    mentioned = {told.customer for told in learnt if told.email and told.customer}
    spans: list[tuple[Sale, str, str, Span]] = []
    for number, sale in enumerate(life.sales):
        for known in knowledge(sale, [told for told in learnt if told.sale == number], introduced, mode):
            perhaps = not known.email_known and any(one.customer in mentioned for one in known.told)
            if not (known.email_known or perhaps):
                continue
            spans.append((sale, known.currency, "payment", known.paid.perhaps() if perhaps else known.paid))
            for charge in sorted(_charges(known.told)):
                refund = _refund(sale, known, charge)
                spans.append((sale, sale.moved_in, "refund", refund.perhaps() if perhaps else refund))
    loose = {
        sale.customer
        for number, sale in enumerate(life.sales)
        if len(sale.customer.emails) > 1 and not _is_sure_who(sale, [one for one in learnt if one.sale == number], mode)
    }
    one_person = {email: str(one.id) for one in loose for _, email in one.emails}
    accounts: dict[Account, Span] = {}
    for sale, currency, kind, span in spans:
        email = sale.customer.email(_began(sale)) or (sale.customer.emails[-1][1] if sale.customer.emails else "nobody")
        account = (one_person.get(email, email), currency.upper(), kind)
        accounts[account] = accounts.get(account, Span()) + span
    return Expected({account: span for account, span in accounts.items() if span.most}, one_person)


def knowledge(sale: Sale, told: Sequence[Told], introduced: set[str | None], mode: Mode) -> list[Known]:
    """One for each set of tellings that ids tie together."""
    return [_known(sale, group, introduced, mode) for group in tied(told)]


def tied(told: Sequence[Told]) -> list[tuple[Told, ...]]:
    """Tellings that share an id, directly or by others."""
    groups: list[tuple[set[str], list[Told]]] = []
    for one in told:
        met = [group for group in groups if group[0] & one.names]
        groups = [group for group in groups if not group[0] & one.names]
        names = set(one.names).union(*(names for names, _ in met))
        groups.append((names, [other for _, others in met for other in others] + [one]))
    order: dict[int, int] = {}
    for position, one in enumerate(told):
        order.setdefault(id(one), position)  # one that comes again stands where it came first
    return [tuple(sorted(group, key=lambda one: order[id(one)])) for _, group in groups]


def _known(sale: Sale, told: tuple[Told, ...], introduced: set[str | None], mode: Mode) -> Known:
    bills: dict[str, int] = {}
    bare: dict[str, int] = {}
    intents: dict[str, int] = {}
    captures: set[tuple[str, int]] = set()
    for one in told:
        for paid in one.says:
            if isinstance(paid, Paid) and one.type in SALES_MAKERS:
                column = bills if paid.column == "bill" or paid.unit.startswith("in_") else bare
                column[paid.unit] = paid.amount
            elif isinstance(paid, Paid) and one.type in CASH_MAKERS:
                intents[paid.unit] = max(paid.amount, intents.get(paid.unit, 0))
                captures.add((paid.unit, paid.amount))
    if any("will be paid" in one.hints for one in told):
        for unit, amount in intents.items():
            bare[unit] = max(amount, bare.get(unit, 0))
    made = max(sum(bills.values()), sum(bare.values()))
    moved = sum(intents.values())
    units = len(bills) + len(bare)
    email_known = any(one.email or one.customer in introduced for one in told)
    if mode == "sales" or (mode == "both" and made and sale.moved_in != sale.currency):
        paid_span, currency = exactly(major(made, sale.currency), units), sale.currency
    elif mode == "payment_intents":
        paid_span, currency = exactly(major(moved, sale.moved_in), len(captures)), sale.moved_in
    elif made:
        paid_span = exactly(major(max(made, moved), sale.currency), units + len(captures))
        currency = sale.currency
    else:
        currency = sale.moved_in
        paid_span = exactly(major(moved, currency), len(captures))
        claimed_by_id = any(name.startswith("in_") for one in told for name in one.names)
        if claimed_by_id:
            paid_span = paid_span.perhaps()
        elif any("not a sale by itself" in one.hints for one in told):
            paid_span = Span()
    unsure = paid_span.least != paid_span.most or (not paid_span.most and bool(intents))
    return Known(paid_span, currency, email_known, told, paid_span.most > 0, unsure)


def _refund(sale: Sale, known: Known, charge: str) -> Span:
    """What goes back for a charge, where its sale counts.

    Of one that is known and does not count nothing goes back. Of one that nobody told a running total and a dispute may
    leave alone: it was sold before the gateway came, perhaps.
    """
    least, most, at_most = _returned(known, charge)
    claimed: set[str] = set()
    if not known.counted:
        told = [(say.unit, one.hints) for one in known.told for say in one.says if isinstance(say, Paid)]
        claimed = {unit for unit, hints in told if hints}  # what it pays is told elsewhere, and counts there
        left_out = {unit for unit, _ in told} - claimed
        alone = any(isinstance(say, Snapshot | Disputed) for one in known.told for say in one.says)
        if left_out or not alone:
            return Span()
    if known.unsure or claimed:
        least = 0
    currency = sale.moved_in
    return Span(major(least, currency), major(most, currency), 1 if least else 0, at_most if most else 0)


def _returned(known: Known, charge: str) -> tuple[int, int, int]:
    """The truth at the end, the largest that could have been believed on the way, and how many tellings there are."""
    snapshots: list[Snapshot] = []
    singles: list[Returned] = []
    disputes: list[Disputed] = []
    paid = [minor(known.paid.most, known.currency)] if known.counted else []
    believed = [0]

    def went_back(told: Sequence[Returned]) -> int:
        captured = [max(one.captured for one in snapshots)] if snapshots else []
        return _with_disputes(truth_of_refunds(snapshots, told), disputes, [*captured, *paid])

    for one in known.told:
        fresh = [say for say in one.says if isinstance(say, Snapshot | Returned | Disputed) and say.charge == charge]
        for say in fresh:
            if isinstance(say, Snapshot):
                snapshots.append(say)
            elif isinstance(say, Returned):
                singles.append(say)
            else:
                disputes.append(say)
        if fresh:
            believed.append(went_back(singles))
    listed = [*singles, *(one for snapshot in snapshots for one in snapshot.listed)]
    cautious = went_back(listed)
    ends = (believed[-1], cautious)
    steps = len({one.refund for one in listed}) + len({(one.at, one.refunded) for one in snapshots})
    return min(ends), max(*believed, cautious), steps + len({one.id for one in disputes})


def _with_disputes(back: int, disputes: Sequence[Disputed], most: Sequence[int]) -> int:
    """With what banks took, up to what was paid as far as that is told: a dispute that was won stays won."""
    won = {one.id for one in disputes if one.status == "won"}
    lost = {one.id: one.amount for one in disputes if one.status == "lost" and one.id not in won}
    return min([back + sum(lost.values()), *most])


_FINAL = ("failed", "canceled")
_ORDER = ("pending", "requires_action", "succeeded", *_FINAL)


def truth_of_refunds(snapshots: Sequence[Snapshot], singles: Sequence[Returned]) -> int:
    """Cumulative and single tellings of one charge, reconciled: https://docs.stripe.com/refunds

    The newest snapshot counts all refunds that existed and had not failed by then; single tellings say which of those
    are not through (any more), and which came later.
    """
    last: dict[str, Returned] = {}
    failed_at: dict[str, int] = {}
    for one in sorted(singles, key=lambda one: (one.status in _FINAL, one.at, _ORDER.index(one.status))):
        last[one.refund] = one
        if one.status in _FINAL:
            failed_at[one.refund] = min(one.at, failed_at.get(one.refund, one.at))
    came_through = sum(one.amount for one in last.values() if one.status == "succeeded")
    if not snapshots:
        return came_through
    newest = max(snapshots, key=lambda one: (one.at, one.refunded))
    total = newest.refunded - newest.released
    for one in last.values():
        inside = one.created <= newest.at and failed_at.get(one.refund, newest.at) >= newest.at
        if inside and one.status != "succeeded":
            total -= one.amount
        elif one.created > newest.at and one.status == "succeeded":
            total += one.amount
    return max(0, min(max(total, came_through), max(one.captured for one in snapshots)))


def _charges(told: Sequence[Told]) -> set[str]:
    return {say.charge for one in told for say in one.says if isinstance(say, Snapshot | Returned | Disputed)}


def _is_sure_who(sale: Sale, told: Sequence[Told], mode: Mode) -> bool:
    """Whether each telling that could make the payment names the buyer, and came before any refund."""
    makers = {"sales": SALES_MAKERS, "payment_intents": CASH_MAKERS, "both": SALES_MAKERS | CASH_MAKERS}[mode]
    made = [position for position, one in enumerate(told) if one.type in makers and one.says]
    back = [position for position, one in enumerate(told) if one.type in REFUND_TYPES | DISPUTE_TYPES]
    if not made:
        return not back
    return all(told[one].email for one in made) and (not back or min(made) < min(back)) and len(tied(told)) == 1


def _began(sale: Sale) -> int:
    times = [one.completed for one in sale.sessions]
    times += [one.at for one in sale.cashes]
    times += [one.paid for one in sale.bills if one.paid is not None]
    return min(times)


def really(sale: Sale) -> tuple[Decimal, Decimal]:
    """What was truly paid for it and truly paid back in the end, whoever knows of it."""
    billed, told = sum(bill.cash for bill in sale.bills), sum(session.amount for session in sale.sessions)
    paid = billed or told or sum(one.captured for one in sale.cashes)
    back = sum(refund.amount for cash in sale.cashes for refund in cash.refunds if refund.came_through)
    return major(paid, sale.currency), major(back, sale.currency)


def exemption(sale: Sale, told: Sequence[Told], mode: Mode) -> set[str]:
    """The names of EXEMPT that apply to the payments of a sale, given what arrived of it."""
    types = {one.type for one in told}
    rows = set()
    makers = {"sales": SALES_MAKERS, "payment_intents": CASH_MAKERS, "both": SALES_MAKERS | CASH_MAKERS}[mode]
    if not any(one.type in makers and one.says for one in told):
        rows.add("no maker")
    if (
        mode != "sales"
        and any(one.captured_at > one.at for one in sale.cashes)
        and "payment_intent.succeeded" not in types
    ):
        rows.add("uncaptured")
    if mode == "payment_intents" and any(bill.out_of_band for bill in sale.bills):
        rows.add("no maker")
    if any(bill.paid is None for bill in sale.bills):
        rows.add("unpaid")
    if mode != "sales" and sale.moved_in != sale.currency:
        rows.add("other currency")
    linked = types >= LINKS
    if (
        mode == "both"
        and (sale.bills or sale.sessions)
        and not any(one.type in SALES_MAKERS and one.says for one in told)
    ):
        rows.add("claimed")
    if mode == "both" and sale.bills and not linked:
        rows.add("unlinked in both")
    if any(one.bill == "later" for one in sale.sessions) and not linked:
        rows.add("session without its invoice")
    return rows
