"""What may stand in a YAML adapter: the keys, their types, their limits, and what is said of those that do not fit."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, field, fields
from typing import Any

from marshmallow import Schema, ValidationError
from marshmallow import fields as members

from gateway.config.document import parse
from gateway.config.faults import Faults, listed, nearest
from gateway.config.faults import Path as Place
from gateway.config.schemas import judge
from gateway.config.values import Text, Whole, Word
from gateway.errors import AdapterError
from gateway.events import DATA_SCHEMAS, MONEY_TYPES, EventType
from gateway.formats.durations import Duration
from gateway.translation import schemes
from gateway.translation.adapter import BodyMarks, Claim, covers
from gateway.translation.declarative import sale_rules
from gateway.translation.declarative.expressions import Expression, compiled
from gateway.translation.declarative.sales import SAYS, Back, Sale
from gateway.translation.signature import Scheme

LONGEST_FILE = 200_000
"""Characters of a file."""

MOST_RULES = 200

FILLED_IN = frozenset({"subject", "campaignId"})
"""Data fields that need not be told: no subject is empty text, and the source's name stands in for a campaign."""

ANNOTATIONS = ("machine", "bounceStage", "campaignName")
"""What the data of a type may hold besides the fields that Lumail lists."""

SCHEMES: Mapping[str, type[Any]] = {
    "hmac": schemes.Hmac,
    "standard_webhooks": schemes.StandardWebhooks,
    "ecdsa": schemes.Ecdsa,
    "rsa": schemes.Rsa,
    "basic": schemes.Basic,
    "bearer": schemes.Bearer,
    "header_token": schemes.HeaderToken,
    "path_token": schemes.PathToken,
}
SHARED_SECRET = "shared_secret"  # noqa: S105 - a word of the language
"""The scheme that leaves the kind of shared secret to the source's `auth`."""


class Formula(members.Field[Expression]):
    """An expression."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> Expression:
        return _expression(value)


def _expression(value: Any) -> Expression:
    if not isinstance(value, str):
        raise ValidationError("must be an expression, as text; fixed text stands in quotes within quotes: \"'paid'\"")
    try:
        return compiled(value)
    except AdapterError as error:
        raise ValidationError(str(error)) from error


class Formulas(members.Field[Mapping[str, Expression]]):
    """A mapping of names to expressions."""

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any
    ) -> Mapping[str, Expression]:
        if not isinstance(value, dict) or not value:
            raise ValidationError("must be a mapping of names to expressions")
        found, wrong = {}, {}
        for name, text in value.items():
            try:
                found[name] = _expression(text)
            except ValidationError as error:
                wrong[name] = error.messages
        if wrong:
            raise ValidationError(wrong)
        return found


class Keys(members.Field[tuple[tuple[str, Expression], ...]]):
    """Names of a fact: `{order: data.id}`, or a list of expressions that give `order:17` (their kind is empty)."""

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **options: Any
    ) -> tuple[tuple[str, Expression], ...]:
        if isinstance(value, list) and value:
            return tuple(("", _item(place, text)) for place, text in enumerate(value))
        if isinstance(value, dict) and value:
            return tuple(Formulas()._deserialize(value, attr, data, **options).items())
        raise ValidationError("must be a mapping of kinds to expressions ({order: data.id}), or a list of expressions")


def _item(place: int, text: Any) -> Expression:
    try:
        return _expression(text)
    except ValidationError as error:
        raise ValidationError({place: error.messages}) from error


class SeveralKeys(members.Field[tuple[tuple[tuple[str, Expression], ...], ...]]):
    """One set of keys, or a list of sets; those of a set name one fact."""

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **options: Any
    ) -> tuple[tuple[tuple[str, Expression], ...], ...]:
        keys = Keys()
        if isinstance(value, list) and value and all(isinstance(one, dict | list) for one in value):
            return tuple(keys._deserialize(one, attr, data, **options) for one in value)
        return (keys._deserialize(value, attr, data, **options),)


class Memories(members.Field[Mapping[str, Mapping[str, Expression]]]):
    """What to remember: by kind, its `id` and the values."""

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **options: Any
    ) -> Mapping[str, Mapping[str, Expression]]:
        if not isinstance(value, dict) or not value:
            raise ValidationError("must be a mapping of kinds: {customer: {id: data.customer_id, email: data.email}}")
        found, wrong = {}, {}
        for kind, told in value.items():
            try:
                found[kind] = Formulas()._deserialize(told, attr, data, **options)
            except ValidationError as error:
                wrong[kind] = error.messages
                continue
            if "id" not in told or len(told) < 2:
                wrong[kind] = ["needs `id` and at least one value to remember under it"]
        if wrong:
            raise ValidationError(wrong)
        return found


class Types(members.Field[tuple[str, ...]]):
    """One source event type or several; a name may end in `*`."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> tuple[str, ...]:
        names = value if isinstance(value, list) else [value]
        if not names or not all(isinstance(name, str) and name for name in names):
            raise ValidationError("must be a source event type, or a list of them; put quotes around numbers")
        for name in names:
            if name == "*" or "*" in name[:-1]:
                raise ValidationError("a * stands only at the end of a name, and never alone: new types must show")
            if names.count(name) > 1:
                raise ValidationError("the same type stands twice")
        return tuple(names)


class Ignored(members.Field[Mapping[str, str]]):
    """A list of types, or a mapping of types to reasons."""

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **options: Any
    ) -> Mapping[str, str]:
        reasons = value if isinstance(value, dict) else {}
        if reasons and not all(isinstance(reason, str) and reason.strip() for reason in reasons.values()):
            raise ValidationError("each type needs a reason, as text")
        if not isinstance(value, dict | list):
            raise ValidationError("must be a list of source event types, or a mapping of types to reasons")
        names = Types()._deserialize(list(reasons) or value, attr, data, **options) if value else ()
        return {name: reasons.get(name, "the adapter's file leaves it out") for name in names}


class Bodies(members.Field[Mapping[str, BodyMarks]]):
    """By which fields the bodies of source event types are known."""

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **options: Any
    ) -> Mapping[str, BodyMarks]:
        if not isinstance(value, dict) or not value:
            raise ValidationError("must be a mapping of source event types: {order.*: {has: [order_key]}}")
        Types()._deserialize(list(value), attr, data, **options)
        wrong = {name: ["must be {has: [FIELD], lacks: [FIELD]}"] for name, marks in value.items() if not _marks(marks)}
        if wrong:
            raise ValidationError(wrong)
        return {name: BodyMarks(**{word: tuple(told) for word, told in marks.items()}) for name, marks in value.items()}


def _marks(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and {"has"} <= value.keys() <= {"has", "lacks"}
        and all(
            isinstance(told, list) and told and all(isinstance(one, str) for one in told) for told in value.values()
        )
    )


class Body(members.Field[tuple[str, str]]):
    """`json`, `form`, or `{json_in: field}` of a form."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> tuple[str, str]:
        if value in ("json", "form"):
            return value, ""
        if isinstance(value, dict) and list(value) == ["json_in"] and isinstance(value["json_in"], str):
            return "json_in", value["json_in"]
        raise ValidationError("must be json, form, or {json_in: FIELD} where a form's field holds JSON")


class Probe(members.Field[tuple[str, ...]]):
    """`{form: [webhook_id]}`: the fields of a form."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> tuple[str, ...]:
        names = value.get("form") if isinstance(value, dict) and len(value) == 1 else None
        if not isinstance(names, list) or not names or not all(isinstance(name, str) and name for name in names):
            raise ValidationError("must be {form: [FIELD]}, with every field that such a form has")
        return tuple(sorted(names))


class Pages(members.Field[Mapping[str, str]]):
    """One page, or one about events and one about security."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> Mapping[str, str]:
        pages = value if isinstance(value, dict) else {"events": value, "security": value}
        if pages.keys() != {"events", "security"} or not all(_is_page(page) for page in pages.values()):
            raise ValidationError("must be an https:// address, or {events: ADDRESS, security: ADDRESS}")
        return pages


def _is_page(value: object) -> bool:
    return isinstance(value, str) and re.fullmatch(r"https://\S+", value) is not None


class Tables(members.Field[Mapping[str, Mapping[str, str]]]):
    """The provider's words and what they mean, for lookup()."""

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any
    ) -> Mapping[str, Mapping[str, str]]:
        if not isinstance(value, dict):
            raise ValidationError("must be a mapping of tables")
        wrong = {
            name: ["must be a mapping of words to text; put quotes around numbers, yes and no"]
            for name, table in value.items()
            if not isinstance(table, dict) or not table or not all(isinstance(word, str) for word in table.values())
        }
        if wrong:
            raise ValidationError(wrong)
        return value


class Options(members.Field[Mapping[str, Any]]):
    """Options of a source that are this file's own: a name, and what holds where a source says nothing."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> Mapping[str, Any]:
        if not isinstance(value, dict) or not value:
            raise ValidationError("must be a mapping of options to what holds where a source says nothing")
        wrong = {}
        for name, default in value.items():
            texts = default if isinstance(default, list) else [default]
            if not isinstance(name, str) or not re.fullmatch(r"[a-z][a-z0-9_]*", name):
                wrong[name] = ["a name is of a-z, 0-9 and _, and begins with a letter"]
            elif not texts or not all(isinstance(one, str) and one for one in texts):
                wrong[name] = ["must be text, or a list of texts"]
        if wrong:
            raise ValidationError(wrong)
        return value


class BackSchema(Schema):
    """One refund or chargeback."""

    id = Formula(required=True)
    amount = Formula(required=True)
    state = Formula()


class PresentedSchema(Schema):
    amount = Formula(required=True)
    currency = Formula(required=True)


class SourceEventSchema(Schema):
    id = Formula()
    type = Formula(required=True)
    occurred_at = Formula()
    account = Formula()
    test = Formula()


class RuleSchema(Schema):
    on = Types(required=True)
    each = Formula()
    when = Formula()
    sale = Keys()
    of = Keys()
    part = Keys()
    paid = Formula()
    currency = Formula()
    product = Formula()
    presented = members.Nested(PresentedSchema)
    refunded_total = Formula()
    refund = members.Nested(BackSchema)
    chargeback = members.Nested(BackSchema)
    makes = Text()
    emit = Word(list(EventType))
    subscriber = Formula()
    keys = Keys()
    data = Formulas()
    richness = Whole(0, 9, load_default=0)
    recall = Formulas()
    remember = Memories()
    teaches = SeveralKeys()


class AdapterSchema(Schema):
    adapter = members.String(required=True)
    title = Text()
    docs = Pages(required=True)
    verify = members.Dict(
        required=True, error_messages={"invalid": "must be a mapping: a scheme, and what belongs to it"}
    )
    body = Body(load_default=("json", ""))
    bodies = Bodies(load_default=dict)
    each = Formula()
    delivery_id = Formula()
    probe = Probe(load_default=())
    source_event = members.Nested(SourceEventSchema, required=True)
    tables = Tables(load_default=dict)
    options = Options(load_default=dict)
    amounts = Word(["major", "minor"], load_default="major")
    payments_from = Text()
    events = members.List(
        members.Raw(),
        required=True,
        error_messages={"invalid": "must be a list of rules, each with `on`"},
    )
    ignore = Ignored(load_default=dict)


_ENCODINGS, _DIGESTS = ("hex", "base64"), ("sha256", "sha512", "sha384", "sha1", "md5")
_SCHEME_WORDS = {
    ("hmac", "digest"): _DIGESTS,
    ("hmac", "encoding"): _ENCODINGS,
    ("rsa", "digest"): ("sha256", "sha1"),
    ("standard_webhooks", "prefix"): ("webhook-", "svix-"),
    ("standard_webhooks", "key"): ("base64", "text", "either"),
}


def scheme_schema(word: str) -> Schema:
    """What may stand beside `scheme: WORD`: what the scheme's own class takes."""
    known: dict[str, members.Field[Any]] = {"scheme": members.String(required=True)}
    for member in fields(SCHEMES[word]) if word in SCHEMES else ():
        required = member.default is MISSING and member.default_factory is MISSING
        if member.name == "tolerance":
            known[member.name] = Duration()
        elif (word, member.name) in _SCHEME_WORDS:
            known[member.name] = Word(_SCHEME_WORDS[word, member.name])
        elif member.name.endswith("header"):
            pattern = re.compile(r"[A-Za-z0-9-]{1,100}")
            known[member.name] = Text(required=required, validate=lambda text, form=pattern: _header(text, form))
        else:
            known[member.name] = Text(required=required)
    return Schema.from_dict(dict(known))()


def _header(text: str, form: re.Pattern[str]) -> None:
    if not form.fullmatch(text):
        raise ValidationError("must be the name of a header: letters, digits and -")


@dataclass(frozen=True)
class Emission:
    """The event that a rule makes."""

    type: EventType
    subscriber: Expression
    keys: tuple[tuple[str, Expression], ...]
    data: Mapping[str, Expression]
    richness: int = 0


@dataclass(frozen=True)
class Rule:
    """One entry of `events`, read; `line` is where it begins in the file.

    Without `emission` and `sale` it only teaches.
    """

    line: int
    on: tuple[str, ...]
    each: Expression | None
    when: Expression | None
    emission: Emission | None
    sale: Sale | None
    recall: Mapping[str, Expression]
    remember: Mapping[str, Mapping[str, Expression]]
    teaches: tuple[tuple[tuple[str, Expression], ...], ...]

    def expressions(self) -> Iterator[tuple[Place, Expression]]:
        """Every expression but `each`, with the place where it stands within the rule."""
        yield from ((("recall", kind), one) for kind, one in self.recall.items())
        if self.when is not None:
            yield ("when",), self.when
        if self.emission is not None:
            yield ("subscriber",), self.emission.subscriber
            yield from ((("keys", kind or place), one) for place, (kind, one) in enumerate(self.emission.keys))
            yield from ((("data", name), one) for name, one in self.emission.data.items())
        if self.sale is not None:
            yield from self.sale.expressions()
        for kind, told in self.remember.items():
            yield from ((("remember", kind, name), one) for name, one in told.items())
        for number, keys in enumerate(self.teaches):
            yield from ((("teaches", number, kind or place), one) for place, (kind, one) in enumerate(keys))


@dataclass(frozen=True)
class Declaration:
    """A YAML adapter, read and found right. `scheme` None: the source's options decide on a shared secret."""

    name: str
    title: str
    docs: Mapping[str, str]
    scheme: Scheme | None
    body: tuple[str, str]
    bodies: Mapping[str, BodyMarks]
    claims: frozenset[Claim]
    each: Expression | None
    delivery_id: Expression | None
    probe: tuple[str, ...]
    id: Expression | None
    type: Expression
    occurred_at: Expression | None
    account: Expression | None
    test: Expression | None
    tables: Mapping[str, Mapping[str, str]]
    options: Mapping[str, Any]
    payments_from: str | None
    rules: tuple[Rule, ...]
    ignored: Mapping[str, str]
    makers: frozenset[str] = field(default=frozenset())


def read(text: str, file: str) -> Declaration:
    """Raises AdapterError with every fault of the file, one a line, each with its place."""
    faults = Faults(file)
    if len(text) > LONGEST_FILE:
        raise AdapterError(f"{file}:1: longer than {LONGEST_FILE} characters")
    raw = parse(text, faults, "adapter, docs, verify, source_event and events")
    if isinstance(raw, dict):
        found = _Reading(faults, raw).declaration()
        if found is not None:
            return found
    elif not faults:
        faults.at((), "must be a mapping with adapter, docs, verify, source_event and events")
    raise AdapterError("\n".join(faults.texts()))


class _Reading:
    def __init__(self, faults: Faults, raw: Mapping[str, Any]) -> None:
        self._faults = faults
        self._raw = raw
        self._file = judge(AdapterSchema(), raw, (), faults.at)

    def declaration(self) -> Declaration | None:
        """None where something is at fault."""
        name = self._name()
        scheme = self._scheme()
        rules = self._rules()
        self._judge_sales(rules)
        self._judge_makers(rules)
        self._judge_ignored(rules)
        self._judge_calls(rules, scheme)
        self._judge_bodies(scheme, rules)
        if self._faults:
            return None
        told, event = self._file, self._file["source_event"]
        return Declaration(
            name=name,
            title=told.get("title", name),
            docs=told["docs"],
            scheme=scheme,
            body=told["body"],
            bodies=told["bodies"],
            claims=self._claims(scheme),
            each=told.get("each"),
            delivery_id=told.get("delivery_id"),
            probe=told["probe"],
            id=event.get("id"),
            type=event["type"],
            occurred_at=event.get("occurred_at"),
            account=event.get("account"),
            test=event.get("test"),
            tables=told["tables"],
            options=told["options"],
            payments_from=told.get("payments_from"),
            rules=tuple(rules),
            ignored=told["ignore"],
            makers=frozenset(rule.sale.makes for rule in rules if rule.sale and rule.sale.makes),
        )

    def _name(self) -> str:
        name = self._file.get("adapter", "")
        if "adapter" in self._file and not re.fullmatch(r"[a-z0-9][a-z0-9_-]*", name):
            self._faults.at(("adapter",), "a name is of a-z, 0-9, _ and -, and begins with a letter or digit")
        return str(name)

    def _scheme(self) -> Scheme | None:
        told = self._file.get("verify")
        if told is None:
            return None
        known = [*SCHEMES, SHARED_SECRET]
        word = told.get("scheme")
        if word not in known:
            wrong = "is missing" if "scheme" not in told else "is no scheme"
            near = nearest(word, known) if isinstance(word, str) else ""
            self._faults.at(("verify", "scheme"), f"{wrong}; allowed: {listed(known)}{near}")
            return None
        wrong_before = len(self._faults.texts())
        found = judge(scheme_schema(word), told, ("verify",), self._faults.at)
        if word == SHARED_SECRET or len(self._faults.texts()) > wrong_before:
            return None
        try:
            scheme: Scheme = SCHEMES[word](**{name: value for name, value in found.items() if name != "scheme"})
        except AdapterError as error:
            self._faults.at(("verify",), str(error))
            return None
        return scheme

    def _claims(self, scheme: Scheme | None) -> frozenset[Claim]:
        """What of a source event is read from headers, where the scheme signs the body alone."""
        if scheme is None or not scheme.signs_body:
            return frozenset()
        told = self._file.get("source_event", {})
        return frozenset(
            claim
            for claim in Claim
            if (found := told.get(claim.value)) and any(name == "header" for name, _ in found.calls)
        )

    def _judge_bodies(self, scheme: Scheme | None, rules: list[Rule]) -> None:
        if Claim.TYPE not in self._claims(scheme):
            return
        known = self._file.get("bodies", {})
        unmarked = [name for rule in rules for name in rule.on if not any(covers(one, name) for one in known)]
        if unmarked:
            self._faults.at(
                ("bodies",),
                f"the type stands in a header, which is not signed: name fields by which a body of "
                f"{', '.join(dict.fromkeys(unmarked))} is known, {{order.*: {{has: [order_key], lacks: [username]}}}}",
            )

    def _rules(self) -> list[Rule]:
        told = self._file.get("events", [])
        if "events" in self._file and not told:
            self._faults.at(("events",), "is empty; at least one rule belongs here")
        if len(told) > MOST_RULES:
            self._faults.at(("events",), f"more than {MOST_RULES} rules")
            return []
        return [rule for place, raw in enumerate(told) if (rule := self._rule(place, raw)) is not None]

    def _rule(self, place: int, raw: Any) -> Rule | None:
        path: Place = ("events", place)
        if not isinstance(raw, dict):
            self._faults.at(path, "must be a mapping: `on: TYPE` and what becomes of it")
            return None
        before = len(self._faults.texts())
        found = judge(RuleSchema(), raw, path, self._faults.at)
        if len(self._faults.texts()) > before:
            return None
        self._judge_rule(found, raw, path)
        if len(self._faults.texts()) > before:
            return None
        return Rule(
            line=self._faults.lines[path],
            on=found["on"],
            each=found.get("each"),
            when=found.get("when"),
            emission=_emission(found) if "emit" in found else None,
            sale=self._sale(found),
            recall=found.get("recall", {}),
            remember=found.get("remember", {}),
            teaches=found.get("teaches", ()),
        )

    def _judge_rule(self, found: Mapping[str, Any], raw: Mapping[str, Any], path: Place) -> None:
        for name, wrong in sale_rules.faults(raw):
            self._faults.at((*path, name) if name else path, wrong)
        if raw.keys() & {*SAYS} or found.get("emit") in MONEY_TYPES:
            return
        for name in sale_rules.WITH_MONEY:
            if name in raw:
                self._faults.at((*path, name), f"goes with {', '.join(SAYS)} only")
        if "emit" in found:
            for name in ("subscriber", "keys"):
                if name not in raw:
                    self._faults.at((*path, "emit"), f"needs {name} beside it")
            self._judge_data(EventType(found["emit"]), found.get("data", {}), path)
            return
        if not raw.keys() & {"remember", "teaches"}:
            self._faults.at(path, f"does nothing: it needs emit, {', '.join(SAYS)}, remember or teaches")
        for name in ("subscriber", "keys", "data", "richness"):
            if name in raw:
                self._faults.at((*path, name), "goes with emit only")

    def _sale(self, found: Mapping[str, Any]) -> Sale | None:
        if not found.keys() & {*SAYS}:
            return None
        return Sale(
            keys=found.get("sale") or found["of"],
            currency=found["currency"],
            title=self._file.get("title", self._file.get("adapter", "")),
            subscriber=found.get("subscriber"),
            product=found.get("product"),
            provider_object=found.get("part"),
            paid=found.get("paid"),
            presented=found.get("presented"),
            refunded_total=found.get("refunded_total"),
            refund=None if "refund" not in found else Back(**found["refund"]),
            chargeback=None if "chargeback" not in found else Back(**found["chargeback"]),
            makes=found.get("makes"),
            detail_rank=found["richness"],
            minor=self._file.get("amounts") == "minor",
        )

    def _judge_sales(self, rules: list[Rule]) -> None:
        """A refund finds its sale only by a key that a payment or a `teaches` names, too."""
        if len(rules) < len(self._file.get("events", [])):
            return
        known = {kind for rule in rules if rule.sale and rule.sale.paid for kind, _ in rule.sale.keys}
        known |= {kind for rule in rules for keys in rule.teaches for kind, _ in keys}
        for place, rule in enumerate(rules):
            kinds = [kind for kind, _ in rule.sale.keys] if rule.sale else []
            if kinds and not {*kinds, ""} & known and "" not in kinds:
                named = f"sales are named by {listed(known)}" if known else "no rule says what was `paid`"
                text = f"names a sale that no rule tells as paid: {named}{nearest(kinds[0], known)}"
                self._faults.at(("events", place), text)

    def _judge_data(self, emit: EventType, data: Mapping[str, Expression], path: Place) -> None:
        schema = DATA_SCHEMAS[emit]
        allowed = [*schema.fields, *ANNOTATIONS]
        for name in data:
            if name not in allowed:
                text = f"{emit} has no such field; it has {listed(allowed)}{nearest(name, allowed)}"
                self._faults.at((*path, "data", name), text)
        needed = {name for name, member in schema.fields.items() if member.required} - FILLED_IN
        missing = sorted(needed - data.keys())
        if missing:
            place = (*path, "data") if data else (*path, "emit")
            self._faults.at(place, f"{emit} needs {', '.join(missing)} in its data")

    def _judge_makers(self, rules: list[Rule]) -> None:
        words = {rule.sale.makes for rule in rules if rule.sale and rule.sale.makes}
        default = self._file.get("payments_from")
        if words and default is None:
            self._faults.at(
                (), f"payments_from is missing: which of {listed(words)} a source makes events of by itself"
            )
        if default is not None and default not in words and len(rules) == len(self._file.get("events", [])):
            text = f"no rule says `makes: {default}`; they say {listed(words)}{nearest(default, words)}"
            self._faults.at(("payments_from",), text)

    def _judge_ignored(self, rules: list[Rule]) -> None:
        handled = {name for rule in rules for name in rule.on}
        for ignored in self._file.get("ignore", {}):
            both = sorted(name for name in handled if covers(ignored, name) or covers(name, ignored))
            if both:
                self._faults.at(("ignore",), f"{ignored} is in `events`, too, as {', '.join(both)}")

    def _judge_calls(self, rules: list[Rule], scheme: Scheme | None) -> None:
        """Tables that are looked up have to be there, and what headers say has to be signed or owned up to."""
        signed = None if scheme is None or not scheme.signs_body else _signed_headers(scheme)
        tables, options = self._file.get("tables", {}), self._file.get("options", {})
        told = self._file.get("source_event", {})
        places: list[tuple[Place, Expression]] = [(("source_event", name), one) for name, one in told.items()]
        places += [((name,), self._file[name]) for name in ("each", "delivery_id") if name in self._file]
        raw_rules = self._file.get("events", [])
        for rule in rules:
            place = next(n for n in range(len(raw_rules)) if self._faults.lines[("events", n)] == rule.line)
            places += [(("events", place, *within), one) for within, one in rule.expressions()]
            places += [(("events", place, "each"), rule.each)] if rule.each is not None else []
        for path, one in places:
            for name, first in one.calls:
                if name == "lookup" and first not in tables:
                    near = nearest(first, tables) if first else ""
                    self._faults.at(path, f"lookup needs the name of a table; there is {listed(tables)}{near}")
                if name == "option" and first not in options:
                    near = nearest(first, options) if first else ""
                    self._faults.at(path, f"option needs the name of one of `options`: {listed(options)}{near}")
                if (
                    name == "header"
                    and signed is not None
                    and path not in _MAY_CLAIM
                    and (first or "").lower() not in signed
                ):
                    self._faults.at(
                        path,
                        f"the header {first!r} is not signed: whoever saw one request could send it with another. "
                        "Take this from the body",
                    )


_MAY_CLAIM: tuple[Place, ...] = (("delivery_id",), *(("source_event", claim.value) for claim in Claim))
"""Where a header may stand that nobody signs: what it says there decides nothing by itself."""


def _signed_headers(scheme: Scheme) -> frozenset[str]:
    """Those that the signature covers beside the body, in small letters."""
    if isinstance(scheme, schemes.StandardWebhooks):
        return frozenset(f"{prefix}{name}" for prefix in ("webhook-", "svix-") for name in ("id", "timestamp"))
    told = (getattr(scheme, name, None) for name in ("timestamp_header", "id_header"))
    return frozenset(one.lower() for one in told if one)


def _emission(found: Mapping[str, Any]) -> Emission:
    return Emission(
        type=EventType(found["emit"]),
        subscriber=found["subscriber"],
        keys=found["keys"],
        data=found.get("data", {}),
        richness=found["richness"],
    )
