"""What of a webhook may be shown."""

import json

from gateway.formats.masking import LONGEST_SHOWN, MASK, masked, masked_url, readable


def test_texts_are_masked_by_their_names_however_deep() -> None:
    told = {"a": [{"client_secret": "s", "token": {"api_key": "k", "n": 1}}], "Password": "p", "tokens_left": 3}
    assert masked(told) == {
        "a": [{"client_secret": MASK, "token": {"api_key": MASK, "n": 1}}],
        "Password": MASK,
        "tokens_left": 3,
    }


def test_a_url_loses_its_user_and_its_secret_parameters() -> None:
    assert masked_url("https://u:p@h.example.com:1/a?token=x&b=2#c") == f"https://h.example.com:1/a?token={MASK}&b=2#c"
    assert masked_url("http://[broken") == MASK


def test_bodies_are_read_as_what_they_are() -> None:
    assert readable(b'{"a":12345678901234567890123}') == '{\n  "a": 12345678901234567890123\n}'
    assert json.loads(readable(b"a=1&a=2&b=[3]&token=x", "application/x-www-form-urlencoded; charset=utf-8")) == {
        "a": ["1", "2"],
        "b": [3],
        "token": MASK,
    }
    assert readable(b"plain <text>") == "plain <text>"
    assert readable(b"") == ""
    assert readable(b"[" * 100_000) == "[" * 100_000


def test_a_very_long_body_is_cut_and_says_so() -> None:
    assert readable(b"x" * (LONGEST_SHOWN + 5)).endswith("x\n… and 5 characters more")


def test_a_body_of_any_depth_and_with_halves_of_characters_can_be_sent_to_a_browser() -> None:
    for depth in (99, 100, 900, 5000):
        readable(b'{"a":' * depth + b"1" + b"}" * depth).encode()
        readable(b"a=" + b"[" * depth + b"]" * depth, "application/x-www-form-urlencoded").encode()
    shown = readable(b'{"a\\ud800": "\\udfff"}')
    assert shown == '{\n  "a\ufffd": "\ufffd"\n}'


def test_what_is_nested_too_deep_is_masked() -> None:
    told = masked([[1]], depth=1)
    assert told == [MASK]
