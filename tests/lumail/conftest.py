"""A sandbox over real HTTP, and what talks to it."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from gateway.lumail.client import Lumail, Timeouts
from gateway.lumail.sandbox import Sandbox, SandboxServer, SandboxSettings, create_sandbox, sandbox_of
from gateway.lumail.transport import Transport

TOKEN = "lum_secret_of_main"


@dataclass(frozen=True)
class Running:
    """A sandbox that serves at `base_url`; `state` steers it."""

    url: str
    base_url: str
    state: Sandbox


@pytest.fixture
def running() -> Iterator[Running]:
    app = create_sandbox(SandboxSettings(api_tokens=(TOKEN, "lum_of_another")))
    with SandboxServer(app) as server:
        yield Running(server.url, server.base_url, sandbox_of(app))
    sandbox_of(app).close()


@pytest.fixture
def sandbox(running: Running) -> Sandbox:
    return running.state


@pytest.fixture
def transport(running: Running) -> Iterator[Transport]:
    transport = Transport(running.base_url, TOKEN)
    yield transport
    transport.close()


@pytest.fixture
def lumail(running: Running) -> Iterator[Lumail]:
    lumail = Lumail(running.base_url, TOKEN, timeouts=Timeouts(send=2, total=4))
    yield lumail
    lumail.close()
