"""A visit ends in time, reads no more than it has to, and goes nowhere else."""

import socket
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from gateway import http_get
from gateway.errors import UnavailableError
from gateway.outgoing import Outgoing
from tests.lumail.peer import certificate, peer
from tests.lumail.proxy import head, proxy, saying
from tests.webserver import answering, webserver


def test_what_is_there_is_read() -> None:
    with webserver(answering(200, b"hello")) as server:
        assert http_get.get(f"{server.url}/a?b=c") == http_get.Answer(200, b"hello")
        assert server.asked == ["/a?b=c"]


def test_a_redirection_is_not_followed() -> None:
    with webserver(answering(200, b"elsewhere")) as other:
        with webserver(answering(302, b"", {"Location": other.url})) as server:
            assert http_get.get(server.url) == http_get.Answer(302, b"")
        assert other.asked == []


def test_a_huge_answer_is_not_read_to_its_end() -> None:
    sent = 0

    def endless(handler: BaseHTTPRequestHandler) -> None:
        nonlocal sent
        handler.send_response(200)
        handler.end_headers()
        with suppress(OSError):
            while sent < 2**30:
                sent += handler.wfile.write(b"x" * 65536)

    with webserver(endless) as server:
        assert http_get.get(server.url, largest=1000) == http_get.Answer(200, None)
    assert sent < 2**30


def test_an_answer_that_drips_for_ever_is_given_up() -> None:
    def dripping(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        with suppress(OSError):
            while True:
                handler.wfile.write(b"x" * 4096)
                time.sleep(0.02)  # the drip itself

    with webserver(dripping) as server, pytest.raises(UnavailableError, match="no whole answer"):
        http_get.get(server.url, within=0.2, largest=10**9)


@pytest.mark.parametrize("address", ["http://127.0.0.1:1/", "http://no-such-host.invalid/", "no address", "https://[/"])
def test_where_nobody_answers_it_says_so(address: str) -> None:
    with pytest.raises(UnavailableError, match="no answer"):
        http_get.get(address)


def test_what_is_fetched_goes_through_the_proxy_that_is_named(tmp_path: Path) -> None:
    trusted, context = certificate(tmp_path)

    def talk(connection: socket.socket) -> None:
        head(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")

    with peer(talk, context) as found, proxy() as through:
        address = f"https://127.0.0.1:{found.port}/a.pem"
        got = http_get.get(address, outgoing=Outgoing(through.url("u:p@"), str(trusted)))
        with pytest.raises(UnavailableError, match="no answer: SSLError"):
            http_get.get(address, outgoing=Outgoing(through.url("u:p@")))
    assert (got, len(through.tunnels)) == (http_get.Answer(200, b"hello"), 2)
    assert b"Proxy-Authorization: Basic dTpw" in through.asked[0]


def test_a_proxy_that_refuses_is_no_answer_of_the_address() -> None:
    refusing = saying(b"HTTP/1.1 407 Who are you\r\n\r\n")
    with proxy(refusing) as through, pytest.raises(UnavailableError, match="no answer: ProxyError"):
        http_get.get("https://127.0.0.1:9/a.pem", outgoing=Outgoing(through.url()))


def test_the_environment_is_not_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login somebody password else\n")
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    seen = []

    def look(handler: BaseHTTPRequestHandler) -> None:
        seen.append(handler.headers.get("Authorization"))
        answering(200)(handler)

    with webserver(look) as server:
        assert http_get.get(server.url).status == 200
    assert seen == [None]
