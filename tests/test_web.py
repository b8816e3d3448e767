"""The web processes and what they do with HTTP, over real sockets."""

import http.client
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from threading import Thread

import psutil
import pytest

from gateway.errors import StartError
from gateway.runtime import web
from tests.supervised import Supervised, supervised
from tests.waiting import eventually


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Supervised]:
    with supervised(tmp_path, web_processes=2) as running:
        running.pid("web-2")
        yield running


def answering(up: Supervised, path: str = "/") -> int:
    """The pid of the process that answered."""
    with closing(http.client.HTTPConnection("127.0.0.1", up.port(), timeout=10)) as connection:
        connection.request("GET", path)
        return int(connection.getresponse().read().split()[0])


def said(up: Supervised, request: bytes) -> bytes:
    """All that is answered to these bytes."""
    with socket.create_connection(("127.0.0.1", up.port()), timeout=10) as connection:
        connection.sendall(request)
        return b"".join(iter(lambda: connection.recv(65536), b""))


def test_while_a_process_is_killed_the_others_answer_and_it_is_replaced(up: Supervised) -> None:
    first, second = up.pid("web-1"), up.pid("web-2")
    assert answering(up) in (first, second)
    os.kill(first, signal.SIGKILL)
    assert answering(up) != first
    third = up.pid("web-1", 2)
    eventually(lambda: answering(up) == third, what="the new process answers")


def test_while_all_processes_are_replaced_connections_wait(up: Supervised) -> None:
    answering(up)
    killed = {up.pid("web-1"), up.pid("web-2")}
    for pid in killed:
        os.kill(pid, signal.SIGKILL)
    assert answering(up) not in killed


def test_what_was_begun_is_answered_before_the_end_and_the_door_is_closed(up: Supervised) -> None:
    answering(up)
    answers: list[int] = []
    request = Thread(target=lambda: answers.append(answering(up, "/slow")))
    request.start()
    eventually(lambda: connections_of(up) > 0)
    assert up.end() == 0
    request.join()
    assert answers[0] in (up.pid("web-1"), up.pid("web-2"))
    with pytest.raises(ConnectionRefusedError):
        answering(up)


def connections_of(up: Supervised) -> int:
    pids = (up.pid("web-1"), up.pid("web-2"))
    return sum(one.status == psutil.CONN_ESTABLISHED for pid in pids for one in psutil.Process(pid).net_connections())


def test_a_supervisor_that_is_killed_leaves_the_port_free(up: Supervised) -> None:
    answering(up)
    up.end(signal.SIGKILL)

    def refused() -> bool:
        with socket.socket() as connection:
            return connection.connect_ex(("127.0.0.1", up.port())) != 0

    eventually(refused)


def test_a_port_that_is_taken_is_told(up: Supervised) -> None:
    with pytest.raises(StartError, match=r"Address already in use. Choose another port with --port or PORT"):
        web.listen("127.0.0.1", up.port())


def test_what_the_door_relies_on_in_the_server(up: Supervised) -> None:
    post = b"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
    chunked = said(up, post + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n3\r\nyou\r\n0\r\n\r\n")
    assert chunked.endswith(b" 8")
    both = said(up, post + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n")
    assert both.endswith(b" 5")
    assert said(up, post + b"Content-Length: 3\r\nContent-Length: 5\r\n\r\nhello").startswith(b"HTTP/1.1 400 ")
    assert said(up, b"HEAD / HTTP/1.1\r\nConnection: close\r\n\r\n").endswith(b"\r\n\r\n")
    assert said(up, b"GET / HTTP/1.1\r\n" + b"X-A: a\r\n" * 200 + b"\r\n").startswith(b"HTTP/1.1 431 ")


def test_senders_that_stay_silent_within_their_body_do_not_close_the_door(up: Supervised) -> None:
    slow = []
    for _ in range(40):
        connection = socket.create_connection(("127.0.0.1", up.port()), timeout=10)
        connection.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc")
        slow.append(connection)
    assert answering(up)
    for connection in slow:
        connection.close()


def test_an_answer_does_not_wait_for_the_acknowledgement_of_its_head() -> None:
    with closing(web.listen("127.0.0.1", 0)) as listener:
        listener.setblocking(True)
        with socket.create_connection(listener.getsockname(), timeout=10), closing(listener.accept()[0]) as taken:
            assert taken.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0
