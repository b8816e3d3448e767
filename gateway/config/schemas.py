"""What may stand in gateway.yaml and in the environment: the keys, their types, their limits and their defaults."""

from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from typing import Any

from marshmallow import RAISE, Schema, ValidationError, fields, validate, validates_schema

from gateway.config.faults import Path, listed, nearest
from gateway.config.values import (
    DatabaseUrl,
    ExpireAfter,
    Forward,
    OncePer,
    ProxyUrl,
    RedisUrl,
    Secret,
    Text,
    Token,
    Truth,
    Url,
    Whole,
    Word,
)
from gateway.formats.durations import Duration

PLANS = {"free": 100, "premium": 700, "enterprise": 2000}
"""Requests a minute (https://lumail.io/docs/api-reference/api-limits)."""

LATER = frozenset(
    {
        "sources.*.path",
        "sources.*.path_token",
    }
)
"""Keys that are promised but have no effect yet. Who brings the effect puts the key into a schema (this file's or an
adapter's, which is asked first) and takes its line out of here."""


NOT_HERE = {
    "sources.*.gift_card_sales": (
        "only Shopify's webhooks say how much of an order a gift card paid, so only there a card may count when it is "
        "sold; leave it out here (docs/money.md says when a card counts)"
    ),
}
"""Why adapters have no such option that one might look for, since another has it."""


class DoubtSecondsSchema(Schema):
    money = Whole(1, 86400, load_default=600)
    other = Whole(1, 86400, load_default=120)


class DestinationSchema(Schema):
    api_token = Token(required=True)
    base_url = Url(load_default="https://lumail.io/api/v1")
    plan = Word(list(PLANS), load_default="free")
    requests_per_minute = Whole(1, 1_000_000)
    unknown_subscriber = Word(["wait", "create", "drop", "fail"], load_default="wait")
    refund_sign = Word(["positive", "negative"], load_default="positive")
    currency = Text(validate=validate.Regexp(r"[A-Z]{3}\Z", error="must be a currency's code in capitals, such as EUR"))
    other_currencies = Word(["send", "hold", "drop"], load_default=lambda: None)
    annotate = Truth(load_default=True)
    hold_for = Duration(load_default=lambda: timedelta(days=30))
    doubt_seconds = fields.Nested(DoubtSecondsSchema, load_default=lambda: DoubtSecondsSchema().load({}))
    proxy = ProxyUrl()
    ca_file = Text()

    @validates_schema(pass_original=True, skip_on_field_errors=False)
    def one_limit(self, _: object, original: Mapping[str, Any], **__: Any) -> None:
        if "plan" in original and "requests_per_minute" in original:
            raise ValidationError("plan says it already; keep one of the two", "requests_per_minute")

    @validates_schema(pass_original=True, skip_on_field_errors=False)
    def other_than_what(self, _: object, original: Mapping[str, Any], **__: Any) -> None:
        if "other_currencies" in original and "currency" not in original:
            raise ValidationError("other than which? It needs currency beside it", "other_currencies")


class SourceSchema(Schema):
    """The keys that every source has; those of its adapter stand beside them."""

    adapter = Text(required=True)
    secrets = fields.List(
        Secret,
        required=True,
        error_messages={"invalid": "must be a list; several secrets stand there while one is replaced"},
    )
    destination = Text()
    forward = Forward()
    settle_seconds = Whole(0, 86400, load_default=5)
    accept_test_events = Truth(load_default=False)
    expire_after = ExpireAfter()
    once_per = OncePer()
    max_age = Duration()
    ignore = fields.List(
        Text(),
        load_default=list,
        error_messages={"invalid": "must be a list of types in the provider's words; a name may end in *"},
    )
    expect_every = Duration()
    account = Text()
    enabled = Truth(load_default=True)


class RetentionSchema(Schema):
    bodies = Duration(load_default=lambda: timedelta(days=30))
    attempts = Duration(load_default=lambda: timedelta(days=90))
    events = Duration(load_default=lambda: timedelta(days=400))
    memory = Duration(load_default=lambda: timedelta(days=400))


class OutgoingSchema(Schema):
    proxy = ProxyUrl()
    ca_file = Text()
    use_environment = Truth(load_default=False)


class FileSchema(Schema):
    public_url = Url()
    trusted_proxies = Whole(0, 10, load_default=0)
    max_body_mb = Whole(1, 1000, load_default=10)
    retention = fields.Nested(RetentionSchema, load_default=lambda: RetentionSchema().load({}))
    outgoing = fields.Nested(OutgoingSchema, load_default=lambda: OutgoingSchema().load({}))
    destinations = fields.Dict(required=True, error_messages={"invalid": "must be a mapping: one key a destination"})
    sources = fields.Dict(required=True, error_messages={"invalid": "must be a mapping: one key a source"})


class EnvironmentSchema(Schema):
    """The environment variables of our own; those that the file refers to come besides."""

    config = Text(data_key="GATEWAY_CONFIG")
    data = Text(data_key="GATEWAY_DATA", load_default="./var")
    database_url = DatabaseUrl(data_key="DATABASE_URL")
    redis_url = RedisUrl(data_key="REDIS_URL")
    secret_key = Secret(
        data_key="GATEWAY_SECRET_KEY",
        validate=validate.Length(min=32, error="is shorter than 32 characters; `openssl rand -hex 32` makes one"),
    )
    host = Text(data_key="GATEWAY_HOST", load_default="127.0.0.1")
    port = Whole(1, 65535, data_key="PORT", load_default=8000)
    metrics_token = Token(data_key="GATEWAY_METRICS_TOKEN")
    sandbox_url = Url(data_key="GATEWAY_SANDBOX_URL")


def judge(schema: Schema, raw: Mapping[str, Any], path: Path, report: Callable[[Path, str], None]) -> dict[str, Any]:
    """What of `raw` fits, defaults filled in; `report` hears what does not."""
    try:
        loaded = schema.load(raw, unknown=RAISE)
    except ValidationError as error:
        _report_messages(schema, error.messages_dict, path, report)
        loaded = error.valid_data
    return dict(loaded) if isinstance(loaded, Mapping) else {}


def keys_of(schema: Schema) -> list[str]:
    return sorted(member.data_key or name for name, member in schema.fields.items())


_WORDS = {
    fields.Field.default_error_messages["required"]: "is missing",
    fields.Field.default_error_messages["null"]: "has no value",
    "Invalid input type.": "must be a mapping",
}


def _report_messages(schema: Schema | None, messages: Any, path: Path, report: Callable[[Path, str], None]) -> None:
    if isinstance(messages, Mapping):
        for key, inner in messages.items():
            if key == "_schema":
                _report_messages(None, inner, path, report)
            elif schema is not None and key not in keys_of(schema):
                report((*path, key), unknown_key((*path, key), keys_of(schema)))
            else:
                _report_messages(_schema_below(schema, key), inner, (*path, key), report)
        return
    for text in messages if isinstance(messages, list) else [messages]:
        report(path, _WORDS.get(text, str(text)))


def unknown_key(path: Path, allowed: Iterable[str]) -> str:
    """What is said of a key that no schema knows; `allowed` are those that stand beside it."""
    pattern = path if len(path) < 3 else (path[0], "*", *path[2:])
    name = ".".join(map(str, pattern))
    if name in LATER:
        return "comes with a later version; leave it out for now"
    if name in NOT_HERE:
        return NOT_HERE[name]
    return f"unknown key; allowed here: {listed(allowed)}{nearest(str(path[-1]), allowed)}"


def _schema_below(schema: Schema | None, key: object) -> Schema | None:
    if schema is None:
        return None
    member = next((inner for name, inner in schema.fields.items() if (inner.data_key or name) == key), None)
    return member.schema if isinstance(member, fields.Nested) else None
