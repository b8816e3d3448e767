"""Which way requests leave: what a destination says, else what is said for all, else what the environment was asked."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from gateway.config.outgoing import has_plain_password
from gateway.config.values import PROXY_FORM
from gateway.outgoing import STRAIGHT, Outgoing, read_proxy
from tests.config.configurations import ENVIRON, MINIMAL, faults, loaded
from tests.lumail.peer import certificate

OF_THE_ENVIRONMENT = {
    "HTTPS_PROXY": "http://there.example:3128",
    "http_proxy": "plain.example:3128",
    "NO_PROXY": "localhost,.internal.example",
}
ASKED_FOR = "outgoing: {use_environment: true}\n"


def ways(folder: Path, outgoing: str, destination: str, environ: Mapping[str, str] = {}) -> tuple[Outgoing, Outgoing]:
    """Of what is fetched, and of the destination."""
    text = outgoing + MINIMAL.replace("sources:", f"{destination}sources:")
    config = loaded(folder, text, {**ENVIRON, **environ})
    return config.outgoing, config.destinations["main"].outgoing


def test_a_destination_goes_its_own_way_and_all_else_the_common_one(tmp_path: Path) -> None:
    certificate(tmp_path)
    common = "outgoing: {proxy: 'http://all.example:3128', ca_file: trusted.pem}\n"
    of_all = Outgoing("http://all.example:3128", str(tmp_path / "trusted.pem"))
    assert ways(tmp_path, common, "") == (of_all, of_all)
    assert ways(tmp_path, common, "    proxy: none\n") == (of_all, Outgoing(None, of_all.ca_file))
    own = "    proxy: http://u:${PROXY_PASSWORD}@one.example:1\n"
    said = Outgoing("http://u:p%40@one.example:1", of_all.ca_file)
    assert ways(tmp_path, common, own, {"PROXY_PASSWORD": "p%40"}) == (of_all, said)


def test_the_environment_is_asked_only_if_the_file_says_so(tmp_path: Path) -> None:
    trusted, _ = certificate(tmp_path)
    environ = {**OF_THE_ENVIRONMENT, "REQUESTS_CA_BUNDLE": str(trusted)}
    theirs = Outgoing("http://there.example:3128", str(trusted), "localhost,.internal.example")
    assert ways(tmp_path, "", "", environ) == (STRAIGHT, STRAIGHT)
    assert ways(tmp_path, ASKED_FOR, "", environ) == (theirs, theirs)
    plain = ways(tmp_path, ASKED_FOR, "    base_url: http://lumail.example.com\n", environ)[1]
    assert plain.proxy == "http://plain.example:3128"
    assert ways(tmp_path, ASKED_FOR, "    proxy: none\n", environ)[1] == Outgoing(None, str(trusted))


def test_an_environment_that_is_asked_for_must_be_right(tmp_path: Path) -> None:
    wrong = {**ENVIRON, "HTTPS_PROXY": "socks5://u:secret@there.example", "REQUESTS_CA_BUNDLE": "/no/such.pem"}
    loaded(tmp_path, MINIMAL, wrong)
    assert faults(tmp_path, ASKED_FOR + MINIMAL, wrong) == [
        f"environment: HTTPS_PROXY: {PROXY_FORM}",
        "environment: REQUESTS_CA_BUNDLE: can't be read: No such file or directory",
    ]


@pytest.mark.parametrize(
    ("past", "straight"),
    [
        ("", False),
        ("*", True),
        ("lumail.io", True),
        (".io", True),
        ("*.io, other.example", True),
        ("LUMAIL.IO:443", True),
        ("lumail.io:80", False),
        ("mail.io", False),
        ("api.lumail.io", False),
    ],
)
def test_hosts_that_are_past_the_proxy_are_told_as_curl_tells_them(past: str, straight: bool) -> None:
    assert (Outgoing("http://proxy:1", past=past).proxy_to("https://lumail.io/api/v1") is None) is straight


@pytest.mark.parametrize(("past", "straight"), [("10.0.0.0/8", True), ("10.1.2.3", True), ("11.0.0.0/8,x/9", False)])
def test_a_network_can_be_past_the_proxy(past: str, straight: bool) -> None:
    assert (Outgoing("http://proxy:1", past=past).proxy_to("https://10.1.2.3/api/v1") is None) is straight


def test_the_sandbox_is_reached_straight_and_needs_no_password_of_a_proxy(tmp_path: Path) -> None:
    text = MINIMAL.replace("sources:", "    proxy: http://u:${PROXY_PASSWORD}@proxy.example:3128\nsources:")
    assert loaded(tmp_path, text, {}, sandbox=True).destinations["main"].outgoing == STRAIGHT


@pytest.mark.parametrize(
    ("written", "plain"),
    [
        ("http://proxy:3128", False),
        ("http://user@proxy:3128", False),
        ("http://user:${PASSWORD}@proxy:3128", False),
        ("http://${file:/run/proxy}@proxy:3128", False),
        ("${PROXY}", False),
        ("http://user:secret@${PROXY}", True),
        ("http://${USER}:se@cret@proxy:3128", True),
    ],
)
def test_a_password_in_the_file_is_known(written: str, plain: bool) -> None:
    assert has_plain_password(written) is plain


@pytest.mark.parametrize(
    "url",
    ["", "none", "https://proxy:1", "http://", "http://:1", "http://p:0", "http://p:99999", "http://p/x", "http://[::"],
)
def test_what_is_no_proxy_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="no proxy"):
        read_proxy(url)


def test_neither_configuration_nor_destination_shows_the_password(tmp_path: Path) -> None:
    own = "    proxy: http://u:${PROXY_PASSWORD}@one.example:1\n"
    text = f"outgoing:\n  proxy: http://u:${{PROXY_PASSWORD}}@all.example\n{MINIMAL}".replace(
        "sources:", f"{own}sources:"
    )
    assert "hidden" not in repr(loaded(tmp_path, text, {**ENVIRON, "PROXY_PASSWORD": "hidden"}))
