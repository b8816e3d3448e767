"""What payload schemas are made of: fields that are lenient about absence and strict about kind.

A field that is not `required` may be missing or null, and then loads as None (`Part`: as a part whose members are).
"""

from collections.abc import Mapping
from typing import Any

from marshmallow import EXCLUDE, Schema, ValidationError, fields, missing

from gateway.errors import PayloadError
from gateway.translation import moment, person


class PayloadSchema(Schema):
    """The part of a provider's payload that a handler uses: unknown keys are dropped."""

    class Meta:
        unknown = EXCLUDE


def load(schema: Schema, payload: Mapping[str, Any]) -> Any:
    """What `schema` reads from a payload. Raises PayloadError where it does not fit."""
    try:
        return schema.load(payload)
    except ValidationError as error:
        raise PayloadError(f"payload does not fit: {error.messages}") from error


class _Optional(fields.Field[Any]):
    def __init__(self, *, required: bool = False, data_key: str | None = None) -> None:
        if required:
            super().__init__(required=True, allow_none=False, data_key=data_key)
        else:
            super().__init__(load_default=None, allow_none=True, data_key=data_key)


class Text(_Optional):
    """Trimmed text; a number becomes text, since ids are text. Where required it is not empty."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        if isinstance(value, str):
            text = value.strip()
        elif isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**40:
            text = str(value)
        else:
            raise ValidationError("Not a text.")
        if self.required and not text:
            raise ValidationError("Empty.")
        return text


class Whole(_Optional):
    """An integer of up to 18 digits; no text, no fraction, no boolean."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> int:
        if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**18:
            return value
        raise ValidationError("Not a whole number.")


class Flag(_Optional):
    """true or false and nothing that looks like it."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> bool:
        if isinstance(value, bool):
            return value
        raise ValidationError("Not true or false.")


class Email(_Optional):
    """An address, cleaned. What is no address is a fault where the field is required, else None."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str | None:
        address = person.email(value)
        if address is None and self.required:
            raise ValidationError("Not an e-mail address.")
        return address


class UnixTime(_Optional):
    """Seconds or milliseconds since 1970, see `moment.from_unix`."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        try:
            return moment.from_unix(value)
        except PayloadError as error:
            raise ValidationError(str(error)) from error


class Reference(_Optional):
    """The id of another object, told bare or with the object expanded in its place."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str | None:
        if isinstance(value, Mapping):
            value = value.get("id")
        if isinstance(value, str):
            return value.strip() or None
        raise ValidationError("Not an id.")


class Part(fields.Nested):
    """An object inside the payload; missing, null or an empty array (as PHP writes it), it loads like an empty one."""

    def __init__(self, nested: type[Schema], *, data_key: str | None = None) -> None:
        super().__init__(nested, data_key=data_key)

    def deserialize(self, value: Any, attr: str | None = None, data: Any = None, **kwargs: Any) -> Any:
        present = {} if value is None or value is missing or value == [] else value
        return super().deserialize(present, attr, data, **kwargs)
