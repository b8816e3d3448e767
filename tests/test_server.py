"""How requests reach the application: whole, within bounds, and past those who take their time."""

import http.client
import os
import select
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from gateway.runtime.collecting import PER_ADDRESS, PIECES, WHOLE_WITHIN
from tests.supervised import Supervised, supervised
from tests.tiny_application import LET_GO, LONGEST
from tests.waiting import eventually

HALF = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc"
WHOLE = HALF.replace(b"Host: x", b"Host: x\r\nConnection: close") + b"defghij"


@pytest.fixture
def up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Supervised]:
    monkeypatch.setenv(LET_GO, str(tmp_path / "let-go"))
    with supervised(tmp_path, web_processes=1) as running:
        assert get(running, "/").split()[1] == b"0"
        yield running


def opened(up: Supervised, sent: bytes = b"") -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", up.port()), timeout=30)
    connection.sendall(sent)
    return connection


def said(up: Supervised, *sent: bytes) -> bytes:
    """All that is answered until the server closes the connection."""
    with opened(up) as connection:
        for part in sent:
            connection.sendall(part)
        return rest(connection)


def rest(connection: socket.socket) -> bytes:
    return b"".join(iter(lambda: connection.recv(65536), b""))


def get(up: Supervised, path: str) -> bytes:
    return said(up, f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode()).partition(b"\r\n\r\n")[2]


def from_(address: str, sent: bytes = HALF) -> bytes:
    return sent.replace(b"Host: x\r\n", f"Host: x\r\nX-Forwarded-For: 192.0.2.66, {address}\r\n".encode())


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


def test_a_body_that_does_not_become_whole_ends_with_its_connection(up: Supervised) -> None:
    began = time.monotonic()
    answer = said(up, HALF)
    assert (status(answer), time.monotonic() - began >= WHOLE_WITHIN - 1) == (408, True)


def test_the_bodies_that_one_address_may_take_its_time_with_are_counted(up: Supervised) -> None:
    with ExitStack() as ends:
        slow = [ends.enter_context(closing(opened(up, from_("198.51.100.7")))) for _ in range(PER_ADDRESS + 3)]
        other = ends.enter_context(closing(opened(up, from_("198.51.100.8"))))
        eventually(lambda: len(answered(slow)) == 3, what="three are refused")
        assert status(said(up, from_("198.51.100.7", WHOLE))) == 200
        for connection in (taken := [one for one in slow if one not in answered(slow)]):
            connection.sendall(b"defghij")
        other.sendall(b"defghij")
        assert {status(connection.recv(4096)) for connection in (*taken, other)} == {200}
        assert {status(connection.recv(4096)) for connection in slow if connection not in taken} == {503}
    with opened(up, from_("198.51.100.7")) as connection:
        connection.sendall(b"defghij")
        assert status(connection.recv(4096)) == 200


def answered(connections: list[socket.socket]) -> list[socket.socket]:
    return select.select(connections, [], [], 0)[0]


def test_a_sender_who_goes_away_within_a_body_leaves_its_place(up: Supervised) -> None:
    for _ in range(PER_ADDRESS + 1):
        opened(up, from_("198.51.100.7")).close()
    with opened(up, from_("198.51.100.7")) as connection:
        connection.sendall(b"defghij")
        assert status(connection.recv(4096)) == 200


def test_what_is_longer_than_the_longest_body_is_read_away_and_the_application_learns_of_one_byte(
    up: Supervised,
) -> None:
    size = 3 * LONGEST
    with closing(http.client.HTTPConnection("127.0.0.1", up.port(), timeout=30)) as connection:
        for _ in range(2):
            connection.request("POST", "/", body=b"x" * size)
            assert connection.getresponse().read().split()[1] == str(LONGEST + 1).encode()


CHUNKED = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
NOT_TAKEN = {
    "single bytes": b"1\r\nx\r\n" * (PIECES + 20) + b"0\r\n\r\n",
    "a chunk without a length": b"no-length\r\nx\r\n0\r\n\r\n",
    "long words beside a chunk": (b"1;" + b"a" * 8000 + b"\r\nx\r\n") * 20 + b"0\r\n\r\n",
}


@pytest.mark.parametrize("chunks", NOT_TAKEN.values(), ids=NOT_TAKEN)
def test_chunks_that_cost_more_than_their_bytes_or_are_none_end_the_connection(up: Supervised, chunks: bytes) -> None:
    assert status(said(up, CHUNKED, chunks)) == 400


def test_a_body_in_many_pieces_arrives(up: Supervised) -> None:
    pieces = b"".join(b"%x\r\n%b\r\n" % (size, b"x" * size) for size in (1, 100, 64, 3) * 200)
    answer = said(up, CHUNKED.replace(b"Host: x", b"Host: x\r\nConnection: close"), pieces + b"0\r\n\r\n")
    assert answer.endswith(b" %d" % (168 * 200))


def test_a_large_body_is_kept_in_a_file_without_a_name_and_handed_over_whole(up: Supervised) -> None:
    with closing(http.client.HTTPConnection("127.0.0.1", up.port(), timeout=30)) as connection:
        connection.request("POST", "/", body=iter([b"x" * 50_000, b"y" * 50_000]), encode_chunked=True)
        assert connection.getresponse().read().split()[1] == b"100000"


def test_health_is_answered_while_all_threads_are_taken(up: Supervised, tmp_path: Path) -> None:
    with ExitStack() as ends:
        stuck = [ends.enter_context(closing(opened(up, b"GET /stuck HTTP/1.1\r\nHost: x\r\n\r\n"))) for _ in range(100)]
        waiting = ends.enter_context(closing(opened(up, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")))
        assert get(up, "/healthz").split()[1] == b"0"
        assert get(up, "/readyz").split()[1] == b"0"
        (tmp_path / "let-go").touch()
        assert {status(connection.recv(4096)) for connection in (*stuck, waiting)} == {200}


def test_a_kept_connection_survives_an_answer_that_did_not_want_the_body(up: Supervised) -> None:
    with closing(http.client.HTTPConnection("127.0.0.1", up.port(), timeout=30)) as connection:
        connection.request("POST", "/broken", body=b"x" * 100_000)
        refused = connection.getresponse()
        assert (refused.status, refused.read()) == (500, b"")
        local = connection.sock.getsockname() if connection.sock else None
        connection.request("GET", "/")
        assert connection.getresponse().status == 200
        assert local == (connection.sock.getsockname() if connection.sock else "closed")


def test_an_answer_of_unknown_length_comes_in_pieces(up: Supervised) -> None:
    answer = said(up, b"GET /stream HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert b"transfer-encoding: chunked" in answer.lower()
    assert [line for line in answer.split(b"\r\n") if line.startswith(b"piece")] == [
        b"piece 0\n", b"piece 1\n", b"piece 2\n"
    ]  # fmt: skip


def test_a_header_with_an_underscore_is_not_taken_for_one_with_a_dash(up: Supervised) -> None:
    ask = b"GET /x_token HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%b\r\n"
    assert said(up, ask % b"X_Token: forged\r\n").endswith(b" ")
    assert said(up, ask % b"X-Token: genuine\r\nX_Token: forged\r\n").endswith(b" genuine")


def test_sigterm_within_bodies_answers_what_is_whole_and_sends_the_others_again(up: Supervised) -> None:
    with opened(up, HALF) as half, opened(up, HALF) as completed:
        slow = opened(up, b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
        eventually(lambda: get(up, "/"))
        up.process.send_signal(signal.SIGTERM)
        eventually(lambda: up.lines("up.ends"))
        completed.sendall(b"defghij")
        answers = [status(rest(connection)) for connection in (half, completed, slow)]
        slow.close()
    assert (answers, up.process.wait(20), up.lines("child.killed")) == ([503, 200, 200], 0, [])


def test_a_process_that_ends_takes_no_connection_any_more_and_the_others_do(tmp_path: Path) -> None:
    with supervised(tmp_path, web_processes=2) as up:
        up.pid("web-2")
        eventually(lambda: get(up, "/"))
        first = up.pid("web-1")
        with opened(up, b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n"):
            os.kill(first, signal.SIGTERM)
            eventually(lambda: up.lines("child.died"))
            assert all(get(up, "/") for _ in range(50))
