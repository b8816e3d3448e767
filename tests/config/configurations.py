"""A minimal right configuration, adapters that take it, and how a text becomes a Config or its faults."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from marshmallow import Schema, fields

from gateway.config import AdapterTerms, Config, Flags, load
from gateway.errors import ConfigError

ENVIRON = {
    "GATEWAY_SECRET_KEY": "key-of-the-tests" * 2,
    "LUMAIL_API_TOKEN": "lum_of_tests",
    "STRIPE_WEBHOOK_SECRET": "whsec_right",
    "SENDGRID_WEBHOOK_PUBLIC_KEY": "public",
}

MINIMAL = """\
destinations:
  main:
    api_token: ${LUMAIL_API_TOKEN}
sources:
  stripe:
    adapter: stripe
    secrets: ["${STRIPE_WEBHOOK_SECRET}"]
"""


class PostmarkOptions(Schema):
    auth = fields.String(load_default="basic")
    accounts = fields.List(fields.Integer())


def _check_stripe_secret(options: Mapping[str, Any], secret: str) -> str | None:
    return None if secret.startswith("whsec_") else "must begin with whsec_"


ADAPTERS = {
    "stripe": AdapterTerms(Schema, _check_stripe_secret, lambda options: ("whsec_made", "whsec_made")),
    "sendgrid": AdapterTerms(Schema, lambda options, secret: None, lambda options: ("made public", "made 'private'\\")),
    "postmark": AdapterTerms(PostmarkOptions, lambda options, secret: None, lambda options: ("u:p", "u:p")),
}


def loaded(folder: Path, text: str, environ: Mapping[str, str] = ENVIRON, *, sandbox: bool = False) -> Config:
    file = folder / "gateway.yaml"
    file.write_text(text)
    return load(Flags(file=file, data=folder / "var", sandbox=sandbox), environ, ADAPTERS)


def faults(folder: Path, text: str, environ: Mapping[str, str] = ENVIRON, *, sandbox: bool = False) -> list[str]:
    """The faults of a configuration, without the folder that the file lies in."""
    with pytest.raises(ConfigError) as told:
        loaded(folder, text, environ, sandbox=sandbox)
    return [fault.removeprefix(f"{folder}/") for fault in told.value.faults]
