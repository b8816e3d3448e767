"""The first draft of a YAML adapter, made of one payload: what it recognises is filled in, the rest is asked for."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import yaml

from gateway.errors import PayloadError
from gateway.translation import money, person
from gateway.translation.declarative.functions import point_in_time

LONGEST_TEXT = 60
"""Characters of a value that is shown in a comment."""

MOST_LEAVES = 2000

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)

# Words in the names of members, the most telling first.
_TYPES = ("event_type", "event_name", "eventtype", "record_type", "recordtype", "type", "event", "topic", "name")
_EVENT_IDS = ("event_id", "eventid", "webhook_id", "notification_id", "message_id", "id")
_ITEM_LISTS = ("events", "data", "items", "messages", "records", "notifications")
_TIMES = ("occurred_at", "event_time", "created_at", "timestamp", "created", "time", "date", "updated_at", "sent_at")
_PRODUCTS = ("product_name", "product_title", "plan_name", "product", "title", "description", "name")
_AMOUNTS = ("total", "amount", "amount_total", "price", "gross", "value", "paid")
_IN_CENTS = ("total_cents", "amount_cents", "price_cents", "amount_in_cents", "amount_minor")
_CURRENCIES = ("currency", "currency_code")


@dataclass(frozen=True)
class _Leaf:
    path: str
    name: str
    value: Any

    @property
    def depth(self) -> int:
        return self.path.count(".") + self.path.count("[")


def drafted(name: str, payload: Any) -> str:
    """The text of a YAML adapter called `name`: right in its form, to be finished by whoever knows the provider."""
    each, item = _item(payload)
    leaves = sorted(_leaves(item, ""), key=lambda leaf: leaf.depth)
    lines = [
        f"# {name}, drafted from one payload. Lines with CHECK are guesses; docs/extend/yaml.md explains every key.",
        f"adapter: {name}",
        "docs: https://example.com/webhooks  # CHECK: the provider's page about its webhooks",
        "",
        "# CHECK: how the provider signs. Other schemes: standard_webhooks, basic, bearer, header_token, path_token, …",
        'verify: {scheme: hmac, header: X-Signature, digest: sha256, encoding: hex, signed: "{body}"}',
        "",
        *([f"each: {_quoted(each)}  # CHECK: the list of source events in one webhook", ""] if each else []),
        *_source_event(leaves),
        "",
        *_rule(leaves),
        "",
        "# Types left out on purpose, each with its reason. What stands nowhere is quarantined, so that it shows.",
        "ignore: {}",
        "",
        "# What the payload holds:",
        *(f"#   {leaf.path}: {_shown(leaf.value)}" for leaf in sorted(leaves, key=lambda leaf: leaf.path)),
    ]
    return "\n".join(lines) + "\n"


def _item(payload: Any) -> tuple[str | None, Any]:
    """Where the source events are, and the first of them."""
    if isinstance(payload, list):
        return "@", payload[0] if payload else {}
    for name, value in payload.items() if isinstance(payload, dict) else ():
        if isinstance(value, list) and value and isinstance(value[0], dict) and name.lower() in _ITEM_LISTS:
            return _step("", name), value[0]
    return None, payload


def _leaves(value: Any, path: str) -> Iterator[_Leaf]:
    """Texts, numbers and truths with the expression that leads to each; of a list the first item."""
    waiting = [(value, path, "")]
    count = 0
    while waiting and count < MOST_LEAVES:
        one, where, name = waiting.pop(0)
        count += 1
        if isinstance(one, dict):
            waiting += [(inner, _step(where, key), key) for key, inner in one.items()]
        elif isinstance(one, list):
            waiting += [(one[0], f"{where}[0]", name)] if one else []
        elif where:
            yield _Leaf(where, name, one)


def _step(path: str, name: str) -> str:
    step = name if _PLAIN.fullmatch(name) else '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return f"{path}.{step}" if path else step


def _source_event(leaves: list[_Leaf]) -> list[str]:
    kind = _best(leaves, _TYPES, lambda value: isinstance(value, str) and len(value) < 100)
    id_ = _best(leaves, _EVENT_IDS, lambda value: isinstance(value, str | int) and not isinstance(value, bool))
    at = _best(leaves, _TIMES, _is_time)
    lines = ["source_event:"]
    lines += _line("  type", kind, "'event'  # CHECK: which member tells what happened?")
    lines += _line("  id", id_, None)
    lines += _line("  occurred_at", at, None)
    return lines


def _line(key: str, leaf: _Leaf | None, otherwise: str | None) -> list[str]:
    if leaf is not None:
        return [f"{key}: {_quoted(leaf.path)}  # CHECK: here {_shown(leaf.value)}"]
    return [] if otherwise is None else [f'{key}: "{otherwise.partition("  #")[0]}"  #{otherwise.partition("#")[2]}']


def _rule(leaves: list[_Leaf]) -> list[str]:
    kind = _best(leaves, _TYPES, lambda value: isinstance(value, str) and len(value) < 100)
    address = next((leaf for leaf in leaves if person.email(leaf.value)), None)
    id_ = next((leaf for leaf in leaves if leaf.name.lower() == "id" and leaf.depth), None)
    id_ = id_ or _best(leaves, _EVENT_IDS, lambda value: isinstance(value, str | int) and not isinstance(value, bool))
    amount = _best(leaves, (*_AMOUNTS, *_IN_CENTS), _is_amount)
    lines = ["events:", f"  - on: {_quoted(str(kind.value) if kind else 'event')}"]
    path = _quoted(id_.path if id_ else "hash(@.email)")
    if amount is not None:
        lines.append(f"    sale: {{order: {path}}}  # CHECK: what names this sale, whenever told?")
        lines += _line("    subscriber", address, "'nobody@example.com'  # CHECK: whose e-mail address?")
        return lines + _money(leaves, amount)
    lines.append("    emit: SUBSCRIBED  # CHECK: what is it in Lumail's words?")
    lines += _line("    subscriber", address, "'nobody@example.com'  # CHECK: whose e-mail address?")
    return [*lines, "    keys:", f"      event: {path}  # CHECK: what names this fact, whenever told?"]


def _money(leaves: list[_Leaf], amount: _Leaf) -> list[str]:
    currency = _best(leaves, _CURRENCIES, lambda value: isinstance(value, str) and len(value.strip()) == 3)
    product = _best(leaves, _PRODUCTS, lambda value: isinstance(value, str) and not person.email(value))
    in_minor = isinstance(amount.value, int) and currency is not None
    told = f"major_units({amount.path}, {currency.path})" if in_minor and currency else amount.path
    guess = "minor units (cents)" if in_minor else "major units"
    lines = _line("    currency", currency, "'EUR'  # CHECK: in which currency?")
    lines += _line("    product", product, "'a product'  # CHECK: what was sold?")
    return [*lines, f"    paid: {_quoted(told)}  # CHECK: here {_shown(amount.value)}, taken for {guess}"]


def _best(leaves: list[_Leaf], words: tuple[str, ...], fits: Callable[[Any], bool]) -> _Leaf | None:
    """The leaf with the most telling name; of equals the one nearest to the top."""
    found = [
        (words.index(word), leaf.depth, place)
        for place, leaf in enumerate(leaves)
        if (word := _spelling(leaf.name)) in words and fits(leaf.value)
    ]
    return leaves[min(found)[2]] if found else None


def _spelling(name: str) -> str:
    """`createdAt` as `created_at`."""
    return re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", name).lower()


def _is_time(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        return False
    try:
        return point_in_time(value).year >= 2000
    except PayloadError:
        return False


def _is_amount(value: Any) -> bool:
    try:
        money.amount(value)
    except PayloadError:
        return False
    return True


def _quoted(text: str) -> str:
    """Text as it stands in YAML, plain where that is read back as the same."""
    try:
        plain = yaml.safe_load(f"a: {text}") == {"a": text} and "\n" not in text
    except yaml.YAMLError:
        plain = False
    return text if plain else '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _shown(value: Any) -> str:
    text = str(value) if isinstance(value, int | Decimal) and not isinstance(value, bool) else repr(value)
    printable = "".join(character if character.isprintable() else " " for character in text)
    return printable if len(printable) <= LONGEST_TEXT else f"{printable[:LONGEST_TEXT]}…"
