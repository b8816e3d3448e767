"""Where `up` listens, and what it warns of."""

from pathlib import Path

import pytest
from structlog.testing import capture_logs

from gateway.cli.services import warn_beyond_loopback
from gateway.config import Flags
from gateway.startup import configured
from tests.cli.conftest import CONFIGURATION


@pytest.mark.parametrize(
    ("host", "proxies", "warned"),
    [
        ("0.0.0.0", 0, True),
        ("::", 0, True),
        ("192.0.2.7", 0, True),
        ("gateway.example.com", 0, True),
        ("0.0.0.0", 1, False),
        ("127.0.0.1", 0, False),
        ("127.0.0.2", 0, False),
        ("::1", 0, False),
        ("localhost", 0, False),
    ],
)
def test_listening_beyond_the_machine_without_a_proxy_is_warned_of(
    live_environ: dict[str, str], host: str, proxies: int, warned: bool
) -> None:
    file = Path(live_environ["GATEWAY_CONFIG"])
    file.write_text(f"trusted_proxies: {proxies}\n{CONFIGURATION}")
    config = configured(Flags(file=file, host=host), live_environ)
    with capture_logs() as lines:
        warn_beyond_loopback(config)
    assert [(line["event"], line["host"]) for line in lines] == ([("web.no_proxy_trusted", host)] if warned else [])
