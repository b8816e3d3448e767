"""Junk at a steady rate from a process of its own: ``python -m tests.attack.junk PORT RATE SECONDS``.

It prints a line when it begins and, as JSON, how many were answered with which status, and how long that took.

Each body stands for a proof that has to be looked for in it, and is a little longer than what needs no turn.
"""

import asyncio
import json
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import cycle, islice

from gateway.intake.proving import LITTLE
from tests.adapters.unproven_bodies import shapes

SOURCES = ("mailgun", "unisender", "mandrill", "ses")
CONNECTIONS = 64


def requests() -> Iterator[bytes]:
    for source, one in zip(cycle(SOURCES), cycle(shapes(LITTLE + 1000)), strict=False):
        yield rendered(f"/webhooks/{source}", one.body, one.fields)


def rendered(path: str, body: bytes, fields: Mapping[str, str]) -> bytes:
    told = {"Host": "x", "X-Mandrill-Signature": "AAAA", "Content-Length": str(len(body)), **fields}
    head = "".join(f"{name}: {value}\r\n" for name, value in told.items())
    return f"POST {path} HTTP/1.1\r\n{head}\r\n".encode() + body


async def answered(request: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> tuple[int, bool]:
    """The status (0: the connection was closed without one), and whether it was the last on this connection."""
    try:
        writer.write(request)
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        await reader.readexactly(int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0]))
    except (OSError, EOFError):
        return 0, True
    return int(head.split(b" ", 2)[1]), b"connection: close" in head


async def flood(port: int, rate: float, seconds: float) -> tuple["Counter[int]", float]:
    answers: Counter[int] = Counter()
    due = iter(islice(requests(), int(rate * seconds)))
    loop = asyncio.get_running_loop()
    began = loop.time()
    number = 0

    async def post() -> None:
        nonlocal number
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while (request := next(due, None)) is not None:
            number += 1
            await asyncio.sleep(began + number / rate - loop.time())
            status, is_last = await answered(request, reader, writer)
            answers[status] += 1
            if is_last:
                writer.close()
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.close()

    await asyncio.gather(*(post() for _ in range(CONNECTIONS)))
    return answers, loop.time() - began


def main(port: str, rate: str, seconds: str) -> None:
    print("begins", flush=True)
    answers, took = asyncio.run(flood(int(port), float(rate), float(seconds)))
    print(json.dumps({"answers": answers, "seconds": took}))


if __name__ == "__main__":
    main(*sys.argv[1:])
