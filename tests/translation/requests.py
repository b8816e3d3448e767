"""Unsigned webhooks to sign and to spoil."""

from collections.abc import Mapping
from datetime import UTC, datetime

from gateway.translation.webhook import Headers, Webhook

NOW = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)


def request(body: bytes = b'{"hello":"w\xc3\xb6rld"}', headers: Mapping[str, str] | None = None) -> Webhook:
    return Webhook("source", "https://hooks.example.com/webhooks/source", Headers(headers or {}), body, NOW)
