"""Through a proxy the same holds as without: at most once, ended on time, and sent only what has passed it."""

import logging
import socket
import time
from base64 import b64decode
from pathlib import Path

import pytest

from gateway.lumail.answer import Answer, Verdict, judge
from gateway.lumail.client import event_body
from gateway.lumail.transport import Transport
from gateway.outgoing import Outgoing
from tests.lumail.conftest import TOKEN, Running
from tests.lumail.peer import RECORDED, answering, certificate, peer, read_request
from tests.lumail.proxy import ESTABLISHED, Proxied, proxy, saying, stuck

PAYMENT = event_body("SUBSCRIBER_PAYMENT", "ana@example.com", '{"amount": 49.99, "product": "Course"}')
NOBODY = "https://127.0.0.1:9"


def post(address: str, outgoing: Outgoing, *, send_in: float = 5.0, end_in: float = 10.0) -> Answer:
    transport = Transport(address, TOKEN, outgoing=outgoing)
    now = time.monotonic()
    try:
        return transport.post_event(PAYMENT, send_before=now + send_in, ends_by=now + end_in)
    finally:
        transport.close()


def test_an_event_is_delivered_through_a_proxy_that_sees_only_where_to(tmp_path: Path) -> None:
    trusted, context = certificate(tmp_path)
    with peer(answering(RECORDED), context) as found, proxy() as through:
        answer = post(f"https://127.0.0.1:{found.port}", Outgoing(through.url(), str(trusted)))
    lines = [f"CONNECT 127.0.0.1:{found.port} HTTP/1.1", f"Host: 127.0.0.1:{found.port}", "", ""]
    assert (answer.event_id, through.asked) == ("e_1", ["\r\n".join(lines).encode()])


def test_what_is_sent_in_plain_goes_through_a_tunnel_too(running: Running) -> None:
    with proxy() as through:
        answer = post(running.base_url, Outgoing(through.url()))
    assert (judge(answer), len(through.tunnels), len(running.state.events())) == (Verdict.RECORDED, 1, 1)


def test_several_requests_share_a_tunnel_and_a_broken_one_is_replaced(running: Running) -> None:
    with proxy() as through:
        transport = Transport(running.base_url, TOKEN, outgoing=Outgoing(through.url()))
        answers, tunnels = [], []
        for _ in range(3):
            now = time.monotonic()
            answers.append(judge(transport.post_event(PAYMENT, send_before=now + 5, ends_by=now + 10)))
            tunnels.append(len(through.tunnels))
            if len(answers) == 2:
                through.die()
    assert (answers, tunnels) == ([Verdict.RECORDED] * 3, [1, 1, 2])


def test_an_authority_of_ones_own_is_believed_only_where_it_is_named(tmp_path: Path) -> None:
    trusted, context = certificate(tmp_path)
    with peer(answering(RECORDED), context) as found, proxy() as through:
        address = f"https://127.0.0.1:{found.port}"
        without, with_it = post(address, Outgoing(through.url())), post(address, Outgoing(through.url(), str(trusted)))
    assert (without.sent, without.error) == (False, "TLS: self-signed certificate")
    assert judge(with_it) is Verdict.RECORDED


ANSWERS = {
    b"HTTP/1.1 407 Who are you\r\nContent-Length: 2\r\n\r\nno": "the proxy wants a user and password (407)",
    b"HTTP/1.0 503 Away\r\n\r\n": "the proxy answered 503",
    b"HTTP/1.1 302 Found\r\nLocation: http://example.com\r\n\r\n": "the proxy answered 302",
    ESTABLISHED + b"HTTP/1.1 200 OK\r\n\r\n": "the proxy's answer can't be read",
    b"\x15\x03\x01\x00\x02\x02\x28\r\n\r\n": "the proxy's answer can't be read",
    b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 200_000: "the proxy's answer can't be read",
    b"HTTP/1.1 200": "the proxy ended the connection",
    b"": "the proxy ended the connection",
}


@pytest.mark.parametrize("said", ANSWERS)
def test_a_proxy_that_lets_nobody_through_sends_nothing(said: bytes) -> None:
    with proxy(saying(said)) as through:
        answer = post(NOBODY, Outgoing(through.url()))
    assert (answer.status, answer.sent, judge(answer)) == (None, False, Verdict.NOT_SENT)
    assert answer.error in (ANSWERS[said], "the proxy: Connection reset by peer")


@pytest.mark.parametrize("every", [None, 0.02])
@pytest.mark.parametrize("ends_first", [True, False])
def test_a_proxy_that_never_answers_is_given_up_on_time(every: float | None, ends_first: bool) -> None:
    """At the last time to send, or by the watchdog."""
    with stuck(every) as never, proxy(never) as through:
        limits = {"send_in": 60.0, "end_in": 0.3} if ends_first else {"send_in": 0.3, "end_in": 60.0}
        answer = post(NOBODY, Outgoing(through.url()), **limits)
    assert (answer.status, answer.sent, judge(answer)) == (None, False, Verdict.NOT_SENT)
    assert answer.error == ("no whole answer in time" if ends_first else "the proxy: no answer in time")
    assert answer.duration < 30


def test_a_tunnel_that_stands_too_late_carries_no_byte(tmp_path: Path) -> None:
    """The other side of it never finishes the handshake."""
    with stuck() as never, peer(lambda connection: bool(never(connection))) as found, proxy() as through:
        answer = post(f"https://127.0.0.1:{found.port}", Outgoing(through.url()), send_in=0.3, end_in=0.6)
    assert (answer.status, answer.sent, len(through.tunnels)) == (None, False, 1)


@pytest.mark.parametrize("secured", [True, False])
def test_a_proxy_that_dies_once_the_event_has_left_leaves_it_in_doubt(secured: bool, tmp_path: Path) -> None:
    trusted, context = certificate(tmp_path)

    def read_and_break(connection: socket.socket) -> None:
        read_request(connection)
        through.die()

    with proxy() as through, peer(read_and_break, context if secured else None) as found:
        address = f"http{'s' if secured else ''}://127.0.0.1:{found.port}"
        answer = post(address, Outgoing(through.url(), str(trusted)))
    assert (answer.status, answer.sent, judge(answer)) == (None, True, Verdict.UNCONFIRMED)


def test_an_answer_that_never_comes_through_is_ended_on_time(running: Running) -> None:
    running.state.fail("hang", seconds=60)
    with proxy() as through:
        answer = post(running.base_url, Outgoing(through.url()), end_in=0.5)
    assert (answer.sent, answer.error) == (True, "no whole answer in time")


def test_a_proxy_that_is_away_sends_nothing_and_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        gone = Proxied(listener.getsockname()[1])
    answers = [post(NOBODY, Outgoing(url)) for url in (gone.url(), "http://proxy.invalid:3128")]
    assert [(one.sent, one.error) for one in answers] == [
        (False, "the proxy: Connection refused"),
        (False, "the proxy's name can't be resolved"),
    ]


def test_a_password_reaches_the_proxy_and_nothing_else(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    refusing = saying(b"HTTP/1.1 407 No\r\n\r\n")
    with proxy(refusing) as through:
        outgoing = Outgoing(through.url("gate%40way:p%C3%A4ss%2Fword@"))
        answer = post(NOBODY, outgoing)
    sent = through.asked[0].split(b"Proxy-Authorization: Basic ")[1].split(b"\r\n")[0]
    assert (b64decode(sent).decode(), answer.error) == (
        "gate@way:päss/word",
        "the proxy refuses its user and password (407)",
    )
    told = repr((answer, outgoing, outgoing.proxy_to(NOBODY))) + caplog.text
    assert [one for one in ("ss%2Fword", "ss/word", sent.decode()) if one in told] == []


def test_the_host_may_have_an_address_of_the_sixth_version() -> None:
    with proxy(saying(b"HTTP/1.1 503 Away\r\n\r\n")) as through:
        post("https://[2001:db8::1]/api/v1", Outgoing(through.url()))
    assert through.asked[0].startswith(b"CONNECT [2001:db8::1]:443 HTTP/1.1\r\nHost: [2001:db8::1]:443\r\n")
