"""The kinds of values that a configuration holds, each with its limits and what is said of one that does not fit."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from marshmallow import ValidationError, fields, validate

from gateway.config.faults import listed, nearest
from gateway.events import DATA_FIELDS, WRITABLE_TYPES, EventType
from gateway.formats.durations import Duration
from gateway.formats.placeholders import is_placeholder
from gateway.outgoing import read_proxy


class Whole(fields.Integer):
    """A whole number within limits; as text too, since a reference gives text."""

    def __init__(self, least: int, most: int, **options: Any) -> None:
        self._limits = (least, most)
        super().__init__(**options)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> int:
        least, most = self._limits
        digits = isinstance(value, str) and re.fullmatch(r"[0-9]{1,18}", value)
        number = int(value) if digits else value
        if isinstance(number, int) and not isinstance(number, bool) and least <= number <= most:
            return number
        raise ValidationError(f"must be a whole number from {least} to {most}")


class Truth(fields.Boolean):
    """`true` or `false`, and nothing else that YAML or Python takes for it."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> bool:
        if value is True or value is False:
            return bool(value)
        if value in ("true", "false"):
            return bool(value == "true")
        raise ValidationError("must be true or false")


class Text(fields.String):
    """Text of at least one character. What does not fit is not quoted: it may be a secret in the wrong place."""

    default_error_messages = {"invalid": "must be text; put quotes around it"}

    def __init__(self, **options: Any) -> None:
        options.setdefault("validate", validate.Length(min=1, error="is empty"))
        super().__init__(**options)


class Secret(Text):
    """Text without spaces around it, which only ever come from a copy gone wrong."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> str:
        text = super()._deserialize(value, attr, data)
        if text != text.strip():
            raise ValidationError("has spaces or line ends around it")
        if is_placeholder(text):
            raise ValidationError("is a placeholder, which everybody knows: put the real one in its place")
        return text


class Token(Secret):
    """A secret that travels in a request header."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> str:
        text = super()._deserialize(value, attr, data)
        if not re.fullmatch(r"[\x21-\x7e]*", text):
            raise ValidationError("has characters that can't stand in a request header")
        return text


class Word(Text):
    """One of a few words."""

    def __init__(self, allowed: Sequence[str], **options: Any) -> None:
        self.allowed = allowed
        super().__init__(**options)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> str:
        if isinstance(value, str) and value in self.allowed:
            return value
        raise ValidationError(f"must be one of {', '.join(self.allowed)}{_near(value, self.allowed)}")


class Url(Text):
    """An http or https address without user, query and fragment; a slash at its end is dropped."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> str:
        text = super()._deserialize(value, attr, data)
        if not re.fullmatch(r"https?://[^\s/?#@\\]+(/[^\s?#@\\]*)?", text, re.ASCII) or not _has_host(text):
            raise ValidationError("must be an address such as https://hooks.example.com, without user, ? and #")
        return text.rstrip("/")


NO_PROXY_AT_ALL = "none"
PROXY_FORM = "must be http://proxy.example:3128 or http://user:password@proxy.example:3128, percent-encoded"


class ProxyUrl(Text):
    """An HTTP proxy, or `none` where another key or the environment would say one."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> str:
        text = super()._deserialize(value, attr, data)
        try:
            if text != NO_PROXY_AT_ALL:
                read_proxy(text)
        except ValueError:
            raise ValidationError(f"{PROXY_FORM}; or none") from None
        return text


class Forward(fields.Field[frozenset[EventType]]):
    """A list of event types, or `all`: all that Lumail lists for writing."""

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any
    ) -> frozenset[EventType]:
        if value == "all":
            return WRITABLE_TYPES
        if not isinstance(value, list) or not value:
            raise ValidationError("must be `all` or a list of event types")
        wrong = {position: [told] for position, word in enumerate(value) if (told := _no_type(word)) is not None}
        if wrong:
            raise ValidationError(wrong)
        return frozenset(EventType(word) for word in value)


class ExpireAfter(fields.Field[dict[EventType, timedelta]]):
    """A time for each of some event types."""

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any
    ) -> dict[EventType, timedelta]:
        return _by_type(value, "such as {EMAIL_OPENED: 2d}", lambda _type, time: Duration().deserialize(time))


class OncePer(fields.Field[dict[EventType, str]]):
    """A field of the data for each of some event types."""

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any
    ) -> dict[EventType, str]:
        return _by_type(value, "such as {EMAIL_OPENED: emailId}", _field_of)


def _by_type(value: Any, example: str, read: Callable[[EventType, Any], Any]) -> dict[EventType, Any]:
    if not isinstance(value, dict) or not value:
        raise ValidationError(f"must be a mapping of event types, {example}")
    found: dict[EventType, Any] = {}
    wrong: dict[str, Any] = {}
    for word, inner in value.items():
        told = _no_type(word)
        if told is not None:
            wrong[str(word)] = [told]
            continue
        try:
            found[EventType(word)] = read(EventType(word), inner)
        except ValidationError as error:
            wrong[word] = error.messages
    if wrong:
        raise ValidationError(wrong)
    return found


def _field_of(event_type: EventType, name: Any) -> str:
    allowed = sorted(DATA_FIELDS[event_type])
    if isinstance(name, str) and name in allowed:
        return name
    raise ValidationError(f"must be a field of {event_type}: {', '.join(allowed)}{_near(name, allowed)}")


def _no_type(word: object) -> str | None:
    """What is said of a word that is no event type."""
    if isinstance(word, str) and word in list(EventType):
        return None
    return f"not an event type; allowed: {listed(EventType)}{_near(word, EventType)}"


class DatabaseUrl(Text):
    """SQLite in a file or PostgreSQL; the short names of PostgreSQL get the driver that is installed."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> str:
        text = re.sub(r"^postgres(ql)?://", "postgresql+psycopg://", super()._deserialize(value, attr, data))
        if re.fullmatch(r"postgresql\+psycopg://\S+|sqlite:///(?!:memory:)\S.*", text):
            return text
        raise ValidationError("must be postgresql://user:password@host/name or sqlite:///path/to/file")


class RedisUrl(Text):
    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> str:
        text = super()._deserialize(value, attr, data)
        if re.fullmatch(r"(rediss?|unix)://\S+", text) or re.fullmatch(
            r"rediss?\+sentinel://[^/\s]+/[^/\s]+(/\d+)?", text
        ):
            return text
        raise ValidationError(
            "must be redis://host:6379/0, rediss://…, unix:///path/to/socket or redis+sentinel://host:26379,…/master/0"
        )


def _near(value: object, allowed: Iterable[str]) -> str:
    return nearest(value, allowed) if isinstance(value, str) else ""


def _has_host(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
