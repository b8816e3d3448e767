"""What a YAML adapter makes of a webhook."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from gateway.errors import AdapterError, PayloadError
from gateway.events import (
    Chargeback,
    EventType,
    LumailEvent,
    MemoryKey,
    Paid,
    Refund,
    RefundState,
    RefundTotal,
)
from gateway.translation.adapter import (
    Adapter,
    Context,
    Memo,
    SourceEvent,
    Step,
    TimedBy,
    Translation,
    Unreadable,
    split,
    translate,
)
from gateway.translation.declarative.adapter import adapter_from, adapter_of
from gateway.translation.declarative.sales import ANY_TIME
from gateway.translation.webhook import Headers, VerifiedWebhook, Webhook
from tests.translation.requests import NOW
from tests.translation.yaml_adapters import RIGHT, ruled, with_

PAID = {"id": "e1", "type": "order.paid", "at": 1762160400, "email": " Ana@Example.com", "order": 17}
PAID |= {"total": "49.90", "product": "Pro"}


class Memory(dict[MemoryKey, Mapping[str, Any]]):
    def recall(self, key: MemoryKey) -> Mapping[str, Any] | None:
        return self.get(key)


def adapter(text: str) -> Adapter:
    return adapter_from(text, "acme.yaml")


def webhook(body: Any, **headers: str) -> VerifiedWebhook:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = Headers({name.replace("_", "-"): value for name, value in headers.items()})
    return VerifiedWebhook(Webhook("acme", "https://hooks.example.com", named, content, NOW), 0, None)


def source_events(text: str, body: Any, **headers: str) -> list[SourceEvent | Unreadable]:
    return list(split(adapter(text), webhook(body, **headers)))


def became(text: str, body: Any, memory: Memory | None = None, **options: Any) -> Translation:
    made = adapter(text)
    (event,) = split(made, webhook(body))
    assert isinstance(event, SourceEvent), event
    return translate(made, event, Context("shop", NOW, memory or Memory(), made.options().load(options)))


def test_a_payload_becomes_an_event() -> None:
    (event,) = became(RIGHT, PAID).events
    assert (event.type, event.subscriber, event.keys) == (
        EventType.SUBSCRIBER_PAYMENT,
        "ana@example.com",
        ("order:17",),
    )
    assert (event.data, event.occurred_at.isoformat(), event.sum) == (
        {"amount": Decimal("49.90"), "currency": "EUR", "product": "Pro"},
        "2025-11-03T09:00:00+00:00",
        Paid("order", "order:17", Decimal("49.90"), "EUR"),
    )


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (PAID | {"email": "nobody"}, "subscriber: not an e-mail address"),
        (PAID | {"email": None}, "subscriber: nobody is told"),
        (PAID | {"order": None}, "sale: none of its keys is told"),
        (PAID | {"order": {"id": 1}}, "sale: neither text nor a whole number"),
        (PAID | {"total": "a lot"}, "paid: not an amount"),
        (PAID | {"product": ["Pro"]}, "product: neither text nor a whole number"),
        (PAID | {"type": "order.unheard"}, "unknown type 'order.unheard'"),
    ],
)
def test_what_does_not_fit_is_not_understood(payload: Any, reason: str) -> None:
    with pytest.raises(PayloadError, match=reason):
        became(RIGHT, payload)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"type": None}, "no type: type gives nothing"),
        ({"type": ["a"]}, "type: neither text nor a whole number"),
        ({"type": "a", "at": "soon"}, "occurred_at: not an RFC 2822 time"),
        ([1], "not an object"),
    ],
)
def test_what_can_not_be_split_off_is_unreadable(body: Any, reason: str) -> None:
    assert source_events(RIGHT, body) == [Unreadable(reason)]


def test_amounts_may_be_told_in_minor_units() -> None:
    (event,) = became(f"amounts: minor\n{RIGHT}", PAID | {"total": "4990"}).events
    assert event.data["amount"] == Decimal("49.90")
    with pytest.raises(PayloadError, match="paid: not an amount in minor units"):
        became(f"amounts: minor\n{RIGHT}", PAID)


@pytest.mark.parametrize("total", ["0", 0, "-5.00"])
def test_a_sale_of_nothing_is_known_and_does_not_count(total: Any) -> None:
    translation = became(RIGHT, PAID | {"total": total})
    assert (translation.events, [one.sum for one in translation.sums]) == (
        (),
        [Paid("order", "order:17", Decimal(0), "EUR")],
    )


@pytest.mark.parametrize("total", [None, "", False])
def test_what_is_not_told_of_money_is_not_said(total: Any) -> None:
    assert became(RIGHT, PAID | {"total": total}).ignored == "nothing is told of money"


def test_without_a_time_the_time_of_receipt_counts() -> None:
    (event,) = source_events(RIGHT, PAID | {"at": None})
    assert isinstance(event, SourceEvent)
    assert event.occurred_at == NOW


@pytest.mark.parametrize("body", [[PAID, PAID], {"data": {"items": [PAID, PAID]}}])
def test_a_batch_is_split(body: Any) -> None:
    each = '"@"' if isinstance(body, list) else "data.items"
    assert len(source_events(f"each: {each}\n{RIGHT}", body)) == 2


def test_one_in_the_place_of_a_list_is_one() -> None:
    assert len(source_events(f"each: data\n{RIGHT}", {"data": PAID})) == 1


def test_a_batch_that_is_none_can_not_be_read() -> None:
    with pytest.raises(PayloadError, match="each: data gives no list"):
        source_events(f"each: data\n{RIGHT}", {"data": "none"})


def test_a_bad_item_of_a_batch_costs_only_itself() -> None:
    found = source_events(f'each: "@"\n{RIGHT}', [PAID, 7])
    assert (len(found), found[1]) == (2, Unreadable("not an object"))


def test_a_form_is_read() -> None:
    body = urlencode({name: str(value) for name, value in PAID.items()}).encode()
    (event,) = became(f"body: form\n{RIGHT}", body).events
    assert event.data["amount"] == Decimal("49.90")


def test_json_in_a_field_of_a_form_is_read() -> None:
    text = f"body: {{json_in: payload}}\n{RIGHT}"
    (event,) = became(text, urlencode({"payload": json.dumps(PAID)}).encode()).events
    assert event.subscriber == "ana@example.com"
    with pytest.raises(PayloadError, match="the form has no field payload"):
        source_events(text, b"a=b")


def test_account_test_and_delivery_id_are_told() -> None:
    text = with_("at: at}", "at: at, account: shop, test: mode == 'test'}") + "delivery_id: header('X-Delivery')\n"
    (event,) = source_events(text, PAID | {"shop": 5, "mode": "test"})
    assert isinstance(event, SourceEvent)
    assert (event.id, event.account, event.test) == ("e1", "5", True)
    assert adapter(text).delivery_id(webhook(PAID, X_Delivery="d1")) == "d1"
    assert adapter(text).delivery_id(webhook(b"not json")) is None


@pytest.mark.parametrize(
    ("body", "is_one"),
    [
        (b"webhook_id=5", True),
        (b"webhook_id=5&order=17", False),
        (b"webhook_id=5&webhook_id=6", False),
        (b"order=17", False),
        (b'{"webhook_id": 5}', False),
        (b"", False),
        (b"\xff", False),
        (b"webhook_id=" + b"5" * 2000, False),
    ],
)
def test_a_look_at_the_url_is_a_form_of_exactly_these_fields(body: bytes, is_one: bool) -> None:
    looked = adapter(f"probe: {{form: [webhook_id]}}\n{RIGHT}").probe(webhook(body).webhook, [], {})
    assert (looked, adapter(RIGHT).probe(webhook(body).webhook, [], {})) == (is_one, False)


def test_a_test_is_true_or_false_and_nothing_else() -> None:
    text = with_("at: at}", "at: at, test: mode}")
    assert source_events(text, PAID | {"mode": "no"}) == [
        Unreadable("test: neither true nor false; compare it with a word (mode == 'test')")
    ]


def test_the_id_of_a_standard_webhook_is_its_delivery() -> None:
    text = with_("{scheme: hmac, header: X-Signature}", "{scheme: standard_webhooks}")
    assert adapter(text).delivery_id(webhook(PAID, webhook_id="msg_1")) == "msg_1"
    assert adapter(text).delivery_id(webhook(PAID, svix_id="msg_2")) == "msg_2"


def test_a_rule_that_does_not_hold_ignores_with_its_words() -> None:
    text = with_("    sale:", "    when: status == 'paid'\n    sale:")
    assert became(text, PAID).ignored == "it does not hold that status == 'paid'"
    assert len(became(text, PAID | {"status": "paid"}).events) == 1


SEVERAL = ruled("""\
    - on: order.*
      emit: SUBSCRIBED
      subscriber: email
      keys: {signup: id}
    - on: [order.paid, order.renewed]
      emit: TAG_ADDED
      subscriber: email
      keys: {tag: id}
      data: {tagId: "'customer'", tagName: "'Customer'"}
    """)


@pytest.mark.parametrize(
    ("kind", "made"),
    [
        ("order.paid", ["SUBSCRIBED", "TAG_ADDED"]),
        ("order.renewed", ["SUBSCRIBED", "TAG_ADDED"]),
        ("order.seen", ["SUBSCRIBED"]),
    ],
)
def test_every_rule_that_is_for_a_type_is_applied(kind: str, made: list[str]) -> None:
    assert [event.type.value for event in became(SEVERAL, PAID | {"type": kind}).events] == made


def test_a_rule_is_applied_to_each_entry_of_a_list() -> None:
    text = ruled("""\
        - on: order.paid
          each: refunds
          when: item.cents > `0`
          emit: TAG_ADDED
          subscriber: email
          keys: {tag: item.id}
          data: {tagId: item.id, tagName: "'refunded'"}
        """)
    refunds = [{"id": 1, "cents": 500}, {"id": 2, "cents": 0}, {"id": 3, "cents": 250}]
    made = became(text, PAID | {"refunds": refunds}).events
    assert [(event.keys, event.data["tagId"]) for event in made] == [(("tag:1",), "1"), (("tag:3",), "3")]
    assert became(text, PAID).ignored == "there is nothing in the lists that its rules are for"
    with pytest.raises(PayloadError, match="each: refunds gives no list"):
        became(text, PAID | {"refunds": "many"})


MEMORY = ruled("""\
    - on: customer.seen
      remember: {customer: {id: customer, email: email, plan: plan}}
    - on: order.paid
      recall: {customer: customer}
      sale: {order: order, payment: payment}
      subscriber: email || recalled.customer.email
      currency: "'EUR'"
      paid: total
      product: default(product, recalled.customer.plan)
      teaches: {order: order, payment: payment}
    """)
ANA = MemoryKey("customer", "c1")


def test_what_one_source_event_teaches_another_recalls() -> None:
    seen = {"type": "customer.seen", "customer": "c1", "email": "Ana@example.com", "plan": "Pro"}
    assert became(MEMORY, seen).memos == (Memo(ANA, {"email": "ana@example.com", "plan": "Pro"}, NOW, undated=True),)
    order = PAID | {"email": None, "customer": "c1", "product": None}
    (event,) = became(MEMORY, order, Memory({ANA: {"email": "ana@example.com", "plan": "Pro"}})).events
    assert (event.subscriber, event.waits_for, event.data["product"]) == ("ana@example.com", None, "Pro")


def test_an_event_without_a_subscriber_waits_for_whoever_is_recalled() -> None:
    (event,) = became(MEMORY, PAID | {"email": None, "customer": "c1"}).events
    assert (event.subscriber, event.waits_for) == (None, ANA)


def test_nothing_to_remember_is_ignored() -> None:
    assert became(MEMORY, {"type": "customer.seen", "customer": "c1", "email": "?"}).ignored == "nothing to remember"


def test_keys_that_name_one_fact_are_linked() -> None:
    translation = became(MEMORY, PAID | {"payment": "p1"})
    assert (translation.links, translation.events[0].keys) == (
        (("order:17", "payment:p1"),),
        ("order:17", "payment:p1"),
    )
    assert became(MEMORY, PAID).links == ()


MAKERS = ruled(
    """\
    - on: order.paid
      makes: orders
      sale: {order: order}
      subscriber: email
      currency: "'EUR'"
      paid: total
      teaches: {order: order, invoice: invoice}
    - on: invoice.paid
      makes: invoices
      sale: {invoice: invoice}
      subscriber: email
      currency: "'EUR'"
      paid: total
    """,
    "payments_from: orders\n",
)


@pytest.mark.parametrize(
    ("kind", "options", "made", "linked"),
    [
        ("order.paid", {}, 1, 1),
        ("order.paid", {"payments_from": "invoices"}, 0, 1),
        ("invoice.paid", {"payments_from": "invoices"}, 1, 0),
    ],
)
def test_the_source_decides_which_of_two_makes_the_event(kind: str, options: Any, made: int, linked: int) -> None:
    translation = became(MAKERS, PAID | {"type": kind, "invoice": 9}, **options)
    assert (len(translation.events), len(translation.links)) == (made, linked)


def test_who_is_no_maker_only_says_what_is_true() -> None:
    translation = became(MAKERS, PAID | {"type": "invoice.paid", "invoice": 9})
    assert ([one.sum for one in translation.sums], translation.events) == (
        [Paid("invoice", "invoice:9", Decimal("49.90"), "EUR")],
        (),
    )


BACK = ruled("""\
    - on: order.paid
      sale: {order: order}
      part: {payment: payment}
      subscriber: email
      currency: "'EUR'"
      paid: total
      presented: {amount: seen, currency: seen_in}
      refunded_total: back
    - on: refund.told
      of: {order: order}
      currency: "'EUR'"
      refund: {id: refund, amount: total, state: state}
    - on: dispute.told
      of: {order: order}
      currency: "'EUR'"
      chargeback: {id: dispute, amount: total}
    """)
AT = datetime(2025, 11, 3, 9, tzinfo=UTC)


def test_parts_and_what_the_buyer_saw_are_said() -> None:
    paid, back = became(BACK, PAID | {"payment": "p1", "seen": "55.00", "seen_in": "usd", "back": "10"}).events
    assert paid.sum == Paid("payment", "payment:p1", Decimal("49.90"), "EUR", (Decimal("55.00"), "USD"))
    assert back.sum == RefundTotal("order:17", "order:17", Decimal(10), "EUR", AT, alone=False)


def test_a_refund_says_how_far_it_has_come() -> None:
    told = PAID | {"type": "refund.told", "refund": "r1", "state": "pending"}
    (said,) = became(BACK, told).sums
    assert (said.sum, said.subscriber, said.waits_for) == (
        Refund(
            "order:17",
            "order:17",
            "refund:r1",
            Decimal("49.90"),
            "EUR",
            RefundState.PENDING,
            ANY_TIME,
            AT,
        ),
        None,
        MemoryKey("order", "17"),
    )
    with pytest.raises(PayloadError, match=r"refund\.state: must be pending, succeeded or failed"):
        became(BACK, told | {"state": "gone"})


def test_a_source_may_leave_chargebacks_out() -> None:
    told = PAID | {"type": "dispute.told", "dispute": "d1"}
    (said,) = became(BACK, told).events
    assert said.sum == Chargeback(
        "order:17", "order:17", "chargeback:d1", Decimal("49.90"), "EUR", RefundState.SUCCEEDED, AT
    )
    assert became(BACK, told, chargebacks="ignore").ignored == "chargebacks are left out here (chargebacks)"


def test_the_source_says_what_a_refund_without_a_sale_may_do() -> None:
    told = PAID | {"type": "refund.told", "refund": "r1"}
    options: dict[str, Any] = {"unknown_sale_refunds": "send", "failed_refund": "payment", "link_wait": "1d"}
    (said,) = became(BACK.replace(", state: state", ""), told, **options).events
    assert isinstance(said.sum, Refund)
    assert (said.sum.alone, said.sum.returns, said.sum.link_wait) == (True, True, timedelta(days=1))


def test_a_file_may_have_options_of_its_own() -> None:
    text = with_("paid: total", "paid: contains(option('paid_in'), status) && total || `0`")
    text += "options: {paid_in: [paid, done]}\n"
    assert len(became(text, PAID | {"status": "done"}).events) == 1
    assert len(became(text, PAID | {"status": "done"}, paid_in=["paid"]).events) == 0


MAIL = ruled("""\
    - on: open
      emit: EMAIL_OPENED
      subscriber: email
      keys: {open: id}
      data: {emailId: message, machine: bot, campaignId: "`7`"}
    - on: bounce
      emit: EMAIL_BOUNCED
      richness: 1
      subscriber: email
      keys: [id]
      data: {emailId: message, reason: why, bounceType: kind, bounceStage: stage}
    - on: sent
      emit: EMAIL_SENT
      subscriber: email
      keys: {sent: id}
      data: {emailId: message, subject: subject}
    """)
OPEN = {"type": "open", "id": 1, "email": "ana@example.com", "message": 5}


def test_what_mail_needs_besides_is_filled_in() -> None:
    (event,) = became(MAIL, OPEN | {"type": "sent"}).events
    assert event.data == {"emailId": "5", "subject": "", "campaignId": "shop", "timeIsArrival": True}


def test_what_a_machine_opened_is_marked_or_dropped() -> None:
    (event,) = became(MAIL, OPEN | {"bot": True}).events
    assert event.data == {"emailId": "5", "subject": "", "machine": True, "campaignId": "7", "timeIsArrival": True}
    dropped = became(MAIL, OPEN | {"bot": True}, machine_opens="drop")
    assert dropped.ignored == "no person did it, and machine_opens is drop"
    (event,) = became(MAIL, OPEN | {"bot": False}, machine_opens="drop").events
    assert "machine" not in event.data


BOUNCE = {"type": "bounce", "id": "b:1", "kind": "hard", "why": "smtp; 550 no", "stage": "sent"}


def test_a_bounce_says_what_the_server_said() -> None:
    (event,) = became(MAIL, OPEN | BOUNCE).events
    assert (event.data["reason"], event.data["bounceType"], event.detail_rank) == ("550 no", "hard", 1)
    with pytest.raises(PayloadError, match="keys: id must give kind:id"):
        became(MAIL, OPEN | BOUNCE | {"id": "no-kind"})


@pytest.mark.parametrize(
    ("change", "kind", "stage"),
    [
        ({"why": "550 5.7.1 blocked using zen.example"}, "soft", "blocked"),
        ({"why": "550 5.1.1 no such user", "kind": "soft"}, "hard", "sent"),
        ({"kind": "firm"}, "undetermined", "sent"),
        ({"kind": {}, "stage": 17, "why": None}, "undetermined", None),
        ({"stage": "rejected", "why": "blocked for spam"}, "hard", "rejected"),
    ],
    ids=str,
)
def test_a_bounce_is_judged_by_the_words_of_the_server_and_costs_nothing(
    change: dict[str, Any], kind: str, stage: str | None
) -> None:
    (event,) = became(MAIL, OPEN | BOUNCE | change).events
    assert (event.data["bounceType"], event.data.get("bounceStage")) == (kind, stage)


@pytest.mark.parametrize("odd", [None, {}, [], True, "", 10**50])
def test_what_only_decorates_mail_costs_no_event(odd: Any) -> None:
    (event,) = became(MAIL, OPEN | {"message": odd, "bot": odd, "id": odd}).events
    assert (event.type, event.subscriber) == (EventType.EMAIL_OPENED, "ana@example.com")


@pytest.mark.parametrize("odd", ["soon", 0, {}, True, None, 10**30, "2025-11-03 09:00:00"])
def test_a_time_of_mail_that_is_none_is_that_of_arrival_and_no_part_of_a_key(odd: Any) -> None:
    (event,) = source_events(MAIL, {"type": "a", "at": odd})
    assert isinstance(event, SourceEvent)
    assert (event.occurred_at, event.reported_at, event.timed_by) == (NOW, None, TimedBy.ARRIVAL)


def test_each_step_is_explained() -> None:
    made = adapter(with_("    sale:", "    when: total\n    sale:"))
    (event,) = split(made, webhook(PAID | {"total": "much"}))
    assert isinstance(event, SourceEvent)
    steps = made.explain(event, Context("shop", NOW, Memory()))
    assert [(step.what, str(step.gave), step.of) for step in steps] == [
        ("rule in line 6", "for order.paid", None),
        ("when", "much", "total"),
        ("sale.order", "17", "order"),
        ("subscriber", " Ana@Example.com", "email"),
        ("currency", "EUR", "'EUR'"),
        ("product", "Pro", "product"),
        ("paid", "much", "total"),
    ]


def test_a_rule_that_does_not_hold_is_explained_no_further() -> None:
    made = adapter(with_("    sale:", "    when: nothing\n    sale:"))
    (event,) = split(made, webhook(PAID))
    assert isinstance(event, SourceEvent)
    assert list(made.explain(event, Context("shop", NOW, Memory())))[1:] == [Step("when", None, "nothing")]


def test_a_batch_as_large_as_a_body_allows_is_bounded() -> None:
    text = f'each: "@"\n{with_("subscriber: email", "subscriber: (others[].email | sort(@) | reverse(@))[0]")}'
    made = adapter(text)
    others = [{"email": f"s{number}@example.com"} for number in range(400)]
    items = split(made, webhook([PAID | {"others": others}] * 500))
    with pytest.raises(PayloadError, match="too much work"):
        translate(made, items[0], Context("shop", NOW, Memory()))  # type: ignore[arg-type]  # it is a source event


def test_more_items_than_anybody_sends_are_not_split() -> None:
    with pytest.raises(PayloadError, match="gives more than 20000 items"):
        source_events(f'each: "@"\n{RIGHT}', b"[" + b"{}," * 20_000 + b"{}]")


@pytest.mark.parametrize(
    ("content", "says"), [(b"\xff", "is not UTF-8 text"), (None, "can't be read: No such file or directory")]
)
def test_a_file_that_can_not_be_read_is_told(content: bytes | None, says: str, tmp_path: Path) -> None:
    file = tmp_path / "acme.yaml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(AdapterError, match=says):
        adapter_of(file)


def test_an_event_is_the_same_whoever_asks_twice() -> None:
    first: LumailEvent = became(RIGHT, PAID).events[0]
    assert became(RIGHT, PAID).events == (first,)
