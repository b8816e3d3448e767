"""Webhooks for a gateway that was started to try it: signed samples of providers, and what strangers send."""

import json
import secrets
from dataclasses import replace
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

import requests

from gateway.cli.settings import Said, installation
from gateway.config import Config
from gateway.config.sandbox import signing_secret
from gateway.translation.registry import adapters, samples
from gateway.translation.rehearsal import made_new
from tests.cli.tryout import Started


class Traffic:
    """Posts to the sources of a running sandbox."""

    def __init__(self, started: Started) -> None:
        self._started = started
        self.url = f"http://127.0.0.1:{started.port}"

    @cached_property
    def config(self) -> Config:
        return installation(Said(data=self._started.folder / "var", sandbox=True)).config

    def post(self, source: str, case: str, replacing: dict[str, str] | None = None) -> dict[str, Any]:
        """One sample as the provider would send it now; its receipt. Whole texts of its body may be replaced."""
        adapter = adapters()[self.config.sources[source].adapter]
        scheme = adapter.scheme(self.config.sources[source].options)
        at = datetime.now(UTC)
        token = secrets.token_hex(8)
        unsigned = made_new(adapter, samples(adapter.name)[case], at, token)
        body = unsigned.body.decode()
        for old, new in (replacing or {}).items():
            body = body.replace(json.dumps(old), json.dumps(new))
        url = f"{self.config.public_url.rstrip('/')}/webhooks/{source}"
        webhook = replace(unsigned, body=body.encode()).webhook(source, url, at)
        signed = scheme.sign(webhook, signing_secret(self.config, self.config.sources[source]), at)
        answer = requests.post(
            f"{self.url}/webhooks/{source}", data=signed.body, headers=dict(signed.headers.items()), timeout=60
        )
        answer.raise_for_status()
        receipt: dict[str, Any] = answer.json()
        return receipt

    def unsigned(self, path: str) -> int:
        """What a stranger sends, or a provider with a wrong secret or URL; the status of the answer."""
        return requests.post(self.url + path, json={"id": "evt_1"}, timeout=60).status_code

    def fails_next(self, kind: str) -> None:
        self._started.fails_next(kind)
