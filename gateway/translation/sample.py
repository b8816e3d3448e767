"""One case of an adapter: a payload as the provider would send it, what becomes of it, and why.

Cases are files ``<adapter>/<case>.json``: the adapter's specification, its contract tests, and what
`lumail-gateway send` sends. docs/extend/provider.md explains each key.
"""

import hashlib
import json
import re
import string
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus, urlencode

from marshmallow import Schema, ValidationError, fields, validate

from gateway.errors import AdapterError, PayloadError
from gateway.translation import json_body, moment
from gateway.translation.webhook import Headers, Webhook


def _one_or_several(value: object) -> None:
    if not isinstance(value, str | list):
        raise ValidationError("a text, or a list of texts for the items of a batch")


class _ExpectedSchema(Schema):
    eventType = fields.String(required=True)  # noqa: N815 - the word that Lumail reads
    subscriber = fields.String(required=True, allow_none=True)
    data = fields.Dict(required=True)
    occurredAt = fields.String()  # noqa: N815 - as it stands in an event's data
    keys = fields.List(fields.String())
    waitsFor = fields.String()  # noqa: N815 - its neighbours are written so
    sum = fields.Dict()


class _FreshSchema(Schema):
    ids = fields.List(fields.String(validate=validate.Length(min=4)), load_default=list)
    times = fields.List(fields.String(validate=validate.Length(min=10)), load_default=list)


class _CaseSchema(Schema):
    why = fields.String(required=True, validate=validate.Length(min=1))
    sample = fields.Boolean(load_default=False)
    fresh = fields.Nested(_FreshSchema, load_default=lambda: {"ids": [], "times": []})
    types = fields.List(fields.String(), validate=validate.Length(min=1))
    headers = fields.Dict(keys=fields.String(), values=fields.String(), load_default=dict)
    body = fields.Raw(allow_none=True)
    body_text = fields.String()
    form = fields.Dict(keys=fields.String(), values=fields.String())
    options = fields.Dict(load_default=dict)
    after = fields.List(fields.String(), load_default=list)
    expect = fields.List(fields.Nested(_ExpectedSchema), load_default=list)
    says = fields.List(fields.Nested(_ExpectedSchema))
    teaches = fields.Dict(keys=fields.String(), values=fields.Dict())
    links = fields.List(fields.List(fields.String()))
    demands = fields.List(fields.Dict())
    account = fields.String()
    test = fields.Boolean()
    ignored = fields.String()
    quarantine = fields.Raw(validate=_one_or_several)


_BODIES = {"body": "application/json", "body_text": "application/json", "form": "application/x-www-form-urlencoded"}
_OUTCOMES = ("expect", "says", "teaches", "links", "demands", "ignored", "quarantine")
_SAID_BESIDE = ("account", "test")


@dataclass(frozen=True)
class Sample:
    """One case, read. `body` is what is sent, byte for byte; `outcome` is what the file says of it, defaults filled in.

    `default` marks the case that is sent when none is named.
    """

    adapter: str
    case: str
    why: str
    headers: Mapping[str, str]
    body: bytes
    default: bool
    after: tuple[str, ...]
    options: Mapping[str, Any]
    outcome: Mapping[str, Any]
    fresh_ids: tuple[str, ...]
    fresh_times: tuple[str, ...]

    def webhook(self, source: str, url: str, received_at: datetime) -> Webhook:
        """The unsigned request; a scheme's `sign` makes it genuine."""
        return Webhook(source, url, Headers(self.headers), self.body, received_at)


def read(file: Path) -> list[Sample]:
    """The cases of a file: one, or one for each of its `types`. Raises AdapterError."""
    where = f"{file.parent.name}/{file.name}"
    try:
        raw = json.loads(file.read_bytes())
        told = _CaseSchema().load(json_body.load(file.read_bytes()))
    except (ValueError, RecursionError, ValidationError, PayloadError) as error:
        detail = error.messages if isinstance(error, ValidationError) else error
        allowed = ", ".join(_CaseSchema().fields)
        raise AdapterError(f"{where}: {detail} (allowed: {allowed})") from error
    if len(_BODIES.keys() & raw.keys()) != 1:
        raise AdapterError(f"{where}: exactly one of {', '.join(_BODIES)} is needed")
    if not raw.keys() & set(_OUTCOMES):
        raise AdapterError(f"{where}: what becomes of it? One of {', '.join(_OUTCOMES)} is needed")
    types = told.get("types")
    if types is None:
        return [_sample(file, file.stem, raw, told)]
    return [_sample(file, f"{file.stem}[{name}]", _swapped(raw, types[0], name), told) for name in types]


def freshen(sample: Sample, at: datetime, token: str) -> Sample:
    """The sample as if it happened at `at`: its declared ids become others of the same form, decided by `token`, and
    its declared times move, the latest of them to `at`.
    """
    changes = {id_: _similar(id_, token) for id_ in sample.fresh_ids} | _moved(sample.fresh_times, at)
    changes |= {quote_plus(old): quote_plus(new) for old, new in changes.items()}  # as they stand in a form
    if not changes:
        return sample
    pattern = re.compile("|".join(re.escape(text) for text in sorted(changes, key=len, reverse=True)))

    def changed(text: str) -> str:
        return pattern.sub(lambda found: changes[found[0]], text)

    headers = {name: changed(value) for name, value in sample.headers.items()}
    return replace(sample, headers=headers, body=changed(sample.body.decode()).encode())


def _sample(file: Path, case: str, raw: Mapping[str, Any], told: Mapping[str, Any]) -> Sample:
    kind = next(name for name in _BODIES if name in raw)
    return Sample(
        adapter=file.parent.name,
        case=case,
        why=told["why"],
        headers={"Content-Type": _BODIES[kind], **raw.get("headers", {})},
        body=_ENCODERS[kind](raw[kind]),
        default=told["sample"],
        after=tuple(told["after"]),
        options=told["options"],
        outcome={name: told[name] for name in (*_OUTCOMES, *_SAID_BESIDE) if name in told},
        fresh_ids=tuple(told["fresh"]["ids"]),
        fresh_times=tuple(told["fresh"]["times"]),
    )


def _as_json(body: Any) -> bytes:
    """As providers write it, in readable text; half surrogates, which no text can hold, stay escaped."""
    try:
        return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:
        return json.dumps(body, separators=(",", ":")).encode()


_ENCODERS: Mapping[str, Callable[[Any], bytes]] = {
    "body": _as_json,
    "body_text": lambda text: str(text).encode(errors="surrogatepass"),
    "form": lambda form: urlencode(form, errors="replace").encode(),
}


def _swapped(value: Any, old: str, new: str) -> Any:
    """`value` with another source event type in the place of `old`, wherever that is the whole text."""
    if isinstance(value, str):
        return new if value == old else value.replace(f'"{old}"', f'"{new}"')
    if isinstance(value, list):
        return [_swapped(item, old, new) for item in value]
    if isinstance(value, dict):
        return {name: _swapped(item, old, new) for name, item in value.items()}
    return value


_ALPHABETS = (string.digits, "abcdef", string.ascii_lowercase, string.ascii_uppercase)  # hexadecimal stays so


def _similar(id_: str, token: str) -> str:
    """Another id that looks like this one: ``evt_1Nx`` may become ``evt_7Qd``."""
    prefix = re.match(r"(?:[A-Za-z]+_)*", id_)
    kept = prefix[0] if prefix and prefix[0] != id_ else ""
    stream = hashlib.shake_256(f"{token} {id_}".encode()).digest(len(id_))
    return kept + "".join(map(_similar_character, id_[len(kept) :], stream))


def _similar_character(character: str, chance: int) -> str:
    if character == "0":
        return "0"  # a number keeps its length
    alphabet = next((letters for letters in _ALPHABETS if character in letters), character)
    return alphabet[chance % len(alphabet)].replace("0", "9")


def _moved(times: tuple[str, ...], at: datetime) -> dict[str, str]:
    read_times = {text: moment.from_unix(text) if text[:10].isdigit() else moment.from_iso(text, UTC) for text in times}
    shift = at - max(read_times.values(), default=at)
    return {text: _written(then + shift, text) for text, then in read_times.items()}


def _written(then: datetime, like: str) -> str:
    """A time in the form of `like`: seconds, seconds with a fraction, milliseconds, or ISO 8601 in UTC."""
    seconds = Decimal(int(then.timestamp()))
    if not like[:10].isdigit():
        form = "%Y-%m-%d %H:%M:%S" if like[10:11] == " " else "%Y-%m-%dT%H:%M:%SZ"
        return then.astimezone(UTC).strftime(form)
    if "." in like:
        return str(seconds.quantize(Decimal(like) % 1))
    return str(seconds * 1000 if len(like) == 13 else seconds)
