"""A YAML adapter at work: its file becomes the same `Adapter` that a Python module exports."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from marshmallow import Schema, fields, validate

from gateway.errors import AdapterError, PayloadError
from gateway.events import DATA_SCHEMAS, MAIL_TYPES, EventType, LumailEvent, MemoryKey
from gateway.translation import bounce, json_body, key, moment, money, person
from gateway.translation.adapter import (
    Adapter,
    Context,
    Docs,
    Handler,
    Memo,
    SourceEvent,
    Step,
    TimedBy,
    Translation,
    Unreadable,
    covers,
    ignored,
)
from gateway.translation.declarative import given, sales
from gateway.translation.declarative.expressions import Expression, is_true
from gateway.translation.declarative.schema import FILLED_IN, Declaration, Emission, Rule, read
from gateway.translation.declarative.scope import STEPS, Scope
from gateway.translation.item import as_flag
from gateway.translation.mail import MailOptions
from gateway.translation.sale_options import ChargebackOptions, RefundOptions
from gateway.translation.schemes import StandardWebhooks
from gateway.translation.shared_secret import SharedSecretOptions, shared_secret
from gateway.translation.webhook import VerifiedWebhook, Webhook

LEAST_STEPS = 500
"""What the expressions of one source event may spend, however many share a webhook."""

MOST_ITEMS = 20_000
"""Source events of a webhook."""

MOST_EVENTS = 1_000
"""Events that one rule makes of one source event."""


class Content(dict[str, Any]):
    """A source event's payload, with the headers of its webhook and its part of the budget."""

    __slots__ = ("headers", "steps")

    def __init__(self, payload: Mapping[str, Any], headers: Mapping[str, str], steps: int) -> None:
        super().__init__(payload)
        self.headers = headers
        self.steps = steps


def adapter_of(file: Path) -> Adapter:
    """The adapter that a file declares. Raises AdapterError with every fault of the file."""
    try:
        text = file.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise AdapterError(f"{file}: can't be read: {error.strerror}") from error
    except ValueError as error:
        raise AdapterError(f"{file}: is not UTF-8 text") from error
    return adapter_from(text, str(file))


def adapter_from(text: str, file: str) -> Adapter:
    """The same from a text; `file` is how faults call it."""
    declared = read(text, file)
    translator = _Translator(declared)
    scheme = declared.scheme
    handlers: dict[str, Handler] = {name: translator.translate for rule in declared.rules for name in rule.on}
    return Adapter(
        name=declared.name,
        title=declared.title,
        docs=Docs(**declared.docs),
        scheme=shared_secret if scheme is None else lambda options: scheme,
        split=partial(_split, declared),
        handlers=handlers,
        ignored=declared.ignored,
        claims=declared.claims,
        marks=declared.bodies,
        options=_options(declared),
        delivery_id=partial(_delivery_id, declared),
        probe=partial(_is_probe, declared.probe),
        explain=translator.explain,
    )


def _options(declared: Declaration) -> type[Schema]:
    """The options of a source: those that the file's words give a meaning to."""
    bases: tuple[type[Schema], ...] = (SharedSecretOptions,) if declared.scheme is None else ()
    if any(rule.emission and "machine" in rule.emission.data for rule in declared.rules):
        bases += (MailOptions,)
    own: dict[str, Any] = {}
    if declared.payments_from is not None:
        words = sorted(declared.makers)
        own["payments_from"] = fields.String(load_default=declared.payments_from, validate=validate.OneOf(words))
    content = [rule.sale for rule in declared.rules if rule.sale is not None]
    if any(one.takes_back for one in content):
        bases += (RefundOptions,)
    if any(one.chargeback is not None for one in content):
        bases += (ChargebackOptions,)
    for name, default in declared.options.items():
        own[name] = _listed(default) if isinstance(default, list) else fields.String(load_default=default)
    return type("DeclaredOptions", bases or (Schema,), own)


def _listed(default: Sequence[str]) -> fields.List[str]:
    return fields.List(fields.String(validate=validate.Length(min=1)), load_default=lambda: list(default))


# How a webhook is split.


def _split(declared: Declaration, verified: VerifiedWebhook) -> Sequence[SourceEvent | Unreadable]:
    body = _BODIES[declared.body[0]](verified, declared.body[1])
    scope = Scope(verified.headers, declared.tables)
    items = [body] if declared.each is None else _items(declared.each, body, scope)
    steps = max(LEAST_STEPS, STEPS // max(1, len(items)))
    return [_source_event(declared, item, verified, steps) for item in items]


def _items(each: Expression, body: Any, scope: Scope) -> list[Any]:
    found = given.evaluated("each", each, body, scope)
    items = [found] if isinstance(found, dict) else found
    if not isinstance(items, list):
        raise PayloadError(f"each: {each.text} gives no list")
    if len(items) > MOST_ITEMS:
        raise PayloadError(f"each: {each.text} gives more than {MOST_ITEMS} items")
    return items


def _source_event(declared: Declaration, item: Any, verified: VerifiedWebhook, steps: int) -> SourceEvent | Unreadable:
    if not isinstance(item, dict):
        return Unreadable("not an object")
    content = Content(item, verified.headers, steps)
    scope = Scope(verified.headers, declared.tables, steps)
    try:
        kind = given.name("type", declared.type, content, scope)
        if kind is None:
            return Unreadable(f"no type: {declared.type.text} gives nothing")
        at = _time(declared, content, scope)
        no_time = TimedBy.NOTHING if declared.occurred_at is None else TimedBy.ARRIVAL
        return SourceEvent(
            id=given.name_if_any("id", declared.id, content, scope),
            type=kind,
            occurred_at=at or verified.signed_at or verified.webhook.received_at,
            payload=content,
            account=given.name("account", declared.account, content, scope),
            test=given.truth("test", declared.test, content, scope),
            timed_by=TimedBy.ITEM if at else TimedBy.ENVELOPE if verified.signed_at else no_time,
        )
    except PayloadError as error:
        return Unreadable(str(error))


def _json(verified: VerifiedWebhook, field: str) -> Any:
    return verified.json


def _form(verified: VerifiedWebhook, field: str) -> Any:
    return dict(verified.form)


def _json_in(verified: VerifiedWebhook, field: str) -> Any:
    text = verified.form.get(field)
    if text is None:
        raise PayloadError(f"the form has no field {field}")
    return json_body.load(text.encode())


_BODIES: Mapping[str, Callable[[VerifiedWebhook, str], Any]] = {"json": _json, "form": _form, "json_in": _json_in}


LONGEST_PROBE = 1000
"""Bytes."""


def _is_probe(fields: Sequence[str], webhook: Webhook, secrets: Sequence[str], options: Mapping[str, Any]) -> bool:
    """Whether it is a form of exactly these fields."""
    if not fields or len(webhook.body) > LONGEST_PROBE:
        return False
    try:
        content = parse_qsl(webhook.body.decode(), keep_blank_values=True, strict_parsing=True)
    except ValueError:
        return False
    return tuple(sorted(name for name, _ in content)) == fields


def _delivery_id(declared: Declaration, verified: VerifiedWebhook) -> str | None:
    scope = Scope(verified.headers, declared.tables)
    try:
        if declared.delivery_id is not None:
            body = _BODIES[declared.body[0]](verified, declared.body[1])
            return given.name("delivery_id", declared.delivery_id, body, scope)
    except Exception:  # noqa: BLE001 - an id that can't be read is none, whatever the body holds; the split tells why
        return None
    if isinstance(declared.scheme, StandardWebhooks):
        return verified.headers.get("webhook-id") or verified.headers.get("svix-id") or None
    return None


def _time(declared: Declaration, value: Any, scope: Scope) -> datetime | None:
    """When it happened; None where that is not told. In a file about mail an odd time is none. Raises PayloadError."""
    try:
        at = given.time("occurred_at", declared.occurred_at, value, scope)
    except PayloadError:
        if _tells_mail(declared):
            return None
        raise
    return at if at is None or moment.is_plausible(at) or not _tells_mail(declared) else None


def _tells_mail(declared: Declaration) -> bool:
    return any(rule.emission is not None and rule.emission.type in MAIL_TYPES for rule in declared.rules)


# What the fields of data are made of.


def _amount(found: Any) -> Any:
    if isinstance(found, str):
        raise PayloadError("text; decimal() makes it a number")
    return money.amount(found)


def _words(found: Any) -> str | None:
    if isinstance(found, Decimal):
        return format(found, "f")
    return given.text(found, "not text")[:10_000] or None


def _bool(found: Any) -> bool:
    flag = as_flag(found)
    if flag is None:
        raise PayloadError("neither true nor false")
    return flag


def _marked(found: Any) -> bool | None:
    return _bool(found) or None


def _stage(found: Any) -> str:
    if found in ("sent", "blocked", "rejected"):
        return str(found)
    raise PayloadError("must be sent, blocked or rejected")


def _kind(found: Any) -> str:
    if found in (bounce.HARD, bounce.SOFT, bounce.UNDETERMINED):
        return str(found)
    raise PayloadError("must be hard, soft or undetermined")


def _as_it_is(found: Any) -> Any:
    return found


def _server_words(found: Any) -> str | None:
    return bounce.diagnostic(_words(found))


_Convert = Callable[[Any], Any]

_ANNOTATIONS: Mapping[str, _Convert] = {
    "machine": _marked,
    "bounceStage": _stage,
    "campaignName": _words,
}
_BY_KIND: Mapping[type[fields.Field[Any]], _Convert] = {
    fields.Decimal: _amount,
    fields.String: _words,
    fields.Boolean: _bool,
}


def _converter(emit: EventType, name: str) -> _Convert:
    if emit is EventType.EMAIL_BOUNCED and name in ("reason", "bounceType"):
        return _server_words if name == "reason" else _kind
    member = DATA_SCHEMAS[emit].fields.get(name)
    return _ANNOTATIONS[name] if member is None else _BY_KIND.get(type(member), _as_it_is)


@dataclass(frozen=True)
class _Datum:
    """A field of an event's data, ready to be told."""

    name: str
    expression: Expression
    convert: _Convert
    required: bool

    def read(self, content: Any, scope: Scope, *, or_none: bool = False) -> Any:
        """What is told, in the kind that the field has; None where nothing is. Raises PayloadError, but with `or_none`
        what is of another kind is nothing.
        """
        try:
            found = self.expression.evaluate(content, scope)
            return None if found is None else self.convert(found)
        except PayloadError as error:
            if or_none:
                return None
            raise PayloadError(f"data.{self.name}: {error}") from error


class _Maker:
    """What a rule makes of a payload."""

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self._data: tuple[_Datum, ...] = ()
        self._fill: tuple[str, ...] = ()
        self._of_mail = self._judges_itself = False
        if rule.emission is not None:
            emit = rule.emission.type
            self._of_mail = emit in MAIL_TYPES
            self._judges_itself = "bounce_type(" in getattr(rule.emission.data.get("bounceType"), "text", "")
            needed = {name for name, member in DATA_SCHEMAS[emit].fields.items() if member.required}
            self._data = tuple(
                _Datum(name, one, _converter(emit, name), name in needed - FILLED_IN)
                for name, one in rule.emission.data.items()
            )
            self._fill = tuple(sorted(needed & FILLED_IN))

    def event(self, emission: Emission, event: SourceEvent, content: Any, scope: Scope, source: str) -> LumailEvent:
        """Raises PayloadError where the payload does not tell what the event needs."""
        subscriber, waits_for = given.subscriber(emission.subscriber, self.rule.recall, content, scope)
        if subscriber is None and waits_for is None:
            raise PayloadError(f"subscriber: {emission.subscriber.text} gives nothing")
        data = self._content_data(content, scope, source)
        keys = given.keys("keys", emission.keys, content, scope, or_none=self._of_mail)
        if not keys and self._of_mail:
            keys = (_composed_key(event, subscriber, data),)
        if not keys:
            raise PayloadError("keys: none of them is told")
        if "emailId" in DATA_SCHEMAS[emission.type].fields:
            data.setdefault("emailId", event.id or keys[0])
        return LumailEvent(
            type=emission.type,
            subscriber=subscriber,
            data=data,
            occurred_at=event.occurred_at,
            keys=keys,
            waits_for=waits_for,
            detail_rank=emission.richness,
        )

    def _content_data(self, content: Any, scope: Scope, source: str) -> dict[str, Any]:
        data: dict[str, Any] = {}
        for datum in self._data:
            found = datum.read(content, scope, or_none=self._of_mail)
            if found is not None:
                data[datum.name] = found
            elif datum.required and not self._of_mail:
                raise PayloadError(f"data.{datum.name}: {datum.expression.text} gives nothing")
        for name in self._fill:
            data.setdefault(name, "" if name == "subject" else source)
        if self.rule.emission is not None and self.rule.emission.type is EventType.EMAIL_CLICKED:
            data.setdefault("targetUrl", "")
        return data if "bounceType" not in {datum.name for datum in self._data} else self._judged(data)

    def _judged(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """A bounce's data, where the mail server's words know better than what the file says (see `bounce`)."""
        content, stage, reason = data.get("bounceType"), data.get("bounceStage"), data.get("reason", "no reason told")
        label = bounce.Verdict(content or bounce.UNDETERMINED, stage or bounce.SENT)
        found = bounce.judge(label, reason)
        if content is not None and self._judges_itself and found.kind != content:
            found = label
        staged = {"bounceStage": found.stage} if stage or found.stage != bounce.SENT else {}
        return {**data, "reason": reason, "bounceType": found.kind, **staged}

    def memos(self, event: SourceEvent, content: Any, scope: Scope) -> list[Memo]:
        """What is to be remembered; nothing where the id or all values are missing."""
        found = []
        for kind, parts in self.rule.remember.items():
            id_ = given.name(f"remember.{kind}.id", parts["id"], content, scope)
            values = {
                name: value
                for name, one in parts.items()
                if name != "id" and (value := _memorable(f"remember.{kind}.{name}", one, content, scope)) is not None
            }
            if id_ is not None and values:
                found.append(Memo(MemoryKey(kind, id_), values, event.occurred_at))
        return found

    def links(self, content: Any, scope: Scope) -> list[tuple[str, ...]]:
        """Sets of keys that name one fact; a set of which less than two are told says nothing."""
        sets = [given.keys("teaches", keys, content, scope) for keys in self.rule.teaches]
        return [keys for keys in sets if len(keys) > 1]


def _memorable(place: str, expression: Expression, content: Any, scope: Scope) -> Any:
    found = given.evaluated(place, expression, content, scope)
    if isinstance(found, list | dict):
        raise PayloadError(f"{place}: texts, numbers, true and false can be remembered only")
    if place.endswith(".email"):
        return person.email(found)
    return str(found) if isinstance(found, Decimal) else None if found == "" else found


def _composed_key(event: SourceEvent, subscriber: str | None, data: Mapping[str, Any]) -> str:
    """The key of what the payload tells no id of, made of what it tells."""
    if event.id is not None:
        return f"event:{event.id}"
    at = None if event.reported_at is None else moment.to_iso(event.reported_at)
    return key.composed(event.type, data.get("emailId"), subscriber, at, data.get("targetUrl"))


class _Translator:
    """The rules of a file, by the source event types that they are for."""

    def __init__(self, declared: Declaration) -> None:
        self._declared = declared
        self._makers = [_Maker(rule) for rule in declared.rules]
        names = {name for rule in declared.rules for name in rule.on if not name.endswith("*")}
        self._by_type = {name: self._matching(name) for name in names}

    def translate(self, event: SourceEvent, context: Context) -> Translation:
        payload = event.payload
        content = payload if isinstance(payload, Content) else Content(payload, {}, STEPS)
        scope = Scope(content.headers, self._declared.tables, content.steps, context.options)
        events: list[LumailEvent] = []
        sums: list[LumailEvent] = []
        memos: list[Memo] = []
        links: list[tuple[str, ...]] = []
        reasons: list[str] = []
        for maker, known in self._cases(event, content, scope, context):
            rule = maker.rule
            if rule.when is not None and not is_true(given.evaluated("when", rule.when, known, scope)):
                reasons.append(f"it does not hold that {rule.when.text}")
                continue
            if rule.remember:
                memos += maker.memos(event, known, scope)
            if rule.teaches:
                links += maker.links(known, scope)
            reason = _no_event(rule, known, scope, context)
            if reason is not None:
                reasons.append(reason)
            elif rule.sale is not None:
                said = sales.statements(rule.sale, rule.recall, event, known, scope, context)
                events += said.events
                sums += said.sums
                reasons += [] if said.events or said.sums else [said.reason]
            elif rule.emission is not None:
                events.append(maker.event(rule.emission, event, known, scope, context.source))
        if events or sums or memos or links:
            return Translation(tuple(events), tuple(sums), memos=tuple(memos), links=tuple(links))
        return ignored("; ".join(dict.fromkeys(reasons)) or "there is nothing in the lists that its rules are for")

    def _cases(
        self, event: SourceEvent, content: Content, scope: Scope, context: Context
    ) -> Iterator[tuple[_Maker, dict[str, Any]]]:
        """Each rule with what it is applied to: the payload, once or with each `item` of a list, and memory."""
        for maker in self._for(event.type):
            for value in _with_items(maker.rule, content, scope):
                yield maker, _recalled(maker.rule, value, scope, context)

    def explain(self, event: SourceEvent, context: Context) -> tuple[Step, ...]:
        """What each expression gives for this source event, rule by rule."""
        payload = event.payload
        content = payload if isinstance(payload, Content) else Content(payload, {}, STEPS)
        return tuple(step for maker in self._for(event.type) for step in self._steps(maker.rule, content, context))

    def _steps(self, rule: Rule, content: Content, context: Context) -> Iterator[Step]:
        scope = Scope(content.headers, self._declared.tables, content.steps, context.options)
        yield Step(f"rule in line {rule.line}", f"for {', '.join(rule.on)}")
        if rule.each is not None:
            yield Step("each", _attempted(rule.each, content, scope), rule.each.text)
        try:
            cases = [_recalled(rule, value, scope, context) for value in _with_items(rule, content, scope)]
        except PayloadError as error:
            yield Step("each" if rule.each is not None else "recall", error)
            return
        for known in cases:
            yield from _values(rule, known, scope)

    def _for(self, event_type: str) -> list[_Maker]:
        known = self._by_type.get(event_type)
        return self._matching(event_type) if known is None else known

    def _matching(self, event_type: str) -> list[_Maker]:
        return [maker for maker in self._makers if any(covers(name, event_type) for name in maker.rule.on)]


def _attempted(expression: Expression, content: Any, scope: Scope) -> Any:
    try:
        return expression.evaluate(content, scope)
    except PayloadError as error:
        return error


def _values(rule: Rule, known: Mapping[str, Any], scope: Scope) -> Iterator[Step]:
    for place, expression in rule.expressions():
        found = _attempted(expression, known, scope)
        yield Step(".".join(map(str, place)), found, expression.text)
        if place == ("when",) and (isinstance(found, PayloadError) or not is_true(found)):
            return


def _with_items(rule: Rule, content: Content, scope: Scope) -> list[dict[str, Any]]:
    """The payload, or one for each `item` of the list that the rule is for. Raises PayloadError."""
    if rule.each is None:
        return [content]
    items = given.evaluated("each", rule.each, content, scope)
    if items is None:
        return []
    if not isinstance(items, list):
        raise PayloadError(f"each: {rule.each.text} gives no list")
    if len(items) > MOST_EVENTS:
        raise PayloadError(f"each: {rule.each.text} gives more than {MOST_EVENTS} items")
    scope.spend(len(items) * len(content))
    return [{**content, "item": item} for item in items]


def _recalled(rule: Rule, content: dict[str, Any], scope: Scope, context: Context) -> dict[str, Any]:
    """The payload, with what memory holds for the rule under `recalled`, by kind."""
    if not rule.recall:
        return content
    found: dict[str, Any] = {}
    for kind, expression in rule.recall.items():
        id_ = given.name(f"recall.{kind}", expression, content, scope)
        values = context.memory.recall(MemoryKey(kind, id_)) if id_ is not None else None
        found[kind] = None if values is None else dict(values)
    return {**content, "recalled": found}


def _no_event(rule: Rule, content: Any, scope: Scope, context: Context) -> str | None:
    """Why a rule that holds says nothing but what it teaches, or None."""
    emission = rule.emission
    if rule.sale is not None:
        return None
    if emission is None:
        return "nothing to remember"
    machine = emission.data.get("machine")
    if machine is not None and context.options.get("machine_opens") == "drop":
        made_by_machine = as_flag(given.evaluated("data.machine", machine, content, scope)) is True
        return "no person did it, and machine_opens is drop" if made_by_machine else None
    return None
