"""One request: at most once, not after its time, ended on time, and whether a byte left."""

import os
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import responses

from gateway.errors import ConfigError
from gateway.lumail import transport as transport_module
from gateway.lumail.answer import Answer, RateLimit, Verdict, judge
from gateway.lumail.client import event_body
from gateway.lumail.sandbox import Sandbox
from gateway.lumail.transport import BODY_LIMIT, Transport
from gateway.lumail.watchdog import watch_until
from gateway.outgoing import Outgoing
from tests.lumail.conftest import TOKEN, Running
from tests.lumail.peer import RECORDED, answering, certificate, connected, peer, read_request

PAYMENT = event_body("SUBSCRIBER_PAYMENT", "ana@example.com", '{"amount": 49.99, "product": "Course"}')


def post(transport: Transport, *, send_in: float = 2.0, end_in: float = 4.0) -> Answer:
    now = time.monotonic()
    return transport.post_event(PAYMENT, send_before=now + send_in, ends_by=now + end_in)


def to_port(port: int) -> Transport:
    return Transport(f"http://127.0.0.1:{port}/api/v1", TOKEN)


def test_a_recorded_event_brings_its_id(transport: Transport, sandbox: Sandbox) -> None:
    answer = post(transport)
    assert judge(answer) is Verdict.RECORDED
    assert [answer.event_id] == [event["id"] for event in sandbox.events()]


@pytest.mark.parametrize(
    ("kind", "verdict", "recorded"),
    [
        ("drop_before", Verdict.UNCONFIRMED, 0),
        ("drop_after", Verdict.UNCONFIRMED, 1),
        ("cut_200", Verdict.UNCONFIRMED, 1),
        ("error_500_before", Verdict.UNCONFIRMED, 0),
        ("error_500_after", Verdict.UNCONFIRMED, 1),
        ("error_502", Verdict.UNCONFIRMED, 0),
        ("garbage_200", Verdict.UNCONFIRMED, 1),
        ("empty_200", Verdict.UNCONFIRMED, 1),
        ("other_2xx", Verdict.UNCONFIRMED, 1),
        ("redirect", Verdict.UNCONFIRMED, 0),
        ("408", Verdict.UNCONFIRMED, 0),
        ("429", Verdict.RATE_LIMITED, 0),
        ("401", Verdict.UNAUTHORIZED, 0),
        ("403", Verdict.UNAUTHORIZED, 0),
        ("402", Verdict.DESTINATION_REFUSES, 0),
        ("400", Verdict.REFUSED, 0),
        ("404", Verdict.REFUSED, 0),
    ],
)
def test_each_fault_gets_its_verdict_and_one_request(
    kind: str, verdict: Verdict, recorded: int, transport: Transport, sandbox: Sandbox
) -> None:
    sandbox.fail(kind, count=1)
    assert judge(post(transport)) is verdict
    assert (len(sandbox.events()), len(sandbox.requests())) == (recorded, 1)
    assert judge(post(transport)) is Verdict.RECORDED  # the connection is usable, or a new one is made


def test_a_question_whose_answer_is_lost_is_asked_once(transport: Transport, sandbox: Sandbox) -> None:
    """To ask again takes a place, which is the ledger's to give."""
    sandbox.fail("drop_before", call="any")
    now = time.monotonic()
    answer = transport.exchange("GET", "/subscribers/ana%40example.com", send_before=now + 2, ends_by=now + 4)
    assert (answer.status, len(sandbox.requests())) == (None, 1)


@pytest.mark.parametrize("recorded", [False, True])
def test_an_answer_that_never_comes_is_ended_on_time(recorded: bool, transport: Transport, sandbox: Sandbox) -> None:
    sandbox.fail("hang", seconds=30, recorded=recorded)
    answer = post(transport, end_in=1)
    assert (answer.status, answer.sent, answer.error) == (None, True, "no whole answer in time")
    assert answer.duration < 30
    assert len(sandbox.events()) == recorded


@pytest.mark.parametrize(("interval_ms", "status"), [(100, None), (0.1, 200)])
def test_an_answer_that_drips_is_ended_on_time(
    interval_ms: float, status: int | None, transport: Transport, sandbox: Sandbox
) -> None:
    """Dripping in its head, and in its body."""
    sandbox.fail("drip", seconds=30, interval_ms=interval_ms)
    answer = post(transport, end_in=1)
    assert (answer.status, answer.sent, answer.error) == (status, True, "no whole answer in time")
    assert answer.duration < 30
    assert judge(answer) is Verdict.UNCONFIRMED


def test_a_slow_answer_within_its_time_counts(transport: Transport, sandbox: Sandbox) -> None:
    sandbox.fail("slow", latency_ms=300)
    answer = post(transport, end_in=10)
    assert judge(answer) is Verdict.RECORDED
    assert answer.duration >= 0.3


def test_nothing_is_sent_after_send_before(transport: Transport, sandbox: Sandbox) -> None:
    answer = post(transport, send_in=-0.001)
    assert (answer.sent, answer.too_late, judge(answer)) == (False, True, Verdict.NOT_SENT)
    assert sandbox.requests() == []


def test_a_handshake_that_never_ends_is_given_up_and_nothing_is_sent() -> None:
    def say_nothing(connection: socket.socket) -> None:
        heard.append(connection.recv(65536))
        stop.wait()
        heard.append(connection.recv(65536))

    heard: list[bytes] = []
    stop = threading.Event()
    with peer(say_nothing) as found:
        answer = post(Transport(f"https://127.0.0.1:{found.port}", TOKEN), send_in=0.3, end_in=0.6)
        stop.set()
        assert found.closed.acquire(timeout=5)
    assert (answer.status, answer.sent) == (None, False)
    assert (heard[0][:1], heard[1]) == (b"\x16", b"")  # the client's hello, and then the end


@pytest.mark.parametrize("secured", [False, True])
def test_a_connection_that_stands_too_late_carries_no_byte(secured: bool, tmp_path: Path) -> None:
    """As after a handshake, or a search for the host, that took until after `send_before`."""
    ours, theirs = connected(tmp_path) if secured else socket.socketpair()
    now = time.monotonic()
    watch = watch_until(now + 60)
    with ours, theirs:
        with pytest.raises(transport_module._TooLateError):
            transport_module._Flight(now - 0.001, watch).depart(ours, b"POST /events")
        theirs.settimeout(0.05)
        with pytest.raises(TimeoutError):
            theirs.recv(1)
    watch.end()


@pytest.mark.parametrize("secured", [False, True])
def test_a_request_that_breaks_midway_is_in_doubt(secured: bool, tmp_path: Path) -> None:
    """Its head is longer than what the kernel takes at once, and the other side goes away while it is read."""
    trusted, context = certificate(tmp_path)
    with peer(lambda connection: bool(connection.recv(1000)), context if secured else None) as found:
        address = f"http{'s' if secured else ''}://127.0.0.1:{found.port}"
        answer = post(Transport(address, "x" * 8_000_000, outgoing=Outgoing(ca_file=str(trusted))))
    assert (answer.status, answer.sent, judge(answer)) == (None, True, Verdict.UNCONFIRMED)


def test_a_handshake_that_drips_is_ended_on_time() -> None:
    def drip(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(b"\x16\x03\x03\x40\x00")
        while not stop.wait(0.05):
            connection.sendall(b"\x02")

    stop = threading.Event()
    with peer(drip) as found:
        answer = post(Transport(f"https://127.0.0.1:{found.port}", TOKEN), send_in=0.4, end_in=0.6)
        stop.set()
    assert (answer.status, answer.sent) == (None, False)


def test_tls_answers_are_read_and_ended_on_time(tmp_path: Path) -> None:
    trusted, context = certificate(tmp_path)

    def answer_then_drip(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(RECORDED)
        read_request(connection)
        while not stop.wait(0.02):
            connection.sendall(b"H")

    stop = threading.Event()
    with peer(answer_then_drip, context) as found:
        transport = Transport(f"https://127.0.0.1:{found.port}", TOKEN, outgoing=Outgoing(ca_file=str(trusted)))
        first, second = post(transport), post(transport, end_in=1)
        stop.set()
    assert (first.event_id, second.sent, judge(second)) == ("e_1", True, Verdict.UNCONFIRMED)
    assert found.connections == 1


def test_a_certificate_that_nobody_trusts_sends_nothing(tmp_path: Path) -> None:
    _, context = certificate(tmp_path)
    with peer(lambda connection: None, context) as found:
        answer = post(Transport(f"https://127.0.0.1:{found.port}", TOKEN))
    assert (answer.sent, answer.error) == (False, "TLS: self-signed certificate")


def test_a_refused_connection_sends_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    answer = post(to_port(port))
    assert (answer.sent, judge(answer), answer.error) == (False, Verdict.NOT_SENT, "Connection refused")


def test_a_host_without_an_address_sends_nothing() -> None:
    answer = post(Transport("https://lumail.invalid/api/v1", TOKEN))
    assert (answer.sent, answer.error) == (False, "the host's name can't be resolved")


def test_a_connection_that_the_peer_closed_meanwhile_is_replaced() -> None:
    with peer(answering(RECORDED)) as found:
        transport = to_port(found.port)
        first = post(transport)
        assert found.closed.acquire(timeout=5)
        second = post(transport)
    assert (first.event_id, second.event_id, found.connections) == ("e_1", "e_1", 2)


def test_a_connection_that_is_lost_after_the_request_left_is_in_doubt() -> None:
    with peer(read_request) as found:
        answer = post(to_port(found.port))
    assert (answer.status, answer.sent, judge(answer)) == (None, True, Verdict.UNCONFIRMED)
    assert found.connections == 1


def test_requests_of_one_thread_share_a_connection_and_threads_do_not() -> None:
    def keep_answering(connection: socket.socket) -> None:
        while read_request(connection):
            connection.sendall(RECORDED)

    with peer(keep_answering) as found:
        transport = to_port(found.port)
        assert [post(transport).event_id for _ in range(3)] == ["e_1"] * 3
        transport.close()
        assert found.connections == 1
        thread = threading.Thread(target=lambda: post(transport))
        thread.start()
        thread.join()
        transport.close()
    assert found.connections == 2


def test_what_a_request_looks_like_on_the_wire() -> None:
    seen = []

    def note(connection: socket.socket) -> None:
        seen.append(read_request(connection))
        connection.sendall(RECORDED)

    with peer(note) as found:
        post(to_port(found.port))
    head, _, body = seen[0].partition(b"\r\n\r\n")
    assert sorted(head.decode().split("\r\n")) == sorted(
        [
            "POST /api/v1/events HTTP/1.1",
            f"Host: 127.0.0.1:{found.port}",
            f"Authorization: Bearer {TOKEN}",
            "Content-Type: application/json",
            "Accept: application/json",
            "Accept-Encoding: identity",
            "User-Agent: lumail-gateway",
            "Connection: keep-alive",
            f"Content-Length: {len(PAYMENT)}",
        ]
    )
    assert body == PAYMENT


def test_proxies_and_netrc_of_the_environment_are_ignored(
    transport: Transport, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login somebody password else\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert judge(post(transport)) is Verdict.RECORDED


def in_a_child(says: Callable[[], bool]) -> bool:
    """What a forked child finds."""
    child = os.fork()
    if child == 0:  # pragma: no cover
        os._exit(0 if says() else 1)
    return os.waitpid(child, 0)[1] == 0


def test_a_forked_child_makes_a_connection_of_its_own() -> None:
    def keep_answering(connection: socket.socket) -> None:
        while read_request(connection):
            connection.sendall(RECORDED)

    with peer(keep_answering) as found:
        transport = to_port(found.port)
        post(transport)
        assert in_a_child(lambda: post(transport).event_id == "e_1")
        assert found.connections == 2
        assert post(transport).event_id == "e_1"
        transport.close()
    assert found.connections == 2


def test_a_forked_child_has_a_watchdog_of_its_own(transport: Transport, sandbox: Sandbox) -> None:
    post(transport)  # the parent's watchdog runs
    sandbox.fail("hang", seconds=30)
    assert in_a_child(lambda: post(transport, end_in=0.5).error == "no whole answer in time")


@pytest.mark.parametrize("end", [b"", b"Connection: close\r\n"])
def test_an_answer_with_a_status_counts_though_its_body_never_ends(end: bytes) -> None:
    def talk(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(b"HTTP/1.1 429 Slow\r\nRetry-After: 7\r\nContent-Length: 900\r\n" + end + b"\r\n{")
        while not stop.wait(0.02):
            connection.sendall(b" ")

    stop = threading.Event()
    with peer(talk) as found:
        answer = post(to_port(found.port), end_in=1)
        stop.set()
    assert (judge(answer), answer.rate_limit) == (Verdict.RATE_LIMITED, RateLimit(retry_after=7.0))


def test_a_long_body_is_cut_and_its_connection_closed() -> None:
    long = b"HTTP/1.1 200 OK\r\nContent-Length: 10000000\r\n\r\n" + b"x" * (BODY_LIMIT * 2)
    with peer(answering(long)) as found:
        transport = to_port(found.port)
        answers = [post(transport), post(transport)]
    assert [len(answer.body) for answer in answers] == [BODY_LIMIT] * 2
    assert [judge(answer) for answer in answers] == [Verdict.UNCONFIRMED] * 2
    assert found.connections == 2


@pytest.mark.parametrize(
    "answer",
    [
        b"\x00\x01\x02 no HTTP at all\r\n\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{",
        b"HTTP/1.1 200 OK\r\n" + b"X-More: 1\r\n" * 300 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n\xff\x00",
        b"",
    ],
)
def test_an_answer_that_can_not_be_read_is_doubtful(answer: bytes) -> None:
    with peer(answering(answer)) as found:
        got = post(to_port(found.port))
    assert (judge(got), got.sent, found.connections) == (Verdict.UNCONFIRMED, True, 1)
    assert "\x00" not in got.body


@responses.activate
def test_an_answer_without_a_length_is_read_as_any_other() -> None:
    responses.post("http://lumail.example.com/api/v1/events", body='{"success": true, "event": {"id": "evt_9"}}')
    assert post(Transport("http://lumail.example.com/api/v1/", TOKEN)).event_id == "evt_9"


def test_neither_token_nor_address_stands_in_errors_or_representations(running: Running, sandbox: Sandbox) -> None:
    sandbox.fail("400")
    sandbox.fail("drop_before", call="any")
    transport = Transport(running.base_url, TOKEN)
    now = time.monotonic()
    lost = transport.exchange("GET", "/subscribers/ana%40example.com", send_before=now + 2, ends_by=now + 4)
    texts = [repr(transport), repr(post(transport)), repr(lost), str(lost.error)]
    assert lost.status is None
    assert [text for text in texts if "ana" in text or TOKEN in text] == []


@pytest.mark.parametrize(
    "base_url", ["", "lumail.io", "ftp://lumail.io/api/v1", "https:///api/v1", "https://x.io/?a=1"]
)
def test_a_base_url_that_is_none_is_refused(base_url: str) -> None:
    with pytest.raises(ConfigError, match="base URL"):
        Transport(base_url, TOKEN)


@pytest.mark.parametrize("token", ["", "lum_a\nb", "lum a", "lum_é"])
def test_a_token_that_can_not_stand_in_a_header_is_refused_without_being_shown(token: str) -> None:
    with pytest.raises(ConfigError) as error:
        Transport("https://lumail.io/api/v1", token)
    assert str(error.value) == "the API token is empty or holds characters that can't stand in a header"
