"""The parts of a multipart form, read flat and at a cost that its bytes bound: anybody may have sent it."""

from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.http import parse_options_header
from werkzeug.sansio.multipart import Data, Epilogue, Field, File, MultipartDecoder, NeedData, State

from gateway.errors import PayloadError
from gateway.translation.schemes import reading

MOST_PARTS = 100

_STEP = 8 * 1024
_LONGEST_HEADERS = 4 * _STEP
_LONGEST_TYPE = 300


def pairs(content_type: str, body: bytes) -> list[tuple[bytes, bytes]]:
    """Names and values of the fields in order; files are left out, and what is in a part is a value, whatever it is.

    Raises PayloadError for what is no such form, or has more than 100 parts.
    """
    boundary = parse_options_header(content_type[:_LONGEST_TYPE])[1].get("boundary", "")
    if not 0 < len(boundary) <= 200:  # RFC 2046 has 70
        raise PayloadError("the multipart form names no boundary")
    decoder = MultipartDecoder(reading.octets(boundary), max_parts=MOST_PARTS)
    try:
        return _fields(decoder, body)
    except (ValueError, AttributeError, RequestEntityTooLarge) as error:  # AttributeError: a part that has no lines
        raise PayloadError(f"no multipart form of at most {MOST_PARTS} parts can be read") from error


def _fields(decoder: MultipartDecoder, body: bytes) -> list[tuple[bytes, bytes]]:
    """Fed in steps, so that no headers of a part are read that are longer than those of a form are."""
    found: list[tuple[bytes, bytes]] = []
    name: bytes | None = None
    value: list[bytes] = []
    waits = 0
    steps = iter([*(body[start : start + _STEP] for start in range(0, len(body), _STEP)), None])
    while True:
        event = decoder.next_event()
        match event:
            case NeedData():
                waits = waits + _STEP if decoder.state is State.PART else 0
                if waits > _LONGEST_HEADERS:
                    raise PayloadError("the headers of a part are too long")
                decoder.receive_data(next(steps))
            case Field():
                name, value = (event.name or "").encode("utf-8", "replace"), []
            case File():
                name = None
            case Data():
                if name is not None:
                    value.append(event.data)
                    if not event.more_data:
                        found.append((name, b"".join(value)))
            case Epilogue():
                return found
