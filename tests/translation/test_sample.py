"""A fixture is read strictly, and made fresh so that it can be sent again."""

import json
from pathlib import Path
from typing import Any

import pytest

from gateway.errors import AdapterError
from gateway.translation.sample import Sample, freshen, read
from tests.translation.requests import NOW


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "toy").mkdir()
    return tmp_path / "toy"


def written(folder: Path, **case: Any) -> list[Sample]:
    file = folder / "case.json"
    file.write_text(json.dumps({"why": "to try", "expect": []} | case))
    return read(file)


def test_a_case_is_read(folder: Path) -> None:
    (sample,) = written(folder, body={"a": ["ü", 1]}, headers={"X-Topic": "a"}, sample=True)
    assert (sample.adapter, sample.case, sample.default) == ("toy", "case", True)
    assert sample.body == '{"a":["ü",1]}'.encode()
    assert sample.headers == {"Content-Type": "application/json", "X-Topic": "a"}
    assert sample.outcome == {"expect": []}


def test_a_body_may_be_exact_text_or_a_form(folder: Path) -> None:
    (text,) = written(folder, body_text="[]\r\n", headers={"Content-Type": "text/plain"})
    assert (text.body, text.headers) == (b"[]\r\n", {"Content-Type": "text/plain"})
    (form,) = written(folder, form={"events": '[{"a": 1}]', "b": "ana@example.com"})
    assert form.body == b"events=%5B%7B%22a%22%3A+1%7D%5D&b=ana%40example.com"
    assert form.headers == {"Content-Type": "application/x-www-form-urlencoded"}


def test_a_case_may_hold_for_several_types(folder: Path) -> None:
    first, second = written(folder, types=["a.made", "b.made"], headers={"X-Topic": "a.made"}, body={"type": "a.made"})
    assert (first.case, first.body) == ("case[a.made]", b'{"type":"a.made"}')
    assert (second.case, second.body) == ("case[b.made]", b'{"type":"b.made"}')
    assert second.headers["X-Topic"] == "b.made"


def test_a_type_is_replaced_in_a_form_that_holds_json(folder: Path) -> None:
    _, second = written(folder, types=["a", "b"], form={"events": '[{"type": "a", "name": "ana"}]'})
    assert second.body == b"events=%5B%7B%22type%22%3A+%22b%22%2C+%22name%22%3A+%22ana%22%7D%5D"


@pytest.mark.parametrize(
    ("case", "words"),
    [
        ({"body": {}, "expct": []}, r"toy/case.json: .*expct.*Unknown field.*allowed: why, sample"),
        ({"body": {}, "why": ""}, "why"),
        ({"body": {}, "expect": [{"eventType": "SUBSCRIBED"}]}, "subscriber.*Missing data"),
        ({"body": {}, "form": {}}, "exactly one of body, body_text, form is needed"),
        ({}, "exactly one of"),
        ({"body": {}, "types": []}, "types"),
        ({"body": {}, "quarantine": 5}, "quarantine"),
    ],
)
def test_what_a_fixture_may_not_hold_is_told_with_its_place(folder: Path, case: dict[str, Any], words: str) -> None:
    with pytest.raises(AdapterError, match=words):
        written(folder, **case)


def test_a_fixture_says_what_becomes_of_it(folder: Path) -> None:
    (folder / "case.json").write_text('{"why": "to try", "body": {}}')
    with pytest.raises(AdapterError, match="what becomes of it"):
        read(folder / "case.json")


def test_a_fixture_that_is_no_json_is_told_so(folder: Path) -> None:
    (folder / "case.json").write_text("{")
    with pytest.raises(AdapterError, match=r"toy/case.json: .*line 1"):
        read(folder / "case.json")


def test_a_fresh_sample_has_new_ids_of_the_same_form(folder: Path) -> None:
    ids = ["evt_1SPa2bKZ", "1234567890123456789", "0af7651916cd43dd", "6g4ZI7SA-x=="]
    (sample,) = written(folder, body={"ids": ids, "again": ids[0]}, headers={"X-Id": ids[1]}, fresh={"ids": ids})
    fresh = json.loads(freshen(sample, NOW, "token").body)
    assert freshen(sample, NOW, "token") == freshen(sample, NOW, "token")
    assert set(fresh["ids"]).isdisjoint(ids)
    assert fresh["again"] == fresh["ids"][0]
    assert freshen(sample, NOW, "token").headers["X-Id"] == fresh["ids"][1]
    assert [shape(id_) for id_ in fresh["ids"]] == [shape(id_) for id_ in ids]
    assert fresh["ids"][0].startswith("evt_")


def shape(id_: str) -> list[str]:
    """Digits, capitals and the rest are told apart; hexadecimal digits stay such."""
    kinds = {"9": str.isdigit, "f": "abcdef".__contains__, "z": str.islower, "Z": str.isupper}
    return [next((kind for kind, fits in kinds.items() if fits(letter)), letter) for letter in id_.removeprefix("evt_")]


@pytest.mark.parametrize(
    ("old", "expected"),
    [
        (["1500000000", "1500000060"], ["1767614340", "1767614400"]),
        (["1500000000000"], ["1767614400000"]),
        (["1500000000.250000"], ["1767614400.000000"]),
        (["2017-07-14T02:40:00Z", "1500000000"], ["2026-01-05T12:00:00Z", "1767614400"]),
    ],
)
def test_the_latest_time_of_a_fresh_sample_is_now(folder: Path, old: list[str], expected: list[str]) -> None:
    (sample,) = written(folder, body={"times": old}, fresh={"times": old})
    assert json.loads(freshen(sample, NOW, "token").body) == {"times": expected}


def test_ids_are_replaced_in_a_form_too(folder: Path) -> None:
    (sample,) = written(folder, form={"id": "<abc@x.example.com>"}, fresh={"ids": ["<abc@"]})
    assert b"abc%40" not in freshen(sample, NOW, "token").body


def test_a_sample_becomes_an_unsigned_request(folder: Path) -> None:
    (sample,) = written(folder, body=[])
    webhook = sample.webhook("shop", "https://hooks.example.com/webhooks/shop", NOW)
    assert (webhook.source, webhook.body, dict(webhook.headers)) == (
        "shop",
        b"[]",
        {"content-type": "application/json"},
    )
