"""A peer that speaks in bare bytes, for what no HTTP server would say."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_BODY = b'{"success": true, "event": {"id": "e_1"}}'
RECORDED = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(_BODY), _BODY)


@dataclass
class Peer:
    """`connections` counts those accepted; `closed` is released when the peer has closed one."""

    port: int
    connections: int = 0
    closed: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))


@contextmanager
def peer(talk: Callable[[socket.socket], object], context: ssl.SSLContext | None = None) -> Iterator[Peer]:
    """Accept connections; `talk` has each in a thread of its own, and it is closed when `talk` returns."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        found = Peer(listener.getsockname()[1])
        ended = threading.Event()

        def run() -> None:
            while not ended.is_set():
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                found.connections += 1
                threading.Thread(target=speak, args=(connection,), daemon=True).start()

        def speak(connection: socket.socket) -> None:
            with suppress(OSError), _secured(connection, context) as spoken:
                talk(spoken)
            found.closed.release()

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        yield found
        ended.set()
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(5)


def _secured(connection: socket.socket, context: ssl.SSLContext | None) -> socket.socket:
    if context is None:
        return connection
    try:
        return context.wrap_socket(connection, server_side=True)
    except OSError:
        connection.close()
        raise


def connected(folder: Path) -> tuple[ssl.SSLSocket, ssl.SSLSocket]:
    """The two ends of a connection on which the handshake is over."""
    trusted, context = certificate(folder)
    near, far = socket.socketpair()
    with ThreadPoolExecutor(1) as threads:
        theirs = threads.submit(context.wrap_socket, far, server_side=True)
        trusting = ssl.create_default_context(cafile=str(trusted))
        ours = trusting.wrap_socket(near, server_hostname="127.0.0.1")
        return ours, theirs.result()


def read_request(connection: socket.socket) -> bytes:
    """One request with a body, whole."""
    data = b""
    while b"\r\n\r\n" not in data or not data.rstrip().endswith(b"}"):
        piece = connection.recv(65536)
        if not piece:
            break
        data += piece
    return data


def answering(answer: bytes) -> Callable[[socket.socket], None]:
    """One request, this answer, the end of the connection."""

    def talk(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(answer)

    return talk


def certificate(folder: Path) -> tuple[Path, ssl.SSLContext]:
    """A self-signed certificate for 127.0.0.1: the file that a client trusts it by, and the server's context."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "lumail.example.com")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    trusted, private = folder / "trusted.pem", folder / "key.pem"
    trusted.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(trusted, private)
    return trusted, context
