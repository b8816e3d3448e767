"""Texts of YAML adapters for tests: one that is right, and how to spoil it."""

import textwrap

RIGHT = """\
adapter: acme
docs: https://docs.example.com/webhooks
verify: {scheme: hmac, header: X-Signature}
source_event: {id: id, type: type, occurred_at: at}
events:
  - on: order.paid
    sale: {order: order}
    subscriber: email
    currency: "'EUR'"
    paid: total
    product: product
ignore: [order.seen]
"""


def with_(old: str, new: str) -> str:
    """The right text with one part replaced, which must be there."""
    assert old in RIGHT
    return RIGHT.replace(old, new)


def ruled(rules: str, before: str = "") -> str:
    """An adapter with these rules; `before` are further lines at the top."""
    head = "\n".join(RIGHT.splitlines()[:4]) + "\n"
    return textwrap.dedent(before) + head + "events:\n" + textwrap.indent(textwrap.dedent(rules), "  ")
