"""How the sandbox behaves where Lumail's documentation leaves a choice, or a test wants one."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from marshmallow import Schema, ValidationError, fields, validate

from gateway.errors import ConfigError
from gateway.lumail.sandbox.limits import RESETS, WINDOWS


@dataclass(frozen=True)
class SandboxSettings:
    """`folder` None keeps everything in memory; else it outlives the process, even one that is killed.

    `api_tokens` empty: any bearer token is an organization of its own.
    `requests_per_minute` None: no limit and no rate headers. `window`: how it counts, `reset`: what it says of when
    that is over; Lumail's are not known.
    `subscriber_limit`: how many subscribers `POST /subscribers` makes before it answers 402.
    `auto_subscribers`: an event for an unknown e-mail address makes its subscriber, unless the address is of one of
    `unknown_domains`; off, it is answered 400 as Lumail does.
    `echo`: keys of an event's data that Lumail does not document are kept and shown.
    `read_lag`: seconds until a recorded event can be read back. `clock_offset`: how far its clock is ahead.
    `latency_ms`: how long every answer of the API takes.
    """

    folder: Path | None = None
    api_tokens: tuple[str, ...] = ()
    requests_per_minute: int | None = None
    window: str = "fixed"
    reset: str = "end"
    subscriber_limit: int | None = None
    auto_subscribers: bool = True
    unknown_domains: tuple[str, ...] = ("unknown.example.com",)
    echo: bool = True
    read_lag: float = 0.0
    clock_offset: float = 0.0
    latency_ms: float = 0.0

    def changed(self, changes: Mapping[str, Any]) -> "SandboxSettings":
        """With some settings changed at run time; folder and tokens can't be. Raises ConfigError."""
        try:
            return replace(self, **_CHANGES.load(changes))
        except ValidationError as error:
            raise ConfigError(f"settings of the sandbox: {error.messages}") from error

    def shown(self) -> dict[str, Any]:
        """What may be seen: everything but the tokens and the folder."""
        hidden = ("folder", "api_tokens")
        return {name: value for name, value in asdict(self).items() if name not in hidden}


class _Changes(Schema):
    requests_per_minute = fields.Integer(allow_none=True, strict=True, validate=validate.Range(min=1))
    window = fields.String(validate=validate.OneOf(list(WINDOWS)))
    reset = fields.String(validate=validate.OneOf(list(RESETS)))
    subscriber_limit = fields.Integer(allow_none=True, strict=True, validate=validate.Range(min=0))
    auto_subscribers = fields.Boolean()
    echo = fields.Boolean()
    read_lag = fields.Float(validate=validate.Range(min=0))
    clock_offset = fields.Float()
    latency_ms = fields.Float(validate=validate.Range(min=0))


_CHANGES = _Changes()
