"""A life at Stripe in Stripe's words, each object in the generation of the API that the dice or a test chose.

A: before 2022-11-15, B: until 2025-03-31, C: since (basil). Which ids an object names in which generation:
https://docs.stripe.com/changelog/basil/2025-03-31/add-support-for-multiple-partial-payments-on-invoices and
https://docs.stripe.com/changelog/2022-11-15/deprecates-charges-auto-expand
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from tests.money.stripe_life import Bill, Cash, Customer, Dispute, Life, Refund, Sale, Session
from tests.money.telling import BEGIN, Disputed, Paid, Returned, Snapshot, Told

Generation = Callable[[Sale], str]
"""The generation in which the next object of a sale is told."""

VERSIONS = {"A": "2020-08-27", "B": "2024-06-20", "C": "2025-11-17.clover"}


def tell_life(life: Life, generation: Generation) -> list[Told]:
    """Everything that Stripe would tell of it, each event once."""
    told = [one for customer in life.customers for one in _tell_customer(customer)]
    for number, sale in enumerate(life.sales):
        words = Words(sale, number, generation)
        told.extend(words.all())
    return told


def _tell_customer(customer: Customer) -> Iterator[Told]:
    for number, (since, email) in enumerate(customer.emails):
        event_type = "customer.created" if number == 0 and since == 0 else "customer.updated"
        body = {"object": "customer", "id": customer.id, "email": email, "name": "Ana"}
        yield Told(event_type, since, body, email=email, customer=customer.id)


class Words:
    """What is said of one sale."""

    def __init__(self, sale: Sale, number: int, generation: Generation) -> None:
        self._sale = sale
        self._number = number
        self._of = generation

    def all(self) -> Iterator[Told]:
        for session in self._sale.sessions:
            yield from self.session(session)
        for bill in self._sale.bills:
            yield from self.bill(bill)
        for cash in self._sale.cashes:
            yield from self.cash(cash)
            yield from self.refunds(cash)
            for dispute in cash.disputes:
                yield from self.dispute(cash, dispute)

    def session(self, session: Session) -> Iterator[Told]:
        paid = session.completed == session.settled
        if session.trial:
            yield self._session(session, "checkout.session.completed", "no_payment_required")
        else:
            yield self._session(session, "checkout.session.completed", "paid" if paid else "unpaid")
        if not paid:
            yield self._session(session, "checkout.session.async_payment_succeeded", "paid")

    def _session(self, session: Session, event_type: str, status: str) -> Told:
        at = session.completed if event_type.endswith("completed") else session.settled
        bill = None if session.bill == "later" else session.bill
        email = self._email()
        amounts: dict[str, Any] = {"amount_total": session.amount, "currency": self._sale.currency}
        if session.conversion is not None:
            seen, seen_in, old = session.conversion
            if old:
                amounts = {
                    "amount_total": seen,
                    "currency": seen_in,
                    "currency_conversion": {"amount_total": session.amount, "source_currency": self._sale.currency},
                }
            elif self._of(self._sale) == "C":
                amounts["presentment_details"] = {"presentment_amount": seen, "presentment_currency": seen_in}
        body = {
            "object": "checkout.session",
            "id": session.id,
            "mode": session.mode,
            "payment_status": status,
            "status": "complete",
            "payment_intent": session.intent,
            "invoice": bill,
            "invoice_creation": {"enabled": session.bill is not None} if session.mode == "payment" else None,
            "subscription": "sub_of_it" if session.mode == "subscription" else None,
            "customer": self._sale.customer.id,
            "customer_details": {"email": email, "name": "Ana"},
            "customer_email": None,
            "metadata": {},
            **amounts,
        }
        says = (Paid("session", bill or session.intent or "", session.amount, self._sale.currency),)
        return Told(
            event_type,
            at,
            body,
            self._number,
            _ids(session.intent, bill),
            email,
            self._sale.customer.id,
            says if status == "paid" and session.amount else (),
            frozenset({"waits for its invoice"} if session.bill == "later" else ())
            | frozenset({"will be paid"} if status == "unpaid" else ()),
        )

    def bill(self, bill: Bill) -> Iterator[Told]:
        yield self._bill(bill, "invoice.finalized", paid=False)
        if bill.paid is not None:
            yield self._bill(bill, "invoice.paid", paid=True)
            if not bill.out_of_band:
                yield self._bill(bill, "invoice.payment_succeeded", paid=True)
        if bill.out_of_band and bill.paid is not None:
            yield self._invoice_payment(
                bill.id, {"type": "payment_record", "payment_record": "pr_1"}, bill.cash, bill.paid
            )

    def _bill(self, bill: Bill, event_type: str, *, paid: bool) -> Told:
        generation = self._of(self._sale)
        payers = [cash for cash in self._sale.cashes if any(one == bill.id for one, _ in cash.pays)]
        at = bill.paid if paid and bill.paid is not None else min((cash.at for cash in payers), default=0)
        cash_told = 0 if not paid or (bill.out_of_band and generation != "C") else bill.cash
        email = self._email()
        body: dict[str, Any] = {
            "object": "invoice",
            "id": bill.id,
            "status": "paid" if paid else "open",
            "amount_due": bill.cash if bill.paid is not None else bill.total,
            "amount_paid": cash_told,
            "amount_remaining": 0,
            "total": bill.total,
            "starting_balance": min(0, bill.cash - bill.total),
            "currency": self._sale.currency,
            "customer": self._sale.customer.id,
            "customer_email": email,
            "description": None,
            "metadata": {},
            "lines": {
                "object": "list",
                "data": [{"amount": bill.total, "description": "1 \u00d7 Pro (at $49.99 / year)", "metadata": {}}],
            },
        }
        names = {bill.id}
        if generation == "C":
            if bill.subscription is not None:
                body["parent"] = {
                    "type": "subscription_details",
                    "subscription_details": {"subscription": bill.subscription, "metadata": {}},
                }
        else:
            first = payers[0] if payers and paid else None
            body |= {
                "payment_intent": first and first.intent,
                "charge": first and first.charge,
                "subscription": bill.subscription,
                "paid": paid,
                "paid_out_of_band": bill.out_of_band and paid,
            }
            names |= _ids(first.intent, first.charge) if first else set()
        says = (Paid("bill", bill.id, bill.cash, self._sale.currency),) if paid and bill.cash else ()
        return self._told(event_type, at, body, names, email=email, says=says)

    def cash(self, cash: Cash) -> Iterator[Told]:
        if cash.intent is not None:
            yield self._intent(cash, "payment_intent.created")
            if cash.captured:
                yield self._intent(cash, "payment_intent.succeeded")
        held = cash.released is not None or cash.captured_at > cash.at
        yield self._charge(cash, "charge.succeeded", cash.at)
        for at, _ in cash.steps:
            yield self._charge(cash, "charge.captured", at)
        if held and cash.captured:
            yield self._charge(cash, "charge.captured", cash.captured_at)
            if cash.captured < cash.amount:
                yield self._charge(cash, "charge.refunded", cash.captured_at)
        if cash.released is not None:
            yield self._charge(cash, "charge.refunded", cash.released)
            yield self._refund(
                cash,
                Refund("re_of_release", cash.amount, ((cash.released, "succeeded"),)),
                "refund.created",
                cash.released,
                "expired_uncaptured_charge",
            )
        for bill, amount in cash.pays:
            payment = {"type": "payment_intent", "payment_intent": cash.intent}
            yield self._invoice_payment(bill, payment, amount, cash.at, cash.intent)

    def _intent(self, cash: Cash, event_type: str) -> Told:
        generation = self._of(self._sale)
        done = event_type.endswith("succeeded")
        bill = cash.pays[0][0] if len(cash.pays) == 1 else None
        email = self._email() if cash.intent_has_email else None
        body: dict[str, Any] = {
            "object": "payment_intent",
            "id": cash.intent,
            "amount": cash.amount,
            "amount_received": cash.captured if done else 0,
            "currency": self._sale.moved_in,
            "customer": self._sale.customer.id,
            "receipt_email": email,
            "status": "succeeded" if done else "requires_payment_method",
            "metadata": {},
        }
        names = _ids(cash.intent)
        hints: frozenset[str] = frozenset()
        if generation == "C":
            if cash.reference is not None and done:
                body["payment_details"] = {"order_reference": cash.reference[:25]}
                if cash.reference.startswith(("in_", "cs_")):
                    hints = frozenset({"not a sale by itself"})
        else:
            body["invoice"] = bill
            names |= _ids(bill)
        if done and generation == "A":
            body["charges"] = {"object": "list", "data": [self._charge_body(cash, cash.captured_at, "A")]}
            names |= _ids(cash.charge)
        elif done:
            body["latest_charge"] = cash.charge
            names |= _ids(cash.charge)
        says = (Paid("intent", cash.intent or "", cash.captured, self._sale.moved_in),) if done else ()
        return self._told(
            event_type, cash.captured_at if done else cash.at, body, names, email=email, says=says, hints=hints
        )

    def _charge(self, cash: Cash, event_type: str, at: int, up_to: int | None = None) -> Told:
        """`up_to` is the number of refunds that were made by then; None: as the time says."""
        generation = self._of(self._sale)
        body = self._charge_body(cash, at, generation, up_to)
        bill = cash.pays[0][0] if len(cash.pays) == 1 and generation != "C" else None
        says: tuple[Paid | Snapshot, ...] = ()
        if event_type in ("charge.succeeded", "charge.captured") and body["captured"]:
            paid = cash.captured_by(at)
            says = (Paid("intent", cash.intent or cash.charge, paid, self._sale.moved_in),)
        elif event_type == "charge.refunded" and body["amount_refunded"] <= self._rest(cash, at):
            return Told(event_type, at, body, self._number)  # nothing went back, and it is left out
        elif event_type == "charge.refunded":
            listed: tuple[Returned, ...] = ()
            if generation == "A":
                made = [one for one in cash.refunds if one.created <= at][:up_to]
                listed = tuple(self._returned(cash, one, at) for one in made[-10:])
            snapshot = Snapshot(
                cash.charge,
                at,
                cash.amount,
                body["amount_captured"],
                body["amount_refunded"],
                self._sale.moved_in,
                self._rest(cash, at),
                listed,
            )
            says = (snapshot,)
        email = self._email() if cash.charge_has_email else None
        return self._told(event_type, at, body, _ids(cash.charge, cash.intent, bill), email=email, says=says)

    def _rest(self, cash: Cash, at: int) -> int:
        """What was authorized and is given up: not before the last capture, or the release."""
        ended = at >= cash.captured_at if cash.released is None else at >= cash.released
        return cash.amount - cash.captured_by(at) if ended else 0

    def _charge_body(self, cash: Cash, at: int, generation: str, up_to: int | None = None) -> dict[str, Any]:
        captured = cash.captured_by(at)
        made = [one for one in cash.refunds if one.created <= at][:up_to]
        back = sum(one.amount for one in made if one.status(at) not in ("failed", "canceled"))
        back += self._rest(cash, at)
        body: dict[str, Any] = {
            "object": "charge",
            "id": cash.charge,
            "amount": cash.amount,
            "amount_captured": captured,
            "amount_refunded": back,
            "captured": captured > 0,
            "paid": True,
            "status": "succeeded",
            "refunded": back == cash.amount,
            "currency": self._sale.moved_in,
            "payment_intent": cash.intent,
            "customer": self._sale.customer.id,
            "receipt_email": None,
            "billing_details": {"email": self._email() if cash.charge_has_email else None, "name": "Ana"},
            "description": None,
            "metadata": {},
        }
        if generation != "C":
            body["invoice"] = cash.pays[0][0] if len(cash.pays) == 1 else None
        if generation == "A":
            listed = [self._refund_body(cash, one, at) for one in reversed(made[-10:])]
            body["refunds"] = {"object": "list", "data": listed, "has_more": len(made) > 10}
        return body

    def _invoice_payment(
        self, bill: str, payment: Mapping[str, Any], amount: int, at: int, intent: str | None = None
    ) -> Told:
        body = {
            "object": "invoice_payment",
            "id": f"inpay_{bill[3:]}_{amount}",
            "invoice": bill,
            "payment": payment,
            "amount_paid": amount,
            "amount_requested": amount,
            "currency": self._sale.currency,
            "status": "paid",
        }
        return Told("invoice_payment.paid", at, body, self._number, _ids(bill, intent))

    def refunds(self, cash: Cash) -> Iterator[Told]:
        for number, refund in enumerate(cash.refunds):
            if refund.credit_note is not None:
                yield self._credit_note(refund, refund.credit_note)
            yield self._charge(cash, "charge.refunded", refund.created, number + 1)
            yield self._refund(cash, refund, "refund.created", refund.created)
            for at, status in refund.life[1:]:
                yield self._refund(cash, refund, "refund.updated", at)
                yield self._refund(cash, refund, "charge.refund.updated", at)
                if status == "failed":
                    yield self._refund(cash, refund, "refund.failed", at)

    def _credit_note(self, refund: Refund, bill: str) -> Told:
        body: dict[str, Any] = {"object": "credit_note", "id": f"cn_{refund.id[3:]}", "invoice": bill}
        if self._of(self._sale) == "C":
            body["refunds"] = [{"refund": refund.id, "amount_refunded": refund.amount}]
        else:
            body["refund"] = refund.id
        return Told("credit_note.created", refund.created, body, self._number, _ids(bill, refund.id))

    def dispute(self, cash: Cash, dispute: Dispute) -> Iterator[Told]:
        lost = dispute.ends == "lost"
        yield self._dispute(cash, dispute, "charge.dispute.created", dispute.created, "needs_response")
        yield self._dispute(cash, dispute, "charge.dispute.funds_withdrawn", dispute.created + 1, "needs_response")
        yield self._dispute(cash, dispute, "charge.dispute.updated", dispute.created + 60, "under_review")
        if not lost:
            yield self._dispute(cash, dispute, "charge.dispute.funds_reinstated", dispute.settled, "won")
        yield self._dispute(cash, dispute, "charge.dispute.closed", dispute.settled, dispute.ends)

    def _dispute(self, cash: Cash, dispute: Dispute, event_type: str, at: int, status: str) -> Told:
        body = {
            "object": "dispute",
            "id": dispute.id,
            "amount": dispute.amount,
            "currency": self._sale.moved_in,
            "charge": cash.charge,
            "payment_intent": cash.intent,
            "status": status,
            "reason": "fraudulent",
        }
        says = (Disputed(cash.charge, dispute.id, dispute.amount, status, at),)
        return self._told(event_type, at, body, _ids(cash.charge, cash.intent), says=says, customer=False)

    def _refund(self, cash: Cash, refund: Refund, event_type: str, at: int, reason: str | None = None) -> Told:
        body = {**self._refund_body(cash, refund, at), "reason": reason}
        says = () if reason is not None else (self._returned(cash, refund, at),)
        names = _ids(cash.charge, cash.intent, refund.id if refund.credit_note is not None else None)
        return self._told(event_type, at, body, names, says=says, customer=False)

    def _refund_body(self, cash: Cash, refund: Refund, at: int) -> dict[str, Any]:
        return {
            "object": "refund",
            "id": refund.id if refund.id != "re_of_release" else f"re_{cash.charge[3:]}",
            "amount": refund.amount,
            "created": int(BEGIN.timestamp()) + refund.created,
            "currency": self._sale.moved_in,
            "status": refund.status(at),
            "charge": cash.charge,
            "payment_intent": cash.intent,
            "reason": None,
            "metadata": {},
        }

    def _returned(self, cash: Cash, refund: Refund, at: int) -> Returned:
        return Returned(
            cash.charge, refund.id, refund.amount, refund.created, refund.status(at), at, self._sale.moved_in
        )

    def _email(self) -> str | None:
        """The buyer's address at the time of the sale: objects keep what was true when they were made."""
        return self._sale.customer.email(self._began)

    @property
    def _began(self) -> int:
        times = [one.completed for one in self._sale.sessions]
        times += [one.at for one in self._sale.cashes]
        times += [one.paid for one in self._sale.bills if one.paid is not None]
        return min(times)

    def _told(
        self,
        event_type: str,
        at: int,
        body: Mapping[str, Any],
        names: frozenset[str] | set[str],
        *,
        email: str | None = None,
        says: tuple[Paid | Snapshot | Returned | Disputed, ...] = (),
        hints: frozenset[str] = frozenset(),
        customer: bool = True,
    ) -> Told:
        whose = self._sale.customer.id if customer else None
        return Told(event_type, at, body, self._number, frozenset(names), email, whose, says, hints)


def _ids(*ids: str | None) -> frozenset[str]:
    return frozenset(one for one in ids if one is not None)


def event(told: Told, identity: str, version: str) -> dict[str, Any]:
    """The body of the webhook."""
    return {
        "id": identity,
        "object": "event",
        "api_version": version,
        "created": int(BEGIN.timestamp()) + told.at,
        "data": {"object": told.body},
        "livemode": True,
        "pending_webhooks": 1,
        "request": {"id": None, "idempotency_key": None},
        "type": told.type,
    }
