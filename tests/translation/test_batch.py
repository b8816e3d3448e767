"""How webhooks split into source events, by parameters."""

import json
from datetime import UTC, timedelta
from typing import Any

import pytest

from gateway.errors import PayloadError
from gateway.translation.adapter import SourceEvent, TimedBy, Unreadable
from gateway.translation.batch import Batch, under
from gateway.translation.webhook import VerifiedWebhook
from tests.translation.requests import NOW, request
from tests.translation.test_moment import NINE

BATCH = Batch("event", id=("id",), times=("at",), test="test")


def split(batch: Batch, body: Any, signed: bool = False) -> list[SourceEvent | Unreadable]:
    signed_at = NOW - timedelta(minutes=1) if signed else None
    return list(batch(VerifiedWebhook(request(json.dumps(body).encode()), 0, signed_at)))


def test_an_item_tells_its_id_its_type_and_its_time() -> None:
    item = {"event": "open", "id": 7, "at": 1762160400, "test": 1}
    assert split(BATCH, item) == [SourceEvent("7", "open", NINE, item, test=True)]
    assert split(BATCH, [item, item]) == split(BATCH, item) * 2


@pytest.mark.parametrize(("signed", "by"), [(True, TimedBy.ENVELOPE), (False, TimedBy.ARRIVAL)])
def test_an_item_without_a_time_has_that_of_its_envelope_or_of_its_arrival(signed: bool, by: TimedBy) -> None:
    [event] = split(BATCH, {"event": "open", "at": "soon"}, signed)
    assert isinstance(event, SourceEvent)
    assert (event.timed_by, event.reported_at) == (by, None)
    assert event.occurred_at == (NOW - timedelta(minutes=1) if signed else NOW)


def test_a_time_without_offset_lies_in_the_zone_of_the_provider() -> None:
    [event] = split(Batch("event", times=("at",), zone=UTC), {"event": "open", "at": "2025-11-03 09:00:00"})
    assert isinstance(event, SourceEvent)
    assert event.reported_at == NINE


@pytest.mark.parametrize("item", [None, [], 17, "open", {}, {"event": None}, {"event": ""}, {"event": {}}])
def test_what_is_no_event_costs_itself(item: Any) -> None:
    [good, bad] = split(BATCH, [{"event": "open"}, item])
    assert isinstance(good, SourceEvent)
    assert bad == Unreadable("item 1 is no event: it has no `event`")


@pytest.mark.parametrize("body", [None, 17, "text", True])
def test_a_body_of_no_items_is_not_understood(body: Any) -> None:
    with pytest.raises(PayloadError, match="neither an event nor an array"):
        split(BATCH, body)


def test_items_may_lie_under_a_name() -> None:
    batch = Batch("event", items=under("events"))
    assert len(split(batch, {"events": [{"event": "a"}, 1]})) == 2
    with pytest.raises(PayloadError, match="the body has no array `events`"):
        split(batch, {"events": {}})
