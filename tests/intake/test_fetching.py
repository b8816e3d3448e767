"""What the door fetches goes the way that the configuration says."""

from pathlib import Path

import pytest

from gateway.errors import UnavailableError
from gateway.intake.confirming import confirm
from gateway.intake.route import routes
from gateway.translation.registry import adapters
from tests.config.configurations import ENVIRON, MINIMAL, loaded
from tests.lumail.proxy import Proxied, proxy, saying


def asked(folder: Path, through: Proxied) -> None:
    """A confirmation at a name that nobody but a proxy could ask."""
    text = f"outgoing: {{proxy: 'http://127.0.0.1:{through.port}'}}\n{MINIMAL}"
    made = routes(loaded(folder, text, ENVIRON), adapters())
    confirm("https://sns.example.invalid/?token=1", made["stripe"].fetch)


def test_a_confirmation_goes_through_the_common_proxy(tmp_path: Path) -> None:
    with proxy(saying(b"HTTP/1.1 503 Away\r\n\r\n")) as through, pytest.raises(UnavailableError, match="ProxyError"):
        asked(tmp_path, through)
    assert through.asked[0].startswith(b"CONNECT sns.example.invalid:443 HTTP/1.")
