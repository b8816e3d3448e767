"""How the file and the environment become one Config, or all their faults at once."""

import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

from gateway.config.document import parse
from gateway.config.environment import Flags, configuration_file, read_environment
from gateway.config.faults import Faults, listed, nearest
from gateway.config.faults import Path as Place
from gateway.config.model import AdapterTerms, Config, Destination, Retention, Source
from gateway.config.outgoing import judge_environment, judge_way, outgoing_to
from gateway.config.references import References, has_reference, stored_name
from gateway.config.sandbox import KEPT_IN, generate_secrets
from gateway.config.schemas import PLANS, DestinationSchema, FileSchema, SourceSchema, judge, keys_of, unknown_key
from gateway.errors import ConfigError
from gateway.events import DEFAULT_FORWARDED
from gateway.outgoing import STRAIGHT, Outgoing

_SECTIONS = ("destinations", "sources")
_MAKE_ONE = "`openssl rand -hex 32` makes one; it must be the same on all hosts"


def load(flags: Flags, environ: Mapping[str, str], adapters: Mapping[str, AdapterTerms]) -> Config:
    """Read the configuration that `flags` and `environ` name; `adapters` are those that a source may have.

    In the sandbox (`flags.sandbox`, or GATEWAY_SANDBOX_URL is set) unset secrets are generated and kept; elsewhere
    nothing is written. Raises ConfigError with every fault.
    """
    file = configuration_file(flags, environ)
    inputs = _Inputs(file, _content(file), flags, environ, adapters)
    reading = _Reading(inputs, generated={})
    reading.judge()
    if reading.wanted:
        reading = _Reading(inputs, generate_secrets(reading.settings["data"], reading.wanted))
        reading.judge()
    return reading.config()


@dataclass(frozen=True)
class _Inputs:
    file: Path
    content: str
    flags: Flags
    environ: Mapping[str, str]
    adapters: Mapping[str, AdapterTerms]


class _Reading:
    """One pass over the inputs. `wanted` are the secrets that the sandbox has to make before there can be a Config."""

    def __init__(self, inputs: _Inputs, generated: Mapping[str, str]) -> None:
        self._inputs = inputs
        self._generated = generated
        self._faults = Faults(str(inputs.file))
        self._references = References(inputs.environ, inputs.file.parent, generated)
        self.settings = read_environment(inputs.flags, inputs.environ, self._faults)
        self.wanted: dict[str, Callable[[], tuple[str, str]]] = {}
        self._top: dict[str, Any] = {}
        self._destinations: dict[str, dict[str, Any]] = {}
        self._sources: dict[str, dict[str, Any]] = {}

    def judge(self) -> None:
        """Look at everything. Raises ConfigError with every fault."""
        raw = parse(self._inputs.content, self._faults)
        if isinstance(raw, dict):
            values = {key: value if key in _SECTIONS else self._expand(value, (key,)) for key, value in raw.items()}
            self._top = judge(FileSchema(), values, (), self._faults.at)
            self._judge_way(raw.get("outgoing"), self._top.get("outgoing") or {}, ("outgoing",))
        elif not self._faults:
            self._faults.at((), "must be a mapping with destinations and sources")
        self._destinations = {name: self._destination(name, raw) for name, raw in self._entries("destinations").items()}
        self._sources = {name: self._source(name, raw) for name, raw in self._entries("sources").items()}
        self._judge_secret_key()
        self._faults.raise_all()

    def config(self) -> Config:
        """The configuration, once nothing is at fault and no secret wanted."""
        settings = self.settings
        return Config(
            file=self._inputs.file.absolute(),
            data=settings["data"],
            sandbox=settings["sandbox"],
            public_url=self._top.get("public_url") or local_url(settings["host"], settings["port"]),
            trusted_proxies=self._top["trusted_proxies"],
            max_body_bytes=self._top["max_body_mb"] * 1024 * 1024,
            destinations=MappingProxyType({n: self._made_destination(n, d) for n, d in self._destinations.items()}),
            sources=MappingProxyType({n: self._made_source(n, s) for n, s in self._sources.items() if s["enabled"]}),
            disabled_sources=frozenset(name for name, source in self._sources.items() if not source["enabled"]),
            database_url=settings.get("database_url") or f"sqlite:///{settings['data'] / 'gateway.db'}",
            redis_url=settings.get("redis_url"),
            secret_key=settings.get("secret_key") or self._generated["GATEWAY_SECRET_KEY"],
            metrics_token=settings.get("metrics_token"),
            host=settings["host"],
            port=settings["port"],
            sandbox_url=settings["sandbox_url"],
            retention=Retention(**self._top["retention"]),
            outgoing=self._outgoing_to("https://", {}),
        )

    def _entries(self, section: str) -> dict[str, dict[str, Any]]:
        """The destinations or sources that are mappings; what is wrong with the others and with names is told."""
        entries = self._top.get(section)
        if entries == {}:
            self._faults.at((section,), "is empty; at least one belongs here")
        for name, entry in (entries or {}).items():
            if not re.fullmatch(r"[a-z0-9][a-z0-9_-]*", name):
                self._faults.at((section, name), "a name is of a-z, 0-9, _ and -, and begins with a letter or digit")
            if not isinstance(entry, dict):
                self._faults.at((section, name), "must be a mapping of keys to values")
        return {name: entry for name, entry in (entries or {}).items() if isinstance(entry, dict)}

    def _destination(self, name: str, raw: dict[str, Any]) -> dict[str, Any]:
        path = ("destinations", name)
        self._refuse_literal(raw.get("api_token"), (*path, "api_token"))
        values = self._expand(raw, path)
        for unset in self._references.unset.get((*path, "api_token"), ()):
            self.wanted.setdefault(stored_name(unset.reference), partial(_token, "lum_"))
        found = judge(DestinationSchema(), values, path, self._faults.at)
        self._judge_way(raw, found, path)
        return found

    def _source(self, name: str, raw: dict[str, Any]) -> dict[str, Any]:
        path = ("sources", name)
        raw = self._with_secret_to_sign(name, raw)
        for position, text in enumerate(_as_list(raw.get("secrets"))):
            self._refuse_literal(text, (*path, "secrets", position))
        enabled = self._references.expand(raw.get("enabled"), (*path, "enabled"), Faults(""))
        values = self._expand(raw, path, off=enabled in ("false", False))
        common = keys_of(SourceSchema())
        found = judge(SourceSchema(), {key: values[key] for key in values if key in common}, path, self._faults.at)
        found["destination"] = self._chosen_destination(found.get("destination"), path)
        terms = self._terms(found.get("adapter"), path)
        if found.get("secrets") == [] and (terms is None or terms.needs_secret):
            self._faults.at((*path, "secrets"), "is empty; an endpoint without a secret would take anybody's word")
        if terms is not None:
            found["options"] = self._options(terms, {key: values[key] for key in values if key not in common}, path)
            if found["options"] is not None and found.get("enabled"):
                self._judge_secrets(terms, found["options"], values.get("secrets"), path)
                self._want_secrets(terms, found["options"], raw.get("secrets"), path)
        return found

    def _with_secret_to_sign(self, name: str, raw: dict[str, Any]) -> dict[str, Any]:
        """A source that does without secrets gets one in the sandbox, where samples are signed by ourselves."""
        adapter = raw.get("adapter")
        terms = self._inputs.adapters.get(adapter) if isinstance(adapter, str) else None
        if terms is None or terms.needs_secret or raw.get("secrets") != [] or not self.settings["sandbox"]:
            return raw
        return {**raw, "secrets": [f"${{SANDBOX_SECRET_{name.upper().replace('-', '_')}}}"]}

    def _expand(self, raw: object, path: Place, *, off: bool = False) -> Any:
        """The values with references replaced. In the sandbox unset secrets are no fault, nor is anything unset of a
        source that is off."""
        values = self._references.expand(raw, path, self._faults)
        for place, unset in self._references.unset.items():
            if place[: len(path)] == path and place[2:] != ("secrets",):
                if not off and not (self.settings["sandbox"] and _is_secret(place)):
                    for reference in unset:
                        self._faults.at(place, reference.why)
                self._faults.mute(place)
        return values

    def _refuse_literal(self, text: object, path: Place) -> None:
        if isinstance(text, str) and text and not has_reference(text):
            self._faults.at(path, "secrets stand in the environment or a secret file; write ${NAME} or ${file:/path}")

    def _judge_way(self, raw: object, found: dict[str, Any], path: Place) -> None:
        judge_way(raw, found, self._inputs.file.parent, path, self._faults)
        if found.get("use_environment"):
            judge_environment(self._inputs.environ, self._faults.in_environment)

    def _outgoing_to(self, address: str, own: Mapping[str, Any]) -> Outgoing:
        return outgoing_to(address, self._top["outgoing"], own, self._inputs.environ)

    def _chosen_destination(self, named: str | None, path: Place) -> str | None:
        known = list(self._top.get("destinations") or {})
        if named is None and len(known) > 1:
            self._faults.at(path, f"destination is missing, and there are several: {listed(known)}")
        elif named is not None and known and named not in known:
            self._faults.at(
                (*path, "destination"), f"no such destination; there is {listed(known)}{nearest(named, known)}"
            )
        return named or (known[0] if known else None)

    def _terms(self, adapter: str | None, path: Place) -> AdapterTerms | None:
        known = self._inputs.adapters
        if adapter is not None and adapter not in known:
            self._faults.at((*path, "adapter"), f"no such adapter; there is {listed(known)}{nearest(adapter, known)}")
        return known.get(adapter or "")

    def _options(self, terms: AdapterTerms, own: dict[str, Any], path: Place) -> Mapping[str, Any] | None:
        """The adapter's options, or None where they are at fault."""
        schema = terms.options()
        told: list[Place] = []

        def tell(place: Place, text: str) -> None:
            told.append(place)
            self._faults.at(place, text)

        allowed = keys_of(schema)
        for key in own.keys() - allowed:
            tell((*path, key), unknown_key((*path, key), allowed + keys_of(SourceSchema())))
        options = judge(schema, {key: own[key] for key in own if key in allowed}, path, tell)
        return None if told else MappingProxyType(options)

    def _judge_secrets(self, terms: AdapterTerms, options: Mapping[str, Any], texts: object, path: Place) -> None:
        for position, text in enumerate(_as_list(texts)):
            place = (*path, "secrets", position)
            wrong = terms.check_secret(options, text) if isinstance(text, str) and text else None
            if wrong and self.settings["sandbox"]:
                wrong += f" (if it was generated, delete its line in {self.settings['data'] / KEPT_IN})"
            if wrong:
                self._faults.at(place, wrong)

    def _want_secrets(self, terms: AdapterTerms, options: Mapping[str, Any], raw: object, path: Place) -> None:
        for position, text in enumerate(_as_list(raw)):
            for unset in self._references.unset.get((*path, "secrets", position), ()):
                alone = text == f"${{{unset.reference}}}"
                self.wanted.setdefault(
                    stored_name(unset.reference), partial(terms.generate, options) if alone else _token
                )

    def _judge_secret_key(self) -> None:
        name = "GATEWAY_SECRET_KEY"
        if self._inputs.environ.get(name) or name in self._generated:
            return
        if self.settings["sandbox"]:
            self.wanted[name] = _token
        else:
            self._faults.in_environment(name, f"is not set; {_MAKE_ONE}")

    def _made_destination(self, name: str, found: Mapping[str, Any]) -> Destination:
        return Destination(
            name=name,
            base_url=self.settings["sandbox_url"] or found["base_url"],
            api_token=found["api_token"],
            requests_per_minute=found.get("requests_per_minute") or PLANS[found["plan"]],
            doubt_seconds_money=found["doubt_seconds"]["money"],
            doubt_seconds_other=found["doubt_seconds"]["other"],
            unknown_subscriber=found["unknown_subscriber"],
            annotate=found["annotate"],
            refund_sign=found["refund_sign"],
            currency=found.get("currency"),
            other_currencies=found["other_currencies"],
            hold_for=found["hold_for"],
            outgoing=STRAIGHT if self.settings["sandbox_url"] else self._outgoing_to(found["base_url"], found),
        )

    def _made_source(self, name: str, found: Mapping[str, Any]) -> Source:
        return Source(
            name=name,
            adapter=found["adapter"],
            destination=found["destination"],
            secrets=tuple(found["secrets"]),
            forward=found.get("forward", DEFAULT_FORWARDED),
            settle_seconds=found["settle_seconds"],
            accept_test_events=found["accept_test_events"] or self.settings["sandbox"],
            expire_after=MappingProxyType(found.get("expire_after", {})),
            once_per=MappingProxyType(found.get("once_per", {})),
            max_age=found.get("max_age"),
            account=found.get("account"),
            options=found["options"],
            ignore=tuple(found["ignore"]),
            expect_every=found.get("expect_every"),
        )


def _content(file: Path) -> str:
    try:
        return file.read_bytes().decode("utf-8-sig")
    except OSError as error:
        advice = "name the file with --config or GATEWAY_CONFIG"
        raise ConfigError(f"{file}: can't be read: {error.strerror}; {advice}") from error
    except ValueError:
        raise ConfigError(f"{file}: is not UTF-8 text") from None  # the cause would quote the file


def _as_list(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _is_secret(path: Place) -> bool:
    """Whether a secret stands at `path`: an item of a source's secrets, a destination's token, a proxy's password."""
    kind = path[0], *path[2:3]
    return path == ("outgoing", "proxy") or (
        (kind == ("sources", "secrets") and len(path) == 4)
        or (kind in (("destinations", "api_token"), ("destinations", "proxy")) and len(path) == 3)
    )


def _token(prefix: str = "") -> tuple[str, str]:
    token = f"{prefix}{secrets.token_hex(32)}"
    return token, token


def local_url(host: str, port: int) -> str:
    """An address at which this machine reaches a server that listens on `host`."""
    name = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  # not bound here, replaced
    return f"http://{f'[{name}]' if ':' in name else name}:{port}"
