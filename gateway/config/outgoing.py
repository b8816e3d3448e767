"""What the file says of how requests leave, and what the environment says where the file asks for it."""

import re
import ssl
from collections.abc import Callable, Mapping
from pathlib import Path as File
from typing import Any
from urllib.parse import urlsplit

from gateway.config.faults import Faults, Path
from gateway.config.values import NO_PROXY_AT_ALL, PROXY_FORM
from gateway.outgoing import Outgoing, read_proxy

_AUTHORITIES = "REQUESTS_CA_BUNDLE"


def judge_way(raw: object, found: dict[str, Any], folder: File, path: Path, faults: Faults) -> None:
    """Look at `proxy` as it was written in `raw`, and at `ca_file`; a relative one begins at `folder`."""
    if has_plain_password(raw.get("proxy") if isinstance(raw, dict) else None):
        faults.at((*path, "proxy"), "a password stands in the environment or a secret file; write ${NAME} for it")
    if found.get("ca_file") is None:
        return
    file = folder.absolute() / found["ca_file"]
    wrong = _wrong_with(file)
    if wrong is not None:
        faults.at((*path, "ca_file"), wrong)
    found["ca_file"] = str(file)


def has_plain_password(proxy: object) -> bool:
    """Whether a proxy as it is written holds a password that is no reference."""
    if not isinstance(proxy, str):
        return False
    found = re.search(r"//[^/@:]*:(.+)@", re.sub(r"\$\{[^{}]*\}", "\0", proxy))
    return found is not None and "\0" not in found[1]


def judge_environment(environ: Mapping[str, str], report: Callable[[str, str], None]) -> None:
    """What of the environment can't be used; `report` hears the variable and why."""
    for scheme in ("http", "https"):
        name, proxy = _proxy(environ, scheme)
        try:
            if proxy is not None:
                read_proxy(proxy)
        except ValueError:
            report(name, PROXY_FORM)
    wrong = _wrong_with(File(environ[_AUTHORITIES])) if environ.get(_AUTHORITIES) else None
    if wrong is not None:
        report(_AUTHORITIES, wrong)


def outgoing_to(
    address: str, common: Mapping[str, Any], own: Mapping[str, Any], environ: Mapping[str, str]
) -> Outgoing:
    """How to get to an address: by what is said of it, else of all, else by the environment if that is asked for."""
    proxy = own.get("proxy") or common.get("proxy")
    ca_file = own.get("ca_file") or common.get("ca_file")
    if not common.get("use_environment"):
        return Outgoing(None if proxy == NO_PROXY_AT_ALL else proxy, ca_file)
    ca_file = ca_file or environ.get(_AUTHORITIES) or None
    if proxy is not None:
        return Outgoing(None if proxy == NO_PROXY_AT_ALL else proxy, ca_file)
    past = environ.get("no_proxy") or environ.get("NO_PROXY") or ""
    return Outgoing(_proxy(environ, urlsplit(address).scheme)[1], ca_file, past)


def _proxy(environ: Mapping[str, str], scheme: str) -> tuple[str, str | None]:
    """The variable that counts, as curl chooses it, and the proxy; its `http://` may be left out there."""
    names = (f"{scheme}_proxy", f"{scheme}_proxy".upper(), "all_proxy", "ALL_PROXY")
    name = next((each for each in names if environ.get(each)), None)
    if name is None:
        return names[1], None
    return name, environ[name] if "://" in environ[name] else f"http://{environ[name]}"


def _wrong_with(file: File) -> str | None:
    """Why these authorities can't be believed."""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=str(file))
    except ssl.SSLError:
        return "holds no certificates (PEM) that can be read"
    except OSError as error:
        return f"can't be read: {error.strerror}"
    except ValueError:
        return "is no path"
    return None
