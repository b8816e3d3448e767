"""What the door is measured against, under the same server: the least that is honest, and the least at all.

Both are hand-written for speed and know one secret, one kind of webhook and no fault. Neither forgives, tells of
itself or can be asked what it took; their figures are a bound, not an aim.
"""

import hashlib
import hmac
import json
import os
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future
from queue import SimpleQueue

from flask import Flask, Response, jsonify, request

from gateway.ledger.database import Ledger
from gateway.ledger.migration import migrate
from gateway.runtime.bridge import Served
from gateway.runtime.collecting import Bounds

DATABASE = "BENCHMARK_DATABASE_URL"
SECRET = "BENCHMARK_SECRET"
BOUNDS = Bounds(most=10 * 1024 * 1024)
TABLE = "CREATE TABLE IF NOT EXISTS received (id TEXT, type TEXT, at BIGINT, body {blob})"
_ADD = "INSERT INTO received (id, type, at, body) VALUES ({0}, {0}, {0}, {0})"

_Row = tuple[str, str, int, bytes]


def prepare(database_url: str) -> None:
    """The table of the durable rival."""
    ledger = Ledger(database_url)
    migrate(ledger)  # the writer's lock asks which versions may write
    with ledger.alter() as connection:
        connection.exec_driver_sql(TABLE.format(blob="BLOB" if ledger.is_sqlite else "BYTEA"))
    ledger.close()


def durable() -> Served:
    """Verifies the HMAC, parses the JSON, and answers once its row is on disk."""
    rows = _Rows(Ledger(os.environ[DATABASE]))
    secret = os.environ[SECRET].encode()
    app = Flask("durable", static_folder=None)

    @app.post("/webhooks/stripe")
    def receive() -> Response:
        body = request.get_data()
        if not _is_genuine(body, request.headers["Stripe-Signature"], secret):
            return Response(status=401)
        event = json.loads(body)
        rows.add((event["id"], event["type"], event["created"], body))
        return jsonify(received=True)

    return Served(app, BOUNDS)


def bare() -> Served:
    """Reads the body."""
    app = Flask("bare", static_folder=None)

    @app.post("/webhooks/stripe")
    def receive() -> Response:
        request.get_data()
        return jsonify(received=True)

    return Served(app, BOUNDS)


def _is_genuine(body: bytes, header: str, secret: bytes) -> bool:
    parts = dict(part.split("=", 1) for part in header.split(","))
    signed = hmac.new(secret, parts["t"].encode() + b"." + body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(signed, parts["v1"]) and abs(time.time() - int(parts["t"])) < 300


class _Rows:
    """Group commit behind the ledger's fair lock: all rows that wait, one statement, one transaction."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._add = _ADD.format("?" if ledger.is_sqlite else "%s")
        self._queue: SimpleQueue[tuple[_Row, Future[None]]] = SimpleQueue()
        threading.Thread(target=self._run, daemon=True).start()

    def add(self, row: _Row) -> None:
        done: Future[None] = Future()
        self._queue.put((row, done))
        done.result(4)

    def _run(self) -> None:
        while True:
            group = [self._queue.get()]
            while len(group) < 64 and not self._queue.empty():
                group.append(self._queue.get())
            self._write([row for row, _ in group])
            for _, done in group:
                done.set_result(None)

    def _write(self, rows: Sequence[_Row]) -> None:
        with self._ledger.write() as connection:
            connection.exec_driver_sql(self._add, list(rows))
