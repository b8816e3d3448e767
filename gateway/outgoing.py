"""How requests leave this machine: straight or through a proxy, and whose certificates are believed."""

import re
from base64 import b64encode
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from urllib.parse import unquote, urlsplit

import requests

_PROXY = re.compile(r"http://(?:[^\s/?#@\\]*@)?[^\s/?#@\\]+/?", re.ASCII)
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Proxy:
    """An HTTP proxy; `url` and `authorization`, the value of its header, hold its password."""

    host: str
    port: int
    url: str = field(repr=False)
    authorization: str | None = field(repr=False)


@dataclass(frozen=True)
class Outgoing:
    """`proxy` as `read_proxy` takes it; `past` are hosts that are asked straight all the same, as NO_PROXY has them.

    `ca_file` holds the authorities that are believed in place of the usual ones.
    """

    proxy: str | None = field(default=None, repr=False)
    ca_file: str | None = None
    past: str = ""

    @property
    def verify(self) -> str | bool:
        return self.ca_file or True

    def proxy_to(self, address: str) -> Proxy | None:
        """What a request to this http or https address goes through."""
        return None if self.proxy is None or _is_past(address, self.past) else read_proxy(self.proxy)


STRAIGHT = Outgoing()


def read_proxy(url: str) -> Proxy:
    """Raises ValueError for what is no `http://[user:password@]host[:port]`, percent-encoded; it is not quoted."""
    try:
        parts = urlsplit(url if _PROXY.fullmatch(url) else "")
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or port == 0:
        raise ValueError("no proxy")
    authorization = None
    if parts.username is not None:
        credentials = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        authorization = f"Basic {b64encode(credentials.encode()).decode()}"
    return Proxy(host, port or _PORTS["http"], url, authorization)


def new_session() -> requests.Session:
    """One that takes nothing from the environment: no proxies, no authorities, no netrc."""
    made = requests.Session()
    made.trust_env = False
    return made


def _is_past(address: str, past: str) -> bool:
    parts = urlsplit(address)
    host = parts.hostname or ""
    places = (host, f"{host}:{parts.port or _PORTS.get(parts.scheme)}")
    entries = [entry.lstrip("*.") or entry for entry in past.lower().replace(",", " ").split()]
    return any(entry == "*" or f".{place}".endswith(f".{entry}") for entry in entries for place in places) or any(
        _holds(entry, host) for entry in entries
    )


def _holds(network: str, host: str) -> bool:
    try:
        return ip_address(host) in ip_network(network, strict=False)
    except ValueError:  # one of the two is a name
        return False
