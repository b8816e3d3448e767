"""One request as it came, and the proof that it is genuine."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from typing import Any

from gateway.translation import form, json_body


class Headers(Mapping[str, str]):
    """Header fields by name, whatever the case; of a repeated field the last value counts."""

    __slots__ = ("_fields",)

    def __init__(self, fields: Mapping[str, str] | Iterable[tuple[str, str]] = ()) -> None:
        pairs = fields.items() if isinstance(fields, Mapping) else fields
        self._fields = {name.lower(): value for name, value in pairs}

    def __getitem__(self, name: str) -> str:
        return self._fields[name.lower()]

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)

    def __repr__(self) -> str:
        return f"Headers({sorted(self._fields)})"  # names only: values hold signatures


@dataclass(frozen=True)
class Webhook:
    """One request to a source, before anything is proven: the exact bytes, after a Content-Encoding was undone.

    `url` is the public address as the provider has it, since some sign it; without the token, where one stands in it.
    `path_token` is that token: the last part of ``/webhooks/<source>/<token>``.
    `received_at` is timezone-aware.
    """

    source: str
    url: str
    headers: Headers
    body: bytes
    received_at: datetime
    path_token: str | None = field(default=None, repr=False)

    def with_headers(self, fields: Mapping[str, str]) -> "Webhook":
        """The same webhook with some header fields added or replaced."""
        return replace(self, headers=Headers({**self.headers, **Headers(fields)}))


@dataclass(frozen=True)
class VerifiedWebhook:
    """A webhook whose signature holds. Only `signature.verify` makes one, so that handlers never see forged bytes.

    `secret` is the position of the secret that fitted in the source's list; None where none was needed.
    `signed_at` is the time that the signature covers, where the scheme has one.
    """

    webhook: Webhook
    secret: int | None
    signed_at: datetime | None

    @property
    def body(self) -> bytes:
        return self.webhook.body

    @property
    def headers(self) -> Headers:
        return self.webhook.headers

    @cached_property
    def json(self) -> Any:
        """The body as JSON, read once, see `json_body.load`; to be read and not changed. Raises PayloadError."""
        return json_body.load(self.body)

    @cached_property
    def form(self) -> Mapping[str, str]:
        """The fields of a URL-encoded form; of a repeated one the last value counts. Bytes that are no UTF-8 become
        U+FFFD, as in `json`. Raises PayloadError.
        """
        told = {name.decode(errors="replace"): value.decode(errors="replace") for name, value in form.pairs(self.body)}
        return {name: value.replace("\0", "\ufffd") for name, value in told.items()}  # no database takes NUL as text

    def unpacked(self, body: bytes) -> "VerifiedWebhook":
        """The same, with the body that its compressed one stands for: of use where the proof is not in the body."""
        return replace(self, webhook=replace(self.webhook, body=body))
