"""Each way in which a YAML adapter can be wrong is told with its line, what was expected and the nearest right word."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import AdapterError
from gateway.translation.declarative.expressions import Expression
from gateway.translation.declarative.schema import AdapterSchema, RuleSchema, read
from tests.translation.yaml_adapters import RIGHT, ruled, with_


def faults(text: str) -> list[str]:
    try:
        read(text, "acme.yaml")
    except AdapterError as error:
        return str(error).splitlines()
    return []


TAGGED = ruled("""\
    - on: order.paid
      emit: TAG_ADDED
      subscriber: email
      keys: {tag: id}
      data: {tagId: id, tagName: name}
    """)


def refund(*lines: str) -> str:
    """The right one, with a rule of these lines about what went back."""
    rule = "".join(f"    {line}\n" for line in lines)
    return with_("ignore:", f"  - on: order.refunded\n{rule}    currency: c\nignore:")


def test_the_right_one_has_no_fault() -> None:
    assert faults(RIGHT) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "1: the file is empty; it needs adapter, docs, verify, source_event and events"),
        ("- a", "1: must be a mapping with adapter, docs, verify, source_event and events"),
        ("a: [", "1: not YAML"),
        (with_("docs: ", "doc: "), "2: doc: unknown key; allowed here: adapter, .*; did you mean docs?"),
        (with_("adapter: acme", "adapter: Acme Inc"), "1: adapter: a name is of a-z, 0-9, _ and -"),
        (with_("adapter: acme\n", ""), "1: adapter: is missing"),
        (with_("https://docs", "http://docs"), "2: docs: must be an https:// address, or {events: ADDRESS, security"),
        (with_("verify: {scheme: hmac, header: X-Signature}\n", ""), "1: verify: is missing"),
        (with_("{scheme: hmac, header: X-Signature}", "none"), "3: verify: must be a mapping: a scheme, and what"),
        (with_("scheme: hmac, ", ""), "3: verify.scheme: is missing; allowed: basic, bearer, ecdsa, .*"),
        (with_("hmac", "none"), "3: verify.scheme: is no scheme; allowed: basic, bearer, .*, standard_webhooks"),
        (with_("hmac", "hmca"), "3: verify.scheme: is no scheme; .*; did you mean hmac?"),
        (with_("header: X-Signature", "heder: X"), "3: verify.heder: unknown key; .*; did you mean header?"),
        (with_(", header: X-Signature", ""), "3: verify.header: is missing"),
        (with_("X-Signature", "'X Signature'"), "3: verify.header: must be the name of a header"),
        (
            with_("Signature}", "S, digest: sha265}"),
            "3: verify.digest: must be one of sha256, .*; did you mean sha256?",
        ),
        (with_("Signature}", "S, encoding: base46}"), "3: verify.encoding: must be .*; did you mean base64?"),
        (with_("Signature}", "S, signed: '{url}'}"), "3: verify: signed: '{url}' leaves out {body}"),
        (with_("Signature}", "S, tolerance: 5m}"), "3: verify: a tolerance needs a signed time"),
        (with_("Signature}", "S, tolerance: soon}"), "3: verify.tolerance: must be a time such as 90s"),
        (with_("Signature}", "S}\nprobe: webhook_id"), "4: probe: must be {form: "),
        (with_("Signature}", "S}\nbody: xml"), "4: body: must be json, form, or {json_in: FIELD}"),
        (with_("Signature}", "S}\neach: data."), "4: each: not an expression: it ends too early"),
        (with_(", type: type", ""), "4: source_event.type: is missing"),
        (with_("type: type", "typ: type"), "4: source_event.typ: unknown key; .*; did you mean type?"),
        (with_("at: at", "at: at("), "4: source_event.occurred_at: not an expression"),
        (RIGHT[: RIGHT.index("events:")], "1: events: is missing"),
        (RIGHT[: RIGHT.index("events:")] + "events: []", "5: events: is empty; at least one rule belongs here"),
        (RIGHT[: RIGHT.index("events:")] + "events: {on: a}", "5: events: must be a list of rules, each with `on`"),
        (RIGHT[: RIGHT.index("events:")] + "events: [paid]", "5: events: must be a mapping: `on: TYPE`"),
        (with_("on: order.paid", "when: a"), "6: events.on: is missing"),
        (with_("on: order.paid", "on: 7"), "6: events.on: must be a source event type, or a list of them"),
        (with_("on: order.paid", "on: '*'"), r"6: events.on: a \* stands only at the end of a name, and never alone"),
        (with_("on: order.paid", "on: [a, a]"), "6: events.on: the same type stands twice"),
        (with_("    subscriber: email", "    wen: a\n    subscriber: email"), "8: events.wen: .*; did you mean when?"),
        (TAGGED.replace("TAG_ADDED", "TAG_ADED"), "7: events.emit: must be one of .*; did you mean TAG_ADDED"),
        (TAGGED.replace("    subscriber: email\n", ""), "7: events.emit: needs subscriber beside it"),
        (TAGGED.replace("    keys: {tag: id}\n", ""), "7: events.emit: needs keys beside it"),
        (with_("{order: order}", "order"), "7: events.sale: must be a mapping of kinds to expressions"),
        (with_("{order: order}", "{order: 7}"), "7: events.sale.order: must be an expression, as text"),
        (with_("{order: order}", "[a, 'b c']"), "7: events.sale: item 2: not an expression, from character 3 on"),
        (
            with_("subscriber: email", "subscriber: lowr(email)"),
            "8: events.subscriber: no function lowr; .*mean lower?",
        ),
        (TAGGED.replace(", tagName: name", ""), "10: events.data: TAG_ADDED needs tagName in its data"),
        (TAGGED.replace("tagName: n", "tagNam: n"), "10: events.data.tagNam: .* has no such field; .*mean tagName?"),
        (with_("paid: total", "paid: decimal(total"), "10: events.paid: not an expression: it ends too early"),
        (with_("paid: total", "paid: 5"), "10: events.paid: must be an expression, as text"),
        (with_("paid: total", "paid: lookup('kinds', a)"), "10: events.paid: lookup needs the name of a table"),
        (with_("paid: total", "paid: option('kinds')"), "10: events.paid: option needs the name of one of `options`"),
        (
            with_("subscriber: email", "subscriber: header('X-Email')"),
            "8: events.subscriber: the header 'X-Email' is not",
        ),
        (with_("id: id", "id: header('X-Id')"), "4: source_event.id: the header 'X-Id' is not signed: whoever saw one"),
        (with_("id: id", "id: header(name)"), "4: source_event.id: the header None is not signed"),
        (with_("    subscriber: email\n", ""), "9: events.paid: needs subscriber beside it"),
        (with_("    sale: {order: order}\n", ""), "9: events.paid: needs sale beside it"),
        (with_("    currency: \"'EUR'\"\n", ""), "6: events: needs currency beside paid"),
        (with_("    paid: total\n", ""), "7: events.sale: goes with paid, refunded_total, refund, chargeback only"),
        (
            with_("    sale:", "    emit: SUBSCRIBED\n    sale:"),
            "7: events.emit: a rule says either what is true of money",
        ),
        (with_("    sale:", "    of:"), "7: events.of: is for what went back"),
        (refund("refund: {id: id, amount: a}"), "12: events: item 2: names no sale: `of` has the keys by which"),
        (refund("of: {order: o}", "refund: {id: id}"), "14: events: item 2.refund.amount: is missing"),
        (refund("of: {oder: o}", "refunded_total: a"), "12: events: item 2: names a sale that no rule tells as"),
        (refund("of: {order: o}", "part: {a: b}", "refunded_total: a"), "14: events: item 2.part: goes with paid only"),
        (
            ruled("- {on: a, of: {order: o}, currency: c, refund: {id: i, amount: a}}"),
            "6: events: names a sale that no rule tells as paid: no rule says what was `paid`",
        ),
        (with_("[order.seen]", "7"), "12: ignore: must be a list of source event types, or a mapping"),
        (with_("[order.seen]", "{order.seen: }"), "12: ignore: each type needs a reason, as text"),
        (with_("[order.seen]", "['order.*']"), r"12: ignore: order\.\* is in `events`, too, as order.paid"),
        (
            with_("adapter: acme", "adapter: acme\nadapter: acme"),
            "2: adapter: this key stands twice; the first is in line 1",
        ),
        (with_("adapter: acme", "adapter: !!python/none acme"), "1: adapter: YAML tags are not read here"),
        (RIGHT + "tables: {kinds: {a: 1}}", "13: tables.kinds: must be a mapping of words to text"),
        (RIGHT + "tables: [a]", "13: tables: must be a mapping of tables"),
        (RIGHT + "options: {Kinds: a}", "13: options.Kinds: a name is of a-z"),
        (RIGHT + "options: {kinds: 7}", "13: options.kinds: must be text, or a list of texts"),
        (RIGHT + "amounts: cents", "13: amounts: must be one of major, minor"),
        (RIGHT + "payments_from: orders", "13: payments_from: no rule says `makes: orders`"),
        (
            with_("    sale:", "    makes: orders\n    sale:"),
            "1: payments_from is missing: which of orders a source makes",
        ),
        (ruled("- {on: a, remember: {customer: {id: c}}}"), "6: events.remember.customer: needs `id` and at least one"),
        (ruled("- {on: a, remember: customer}"), "6: events.remember: must be a mapping of kinds"),
        (ruled("- {on: a, teaches: c}"), "6: events.teaches: must be a mapping of kinds to expressions"),
        (ruled("- {on: a, recall: c}"), "6: events.recall: must be a mapping of names to expressions"),
        (ruled("- {on: a, when: b}"), "6: events: does nothing: it needs emit, paid, .* remember or teaches"),
        (ruled("- {on: a, teaches: {a: b}, data: {c: d}}"), "6: events.data: goes with emit only"),
        (ruled("- {on: a, teaches: {a: b}, richness: many}"), "6: events.richness: must be a whole number from 0 to 9"),
        ("#" * 200_001, "1: longer than 200000 characters"),
        (ruled("- {on: a, teaches: {a: b}}\n" * 201), "5: events: more than 200 rules"),
    ],
)
def test_a_wrong_file_is_told_with_its_line(text: str, said: str) -> None:
    told = faults(text)
    assert any(re.match(rf"acme\.yaml:{said}", fault) for fault in told), told


@pytest.mark.parametrize(
    "verify",
    [
        "{scheme: bearer}",
        "{scheme: standard_webhooks}",
        '{scheme: hmac, header: X-Signature, id_header: Webhook-Id, signed: "{id}{body}"}',
    ],
)
def test_a_header_may_say_what_it_likes_where_it_is_signed_or_nothing_is(verify: str) -> None:
    text = with_("{scheme: hmac, header: X-Signature}", verify).replace("id: id", "id: header('Webhook-Id')")
    assert read(text, "acme.yaml").id is not None


def test_all_faults_are_told_at_once_in_the_order_of_the_file() -> None:
    text = with_("hmac", "hmca").replace("sale: {", "sal: {").replace("[order.seen]", "7")
    assert [fault.split(":")[1] for fault in faults(text)] == ["3", "7", "12"]


def test_money_as_an_event_is_refused_with_the_lines_to_write() -> None:
    with pytest.raises(AdapterError) as refused:
        read(
            ruled("""\
                - on: order.paid
                  emit: SUBSCRIBER_PAYMENT
                  subscriber: email
                  keys: {order: id}
                  data: {amount: decimal(total), currency: currency, product: name}
                """),
            "acme.yaml",
        )
    assert str(refused.value) == (
        "acme.yaml:7: events.emit: money is told as what is true of a sale; instead of emit, keys and data write\n"
        "    subscriber: email\n"
        "    sale: {order: id}\n"
        "    paid: decimal(total)\n"
        "    currency: currency\n"
        "    product: name"
    )


def test_a_refund_as_an_event_is_refused_with_the_lines_to_write() -> None:
    with pytest.raises(AdapterError, match=r"of: \{order: data.order_id\} .*\n    refund: \{id: id, amount: total\}"):
        read(ruled("- {on: a, emit: SUBSCRIBER_REFUND, subscriber: b, keys: {refund: id}, data: {amount: total}}"), "a")


WORDS = sorted(
    {*AdapterSchema().fields, *RuleSchema().fields, "scheme", "hmac", "order.paid", "SUBSCRIBER_PAYMENT", "id", "a"}
)
ANY_YAML = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(WORDS) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=5),
    max_leaves=20,
)


@given(st.dictionaries(st.sampled_from(sorted(AdapterSchema().fields)), ANY_YAML, max_size=12) | ANY_YAML)
@settings(max_examples=300, deadline=None)
def test_whatever_stands_in_a_file_only_adapter_error_comes_of_it(document: object) -> None:
    faults(repr(document).replace("None", "null"))


@given(st.integers(0, 400), st.text(alphabet="{}[]:,-#&*!|>'\"% \nab0\\\x00\ud7ff", max_size=12))
@settings(max_examples=300, deadline=None)
def test_a_file_that_is_spoilt_anywhere_is_right_or_an_adapter_error(place: int, scrap: str) -> None:
    faults(RIGHT[:place] + scrap + RIGHT[place:])


@given(st.lists(st.sampled_from(RIGHT.splitlines()), max_size=20))
@settings(max_examples=200, deadline=None)
def test_lines_in_any_order_are_right_or_an_adapter_error(lines: list[str]) -> None:
    faults("\n".join(lines))


def test_every_expression_of_a_rule_is_known_with_its_place() -> None:
    (rule,) = read(
        ruled("""\
            - on: a
              when: b
              emit: SUBSCRIBED
              subscriber: c
              keys: [d]
              recall: {person: e}
              remember: {person: {id: f, email: g}}
              teaches: [{x: h, y: i}]
            """),
        "acme.yaml",
    ).rules
    assert {".".join(map(str, place)): one.text for place, one in rule.expressions()} == {
        "when": "b",
        "recall.person": "e",
        "subscriber": "c",
        "keys.0": "d",
        "remember.person.id": "f",
        "remember.person.email": "g",
        "teaches.0.x": "h",
        "teaches.0.y": "i",
    }
    assert all(isinstance(one, Expression) for _, one in rule.expressions())


def test_every_expression_about_money_is_known_with_its_place() -> None:
    (rule,) = read(
        ruled("""\
            - on: a
              sale: {order: b}
              part: {payment: c}
              subscriber: d
              currency: e
              product: f
              paid: g
              presented: {amount: h, currency: i}
              refunded_total: j
              refund: {id: k, amount: l, state: m}
              chargeback: {id: n, amount: o}
            """),
        "acme.yaml",
    ).rules
    told = {".".join(map(str, place)): one.text for place, one in rule.expressions()}
    assert "".join(sorted(told.values())) == "bcdefghijklmno"
    assert told["refund.state"] == "m"
