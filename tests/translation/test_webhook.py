"""A request as it came."""

import pytest

from gateway.translation.webhook import Headers, VerifiedWebhook
from tests.translation.requests import request


def told(body: bytes) -> VerifiedWebhook:
    return VerifiedWebhook(request(body), secret=0, signed_at=None)


def test_headers_are_found_whatever_the_case_and_the_last_value_counts() -> None:
    headers = Headers([("X-One", "1"), ("x-one", "2")])
    assert (headers["X-ONE"], headers.get("x-two"), len(headers)) == ("2", None, 1)


def test_headers_show_names_and_no_values() -> None:
    assert repr(Headers({"Authorization": "Basic c2VjcmV0"})) == "Headers(['authorization'])"


def test_header_fields_are_added_or_replaced() -> None:
    changed = request(headers={"A": "1", "B": "2"}).with_headers({"b": "3", "C": "4"})
    assert dict(changed.headers) == {"a": "1", "b": "3", "c": "4"}


def test_json_is_read_once() -> None:
    webhook = told(b'{"a": 1}')
    assert webhook.json == {"a": 1}
    assert webhook.json is webhook.json


def test_a_form_is_read_and_the_last_value_counts() -> None:
    assert told(b"a=1&b=x%20y+z&a=2&empty=&nul=%00").form == {"a": "2", "b": "x y z", "empty": "", "nul": "\ufffd"}


@pytest.mark.parametrize("body", [b"a=f%fcr&b=1", b"a=f\xfcr&b=1"])
def test_other_bytes_cost_a_form_nothing_but_themselves(body: bytes) -> None:
    assert told(body).form == {"a": "f\ufffdr", "b": "1"}
