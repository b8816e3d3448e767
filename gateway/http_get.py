"""One GET to an address that a provider names: bounded in time and size, and never sent elsewhere.

Whether the address may be asked at all is for the caller to judge.
"""

import time
from dataclasses import dataclass

import requests

from gateway.errors import UnavailableError
from gateway.outgoing import STRAIGHT, Outgoing, new_session

WITHIN = 3.0
"""Seconds for the whole visit: a provider waits for the door meanwhile."""

LARGEST = 64 * 1024

_PIECE = 4096


@dataclass(frozen=True)
class Answer:
    """What the address answered; `body` is None where it was larger than asked for."""

    status: int
    body: bytes | None


def get(address: str, *, outgoing: Outgoing = STRAIGHT, within: float = WITHIN, largest: int = LARGEST) -> Answer:
    """The answer of `address` itself: a redirection is an answer like any other.

    Raises UnavailableError where there is none in time.
    """
    deadline = time.monotonic() + within
    try:
        proxy = outgoing.proxy_to(address)
        with (
            new_session() as session,
            session.get(
                address,
                stream=True,
                allow_redirects=False,
                timeout=within / 2,
                verify=outgoing.verify,
                proxies={} if proxy is None else dict.fromkeys(("http", "https"), proxy.url),
            ) as response,
        ):
            body = bytearray()
            for piece in response.iter_content(_PIECE):
                body += piece
                if len(body) > largest:
                    return Answer(response.status_code, None)
                if time.monotonic() > deadline:
                    raise UnavailableError(f"no whole answer within {within:g} s")
            return Answer(response.status_code, bytes(body))
    except (requests.RequestException, OSError, ValueError) as error:  # ValueError: an address that nobody can ask
        raise UnavailableError(f"no answer: {type(error).__name__}") from error
