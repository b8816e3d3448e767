"""Any bytes on the wire to any source of a running gateway: never a fault of its own, and never much memory."""

import gzip
import re
import socket
import zlib
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.translation.registry import default_sample
from tests.adapters.cases import ADAPTERS, keys_of, options_of
from tests.attack.figures import cost_of
from tests.crash.installation import Installation, Setup, installation

EXAMPLES = 25
MOST_GROWN = 200 * 1024 * 1024

SCHEMES: dict[str, Any] = {one.name: one.scheme(options_of(one, default_sample(one.name))) for one in ADAPTERS}
SECRETS = {f"ATTACKED_{name.upper()}": keys_of(scheme).verifying for name, scheme in SCHEMES.items()}
SOURCES = {
    one.name: {
        **default_sample(one.name).options,
        "adapter": one.name,
        "secrets": [f"${{ATTACKED_{one.name.upper()}}}"],
    }
    for one in ADAPTERS
}
PROOFS = sorted({name for scheme in SCHEMES.values() for name in scheme.proof_headers})

line = st.binary(max_size=40).map(lambda text: re.sub(rb"[\r\n]", b"", text))
numbers = st.integers(-1, 2**40).map(lambda number: b"%d" % number)
names = st.one_of(
    st.sampled_from([name.encode() for name in PROOFS]),
    st.sampled_from([b"Content-Type", b"Content-Encoding", b"Transfer-Encoding", b"Content-Length", b"Expect"]),
    st.sampled_from([b"X-Forwarded-For", b"Authorization", b"Webhook-Id", b"Webhook-Timestamp", b"User-Agent"]),
    line,
)
values = st.one_of(
    line,
    numbers,
    st.sampled_from(
        [b"gzip", b"deflate", b"br", b"identity, gzip", b"chunked", b"100-continue", b"Basic Og==", b"Basic \xff"]
    ),
    st.sampled_from([b"application/json", b"multipart/form-data; boundary=x", b"application/x-www-form-urlencoded"]),
    st.sampled_from([b"t=1,v1=ab", b"v1,AAAA", b"MEUCIQ==", b"t=99999999999,v1=" + b"a" * 64, b"\xff" * 8]),
)
bodies = st.one_of(
    st.binary(max_size=200),
    st.sampled_from(
        [b"{}", b"[]", b'{"signature":1}', b'{"auth":"' + b"0" * 32 + b'"}', b"mandrill_events=%5B%5D", b"[" * 50_000]
    ),
    st.sampled_from([b"--x\r\n\r\n--x--\r\n", b"\x1f\x8b\x08\x00" + b"\0" * 20, b"a=" + b"%00" * 1000, b"1" * 10_000]),
)


@st.composite
def chunked(draw: st.DrawFn, body: bytes) -> bytes:
    """A body in chunks, of which some are none."""
    size = draw(st.integers(1, max(1, len(body))))
    sizes = draw(st.sampled_from([b"%x\r\n", b"%X;a=b\r\n", b"%x\n", b"-%x\r\n", b"fffffffffffffff%x\r\n"]))
    parts = [body[start : start + size] for start in range(0, min(len(body), 400 * size), size)]
    end = draw(st.sampled_from([b"0\r\n\r\n", b"0\r\nTrailer: x\r\n\r\n", b"", b"0"]))
    return b"".join(sizes % len(part) + part + b"\r\n" for part in parts) + end


@st.composite
def raw_requests(draw: st.DrawFn, source: bytes) -> bytes:
    """A request to a source, as far as it is one."""
    method = draw(st.sampled_from([b"POST", b"POST", b"POST", b"GET", b"HEAD", b"PUT", b"\xff"]))
    end = draw(st.sampled_from([b"", b"", b"/", b"/a-token", b"/%ff%00", b"?a=%ff", b"/../x"]))
    packed = draw(st.sampled_from([b"", b"", b"gzip", b"deflate"]))
    plain = draw(bodies)
    body = gzip.compress(plain) if packed == b"gzip" else zlib.compress(plain) if packed else plain
    body = body[: draw(st.integers(0, len(body)))] if draw(st.integers(0, 4)) == 0 else body
    fields = draw(st.lists(st.tuples(names, values), max_size=6))
    fields += [(b"Content-Encoding", packed)] if packed else []
    told = b"".join(b"%b: %b\r\n" % pair for pair in fields)
    length = draw(
        st.sampled_from([b"Content-Length: %d\r\n" % len(body)] * 3 + [b"Transfer-Encoding: chunked\r\n", b""])
    )
    body = draw(chunked(body)) if length.startswith(b"Transfer") else body
    head = b"%b /webhooks/%b%b HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" % (method, source, end)
    return head + length + told + b"\r\n" + body


def status_of(running: Installation, request: bytes) -> int | None:
    """None where the gateway closed the connection, or waits for more, without an answer."""
    port = int(running.url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=3) as connection:
        try:
            connection.sendall(request)
            connection.shutdown(socket.SHUT_WR)
            answer = connection.recv(200)
        except OSError:
            return None
    found = re.match(rb"HTTP/1\.[01] (\d{3})", answer)
    return int(found[1]) if found else None


def test_no_bytes_make_the_door_fail(tmp_path: Path, installed_url: str) -> None:
    setup = Setup(sources=SOURCES, web=1, workers=1)
    with installation(tmp_path, installed_url, setup, SECRETS) as running:

        @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), database=None)
        @given(st.data())
        def answered(data: st.DataObject) -> None:
            for source in sorted(SOURCES):
                status = status_of(running, data.draw(raw_requests(source.encode()), label=source))
                assert status is None or status < 500 or status == 503

        with cost_of(f"{EXAMPLES} requests of any bytes to each of {len(SOURCES)} sources", running) as cost:
            answered()
        assert running.is_ready()
        assert "webhook.failed" not in running.log.read_text()
    assert cost.grown < MOST_GROWN
