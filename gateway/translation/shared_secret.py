"""The options of sources whose provider signs nothing: which shared secret it sends along, and where."""

from collections.abc import Mapping
from typing import Any

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from gateway.translation.schemes import Basic, Bearer, HeaderToken
from gateway.translation.signature import Scheme


class SharedSecretOptions(Schema):
    """`auth`: basic (the secret is ``user:password``), bearer, or header with the name of the field in `header`."""

    auth = fields.String(load_default="basic", validate=validate.OneOf(["basic", "bearer", "header"]))
    header = fields.String(load_default=None, validate=validate.Regexp(r"^[A-Za-z0-9-]{1,100}$"))

    @validates_schema
    def _header_goes_with_auth(self, data: Mapping[str, Any], **_: Any) -> None:
        if (data.get("auth") == "header") != (data.get("header") is not None):
            raise ValidationError("`auth: header` and `header: NAME` go together", "header")


def shared_secret(options: Mapping[str, Any]) -> Scheme:
    """The scheme that these options ask for."""
    match options.get("auth", "basic"):
        case "bearer":
            return Bearer()
        case "header":
            return HeaderToken(options["header"])
        case _:
            return Basic()
