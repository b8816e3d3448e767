"""A request is ended on time: whatever its connection is doing, and however late that was made."""

import socket
import time
from collections.abc import Iterator

import pytest

from gateway.lumail.watchdog import Watch, Watchdog
from tests.waiting import eventually


@pytest.fixture
def line() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    theirs.settimeout(10)
    with ours, theirs:
        yield ours, theirs


def test_a_connection_is_shut_at_its_deadline(line: tuple[socket.socket, socket.socket]) -> None:
    watch = Watchdog().watch(time.monotonic() + 0.05)
    watch.attach(line[0])
    assert (line[1].recv(1), watch.expired) == (b"", True)
    watch.end()


def test_a_connection_that_is_made_after_the_deadline_is_shut_at_once(
    line: tuple[socket.socket, socket.socket],
) -> None:
    watch = Watch(time.monotonic())
    watch.expire()
    watch.attach(line[0])
    assert line[1].recv(1) == b""
    watch.end()


def test_a_near_deadline_is_kept_though_a_far_one_was_watched_before(
    line: tuple[socket.socket, socket.socket],
) -> None:
    dog = Watchdog()
    dog.watch(time.monotonic() + 3600)
    eventually(lambda: bool(dog._changed._waiters), what="it sleeps until then")  # type: ignore[attr-defined]
    near = dog.watch(time.monotonic() + 0.05)
    near.attach(line[0])
    assert line[1].recv(1) == b""
    near.end()


def test_what_is_through_in_time_is_left_alone(line: tuple[socket.socket, socket.socket]) -> None:
    watch = Watch(time.monotonic())
    watch.attach(line[0])
    watch.end()
    watch.expire()
    line[0].sendall(b"next")
    assert (line[1].recv(4), watch.expired) == (b"next", False)
