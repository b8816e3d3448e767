"""`translate` and `adapters list`: what an adapter makes of a webhook, without a gateway."""

import json
from pathlib import Path

import pytest

from gateway.translation.registry import adapters, samples
from tests.cli.conftest import Terminal

FIXTURES = Path(__file__).parents[1] / "fixtures"


@pytest.fixture
def anywhere() -> Terminal:
    """A terminal without any configuration."""
    return Terminal()


def test_a_body_is_shown_as_it_would_be_sent(anywhere: Terminal, tmp_path: Path) -> None:
    file = tmp_path / "body.json"
    file.write_bytes(samples("stripe")["session_paid"].body)
    (told,) = anywhere.document("translate", "stripe", str(file))["source_events"]
    expected = samples("stripe")["session_paid"].outcome["expect"][0]
    (event,) = told["events"]
    assert (told["type"], told["outcome"]) == ("checkout.session.completed", "translated")
    assert (event["eventType"], event["subscriber"], event["lane"]) == (
        expected["eventType"],
        expected["subscriber"],
        "revenue",
    )
    assert event["data"] == {
        name: json.loads(str(value)) if name == "amount" else value for name, value in expected["data"].items()
    }


def test_a_case_of_the_tests_is_read_as_one(anywhere: Terminal) -> None:
    (told,) = anywhere.document("translate", "stripe", str(FIXTURES / "stripe" / "session_free.json"))["source_events"]
    assert (told["outcome"], samples("stripe")["session_free"].outcome["ignored"] in told["reason"]) == (
        "ignored",
        True,
    )


def test_a_body_comes_from_stdin(anywhere: Terminal) -> None:
    body = samples("sendgrid")["bounced"].body
    told = anywhere.run("translate", "sendgrid", "-", stdin=body).stdout
    assert told.splitlines()[0] == "bounce: translated"
    assert '"eventType": "EMAIL_BOUNCED"' in told


def test_what_is_not_understood_says_why_and_is_a_fault(anywhere: Terminal) -> None:
    told = anywhere.document("translate", "stripe", "-", stdin=b"not json", status=1)
    assert [(one["outcome"], bool(one["reason"])) for one in told["source_events"]] == [("quarantined", True)]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nobody", "-"], "no adapter nobody; there is "),
        (["stripe", "/no/such/file"], "/no/such/file: can't be read: No such file or directory"),
    ],
)
def test_a_wrong_name_is_a_wrong_command(anywhere: Terminal, words: list[str], said: str) -> None:
    assert anywhere.run("translate", *words, status=2).stderr.startswith(said)


def test_every_adapter_is_listed_with_its_documentation(anywhere: Terminal) -> None:
    listed = anywhere.document("adapters", "list")["adapters"]
    assert [(one["name"], one["docs_events"]) for one in listed] == [
        (name, adapter.docs.events) for name, adapter in adapters().items()
    ]
    lines = anywhere.lines("adapters", "list")
    assert [line.split()[0] for line in lines[2:]] == list(adapters())


def test_a_body_is_tried_also_where_a_source_would_have_to_say_more(anywhere: Terminal, tmp_path: Path) -> None:
    body = tmp_path / "body.json"
    body.write_bytes(samples("amazon_ses")["bounced"].body)
    (tried,) = anywhere.document("translate", "amazon_ses", str(body))["source_events"]
    assert [one["eventType"] for one in tried["events"]] == ["EMAIL_BOUNCED"]


CASES_THAT_ARE_NONE = {
    "without_options": ("amazon_ses", b'{"why": "x", "expect": [], "body": {"eventType": "Send"}}', 2, "topics"),
    "with_odd_options": ("sendgrid", b'{"why": "x", "expect": [], "body": [], "options": {"a": 1}}', 2, "a: "),
    "without_outcome": ("sendgrid", b'{"why": "x", "body": []}', 1, "what becomes of it?"),
    "half_a_surrogate": ("sendgrid", b'{"why": "x", "expect": [], "body": [{"event": "\\ud800"}]}', 1, "unknown type"),
    "half_in_a_form": ("mandrill", b'{"why": "x", "expect": [], "form": {"\\ud800": "\\udfff"}}', 1, "has no field"),
    "half_in_a_text": ("brevo", b'{"why": "x", "expect": [], "body_text": "\\ud800"}', 1, "not JSON"),
    "half_in_a_body": ("brevo", b'"\\ud800"', 1, "neither an event nor"),
    "empty": ("mailjet", b"", 1, "not JSON"),
    "of_other_bytes": ("postmark", b"\xff\xfe\x00", 1, "not JSON"),
    "nested_deeply": ("resend", b'{"why":' * 50_000, 1, "nested too deeply"),
}


@pytest.mark.parametrize(
    ("adapter", "content", "status", "says"), CASES_THAT_ARE_NONE.values(), ids=CASES_THAT_ARE_NONE
)
def test_whatever_a_file_holds_the_fault_is_told_in_words(
    anywhere: Terminal, tmp_path: Path, adapter: str, content: bytes, status: int, says: str
) -> None:
    file = tmp_path / "case.json"
    file.write_bytes(content)
    result = anywhere.run("translate", adapter, str(file), status=status)
    assert says in result.stdout + result.stderr


@pytest.mark.parametrize(
    ("words", "status"), [(["sendgrid", "x.yaml"], 2), (["x.yaml", "-"], 1), (["x.yaml/", "x.yaml"], 2)], ids=str
)
def test_a_folder_is_no_file(
    anywhere: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], status: int
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.yaml").mkdir()
    assert anywhere.run("translate", *words, status=status).stderr.count("\n") == 1
