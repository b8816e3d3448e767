"""Whatever a genuine webhook holds, an adapter answers with a translation or with PayloadError, never otherwise."""

import json
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.errors import PayloadError, SignatureError
from gateway.events import encode_data, faults_of
from gateway.translation.adapter import Adapter, Context, SourceEvent
from gateway.translation.registry import samples
from tests.adapters.cases import ADAPTERS, NOW, Remembered, options_of, verified

NESTED_DEEPLY = json.loads('{"a":' * 400 + "1" + "}" * 400)
ODD_VALUES = st.one_of(
    st.sampled_from(
        [
            None,
            True,
            False,
            0,
            -1,
            2**63,
            10**40,
            0.1,
            1e300,
            "",
            " ",
            "\x00",
            "\ud800",
            "ana@example.com",
            "a" * 70_000,
        ]
    ),
    st.sampled_from([[], {}, [[]], [None], {"id": 1}, {"id": None}, {"": ""}, NESTED_DEEPLY]),
    st.text(max_size=8),
    st.integers(),
)
ODD_BODIES = [
    b"",
    b"null",
    b"[]",
    b"{}",
    b"[[]]",
    b"NaN",
    b'{"a": NaN}',
    b"\xff\xfe",
    b'"text"',
    b"[" * 100_000,
    b"1e999999999",
]


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where something may be put in the place of something else; () is the whole."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for name, item in inner for place in places(item, (*path, name)))]


def changed(value: Any, path: tuple[Any, ...], odd: Any, drop: bool) -> Any:
    """`value` with what is at `path` replaced, or left out."""
    if not path:
        return odd
    name, rest = path[0], path[1:]
    if isinstance(value, list):
        return [changed(item, rest, odd, drop) if place == name else item for place, item in enumerate(value)]
    kept = {key: item for key, item in value.items() if not (drop and not rest and key == name)}
    return {key: changed(item, rest, odd, drop) if key == name else item for key, item in kept.items()}


@st.composite
def odd_bodies(draw: st.DrawFn, body: bytes) -> bytes:
    """A body with one to three places changed, in the form that it came in: JSON, or a form of texts and JSON."""
    try:
        value, form = json.loads(body), False
    except ValueError:
        value, form = dict(parse_qsl(body.decode(errors="replace"))), True
    for _ in range(draw(st.integers(1, 3))):
        value = changed(value, draw(st.sampled_from(places(value))), draw(ODD_VALUES), draw(st.booleans()))
    if form and isinstance(value, dict):
        return urlencode({name: str(item) for name, item in value.items()}, errors="replace").encode()
    return json.dumps(value).encode()


@pytest.mark.parametrize("adapter", ADAPTERS, ids=lambda adapter: adapter.name)
@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_whatever_it_holds_a_webhook_is_translated_or_not_understood(adapter: Adapter, data: st.DataObject) -> None:
    sample = data.draw(st.sampled_from(list(samples(adapter.name).values())), label="sample")
    body = data.draw(st.one_of(odd_bodies(sample.body), st.sampled_from(ODD_BODIES)), label="body")
    try:
        told = verified(adapter, replace(sample, body=body))
    except SignatureError:
        return  # signed inside the body, and this one has no place for it
    options = options_of(adapter, sample)
    assert isinstance(adapter.delivery_id(told), str | None)
    try:
        items = adapter.split(told)
    except PayloadError:
        return
    for item in items:
        if isinstance(item, SourceEvent):
            translate_by_hand(adapter, item, Context(adapter.name, NOW, Remembered(), options))


def translate_by_hand(adapter: Adapter, event: SourceEvent, context: Context) -> None:
    """As `adapter.translate`, which would call any exception a PayloadError."""
    assert isinstance(event.type, str)
    assert event.occurred_at.tzinfo is not None
    handler = adapter.handlers.get(event.type)
    if handler is None:
        return
    try:
        translation = handler(event, context)
    except PayloadError:
        return
    for made in translation.events:
        assert faults_of(made) == {}
        encode_data(made.data).encode()
        "".join(made.keys).encode()
