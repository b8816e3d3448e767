"""`adapters new`, `check`, `test` and `schema`: from one payload to an adapter that is right."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Terminal
from tests.translation.yaml_adapters import RIGHT, with_

PAYLOAD = {
    "id": "evt_81",
    "event": "order.paid",
    "created_at": "2026-11-03T10:00:00Z",
    "order": {"id": 17, "total": "49.90", "currency": "eur", "email": "ana@example.com", "items": [{"title": "Pro"}]},
}


@pytest.fixture
def here(tmp_path: Path) -> Terminal:
    """A terminal beside whose configuration file there may be YAML adapters."""
    return Terminal({"GATEWAY_CONFIG": str(tmp_path / "gateway.yaml")})


@pytest.fixture
def payload(tmp_path: Path) -> str:
    file = tmp_path / "payload.json"
    file.write_text(json.dumps(PAYLOAD))
    return str(file)


def written(tmp_path: Path, text: str, example: Any = None) -> str:
    file = tmp_path / "adapters" / "acme.yaml"
    file.parent.mkdir(exist_ok=True)
    file.write_text(text)
    if example is not None:
        (file.parent / "acme").mkdir()
        (file.parent / "acme" / "paid.json").write_text(json.dumps(example))
    return str(file)


def test_a_draft_is_right_and_translates_its_payload(here: Terminal, tmp_path: Path, payload: str) -> None:
    made = here.document("adapters", "new", "acme", "--from", payload)
    assert made == {
        "file": str(tmp_path / "adapters" / "acme.yaml"),
        "example": str(tmp_path / "adapters" / "acme" / "first.json"),
    }
    assert here.document("adapters", "check")["files"] == [{"file": made["file"], "faults": []}]
    (told,) = here.document("translate", made["file"], payload)["source_events"]
    (event,) = told["events"]
    assert (told["type"], event["eventType"], event["subscriber"], event["data"], event["keys"]) == (
        "order.paid",
        "SUBSCRIBER_PAYMENT",
        "ana@example.com",
        {"amount": 49.9, "product": "Pro", "currency": "EUR"},
        ["order:17"],
    )


@pytest.mark.parametrize(
    "body",
    [
        "[]",
        "{}",
        "7",
        '[{"type": "a"}]',
        '{"events": [{"x y": {"a\\"b": 1.50}}]}',
        '{"email": "ana@example.com", "amount": 5}',
    ],
)
def test_a_draft_of_anything_is_right(here: Terminal, body: str) -> None:
    here.run("adapters", "new", "acme", "--from", "-", stdin=body)
    assert here.run("adapters", "check").stdout.endswith("acme.yaml: right\n")


def test_a_draft_overwrites_nothing(here: Terminal, tmp_path: Path, payload: str) -> None:
    (tmp_path / "adapters" / "acme").mkdir(parents=True)
    (tmp_path / "adapters" / "acme" / "first.json").write_text("mine")
    said = here.run("adapters", "new", "acme", "--from", payload, status=2).stderr
    assert said.endswith("first.json is there already; it is not overwritten\n")
    assert (tmp_path / "adapters" / "acme" / "first.json").read_text() == "mine"


@pytest.mark.parametrize(
    ("words", "stdin", "said"),
    [
        (["stripe", "--from", "-"], "{}", "there is an adapter stripe already"),
        (["A B", "--from", "-"], "{}", "A B: a name is of a-z"),
        (["acme", "--from", "-"], "a=b", "-: the body is not JSON"),
        (["acme", "--from", "/no/such"], "", "/no/such: can't be read"),
    ],
)
def test_what_no_draft_can_be_made_of_is_told(here: Terminal, words: list[str], stdin: str, said: str) -> None:
    assert here.run("adapters", "new", *words, status=2, stdin=stdin).stderr.startswith(said)


def test_every_fault_of_a_file_is_told(here: Terminal, tmp_path: Path) -> None:
    file = written(tmp_path, with_("hmac", "hmca").replace("docs", "doc"))
    lines = here.run("adapters", "check", file, status=1).stdout.splitlines()
    assert [line.removeprefix(file).split(": ")[:2] for line in lines] == [
        [":1", "docs"],
        [":2", "doc"],
        [":3", "verify.scheme"],
    ]


def test_a_name_that_is_taken_is_told(here: Terminal, tmp_path: Path) -> None:
    file = written(tmp_path, with_("adapter: acme", "adapter: stripe"))
    (tmp_path / "adapters" / "other.yaml").write_text(RIGHT)
    (tmp_path / "adapters" / "third.yaml").write_text(RIGHT)
    told = here.document("adapters", "check", status=1)["files"]
    assert [[fault.partition(": ")[2] for fault in one["faults"]] for one in told] == [
        ["the name stripe is taken by an adapter that is shipped"],
        [f"the name acme is taken by {tmp_path / 'adapters' / 'third.yaml'}"],
        [f"the name acme is taken by {tmp_path / 'adapters' / 'other.yaml'}"],
    ]
    assert file == told[0]["file"]


def test_a_gateway_with_a_wrong_adapter_does_not_start(terminal: Terminal, tmp_path: Path) -> None:
    file = written(tmp_path, with_("hmac", "none"))
    said = terminal.run("web", status=2).stderr
    assert said.startswith(f"{file}:3: verify.scheme: is no scheme; allowed: basic, bearer")


EXAMPLE = {
    "why": "a paid order",
    "body": {
        "id": "e1",
        "type": "order.paid",
        "email": "ana@example.com",
        "order": 7,
        "total": "1.50",
        "product": "Pro",
    },
    "expect": [
        {
            "eventType": "SUBSCRIBER_PAYMENT",
            "subscriber": "ana@example.com",
            "data": {"amount": 1.5, "currency": "EUR", "product": "Pro"},
            "keys": ["order:7"],
        }
    ],
}


def test_examples_that_hold(here: Terminal, tmp_path: Path) -> None:
    file = written(tmp_path, RIGHT, EXAMPLE)
    assert here.run("adapters", "test", file).stdout == (
        "ok     paid: a paid order\nwithout an example: order.seen\n1 example, none at fault\n"
    )
    assert here.document("adapters", "test", "acme")["examples"][0]["faults"] == []


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"expect": []}, "expect: one more event was made"),
        ({"expect": EXAMPLE["expect"] * 2}, "expect: not made: "),  # type: ignore[operator]  # a list
        ({"body": {"type": "order.paid", "total": 1}}, "quarantine: sale: none of its keys is told, expected nothing"),
        ({"ignored": "for fun"}, "ignored: nothing, expected for fun"),
        ({"account": "acme"}, "account: order.paid carries None, expected acme"),
        ({"test": True}, "test: order.paid carries False, expected True"),
        ({"quarantine": "never"}, "quarantine: nothing, expected never"),
        ({"teaches": {"a:1": {"b": 2}}}, "teaches: {}, expected"),
        ({"links": [["a:1", "b:2"]]}, "links: [], expected"),
        ({"after": ["earlier"]}, "after: there is no case earlier"),
    ],
)
def test_examples_that_do_not_hold(here: Terminal, tmp_path: Path, change: dict[str, Any], fault: str) -> None:
    file = written(tmp_path, RIGHT, EXAMPLE | change)
    (ran,) = here.document("adapters", "test", file, status=1)["examples"]
    assert any(told.startswith(fault) for told in ran["faults"]), ran


def test_an_adapter_without_examples_has_not_been_tested(here: Terminal, tmp_path: Path) -> None:
    assert here.run("adapters", "test", written(tmp_path, RIGHT), status=1).stdout.endswith("no example yet\n")


def test_the_examples_of_a_python_adapter_are_run_too(here: Terminal) -> None:
    assert here.run("adapters", "test", "postmark").stdout.endswith(" examples, none at fault\n")


def test_each_step_is_shown(here: Terminal, tmp_path: Path, payload: str) -> None:
    file = written(tmp_path, RIGHT, EXAMPLE)
    shown = here.lines("translate", file, str(tmp_path / "adapters" / "acme" / "paid.json"))
    assert shown[0] == "order.paid: translated"
    assert [line.split()[0] for line in shown[1:9]] == [
        "proven",
        "split",
        "matched",
        "rule",
        "sale.order",
        "subscriber",
        "currency",
        "product",
    ]
    assert '  paid                  "1.50"  <- total' in shown


def test_the_schema_knows_every_key(here: Terminal) -> None:
    schema = here.document("adapters", "schema")
    assert sorted(schema["required"]) == ["adapter", "docs", "events", "source_event", "verify"]
    assert "on" in schema["properties"]["events"]["items"]["properties"]
