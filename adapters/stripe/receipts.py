"""Invoices that are only the receipt of a paid checkout: no id ties the two, so buyer, amount and time do.

Such an invoice is marked as paid with a payment record, without any attempt to take money
(https://docs.stripe.com/api/invoice-payment/object). An invoice that was really paid outside of Stripe looks the
same, and counts unless the same buyer paid the same amount in a checkout within a day of it.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from adapters.stripe.told import Told
from gateway.events import MemoryKey
from gateway.translation import key, moment, person
from gateway.translation.adapter import Context, Memo, SourceEvent, Translation

NEAR = timedelta(days=1)
"""How long before or after a checkout its receipt is made."""


def may_be(invoice: Mapping[str, Any]) -> bool:
    """Whether nobody tried to take the money of an invoice that is paid."""
    return invoice["attempted"] is False and not invoice["payment_intent"] and not invoice["charge"]


def joined(told: Told, event: SourceEvent, context: Context, mine: str, theirs: str) -> Told:
    """With the id of the other half, where that was told before; `mine` and `theirs` are kinds of objects."""
    memory = _memory(told)
    known = (context.memory.recall(memory) if memory is not None else None) or {}
    other = known.get(theirs)
    if other is None or told.ids[theirs] or not told.ids[mine]:
        return told
    if abs(moment.from_iso(known[f"{theirs}_at"]) - event.occurred_at) > NEAR:
        return told
    return replace(told, ids={**told.ids, theirs: other})


def remembered(made: Translation, told: Told, event: SourceEvent, mine: str) -> Translation:
    """The same, which teaches the other half besides."""
    memory, id_ = _memory(told), told.ids[mine]
    if memory is None or not id_:
        return made
    values = {mine: id_, f"{mine}_at": moment.to_iso(event.occurred_at)}
    return replace(made, memos=(*made.memos, Memo(memory, values, event.occurred_at)))


def _memory(told: Told) -> MemoryKey | None:
    email = person.first_email(*told.emails)
    if email is None:
        return None
    name = key.composed(email, str(told.amounts["amount"]), told.amounts["currency"])
    return MemoryKey("receipt", name.removeprefix("event:"))
