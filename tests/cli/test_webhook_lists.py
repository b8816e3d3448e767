"""`webhooks list` and `webhooks show`."""

import json
from typing import Any

import pytest
from sqlalchemy import update

from gateway.ledger.database import Ledger
from gateway.ledger.facts.submission import TranslatedItem
from gateway.ledger.schema import webhooks
from gateway.ledger.status import Outcome
from tests.cli.conftest import Terminal
from tests.making import complained, opened, payment, record, submission, told

NOT_UNDERSTOOD = TranslatedItem(Outcome.QUARANTINED, "hologram.made", reason="unknown type 'hologram.made'")


def came(ledger: Ledger, *translated_items: TranslatedItem, **given: Any) -> str:
    (recorded,) = record(ledger, submission(*translated_items, **given))
    return recorded.webhook


@pytest.mark.parametrize(
    ("narrowed", "found"),
    [
        ([], [0, 1, 2, 3]),
        (["--status", "quarantined"], [1, 2]),
        (["--status", "translated"], [0, 3]),
        (["--source", "sendgrid"], [3]),
        (["--destination", "other"], []),
        (["--type", "EMAIL_COMPLAINED"], [2]),
        (["--lane", "bulk"], [3]),
        (["--subscriber", "bo@example.com"], [3]),
        (["--type", "EMAIL_OPENED", "--subscriber", "ana@example.com"], []),
        (["--since", "2026-11-20T12:00:01Z"], []),
    ],
)
def test_each_filter_narrows(terminal: Terminal, ledger: Ledger, narrowed: list[str], found: list[int]) -> None:
    made = [
        came(ledger, told(payment("p:1"))),
        came(ledger, NOT_UNDERSTOOD),
        came(ledger, told(complained("m:1")), NOT_UNDERSTOOD),
        came(ledger, told(opened("m:2", subscriber="bo@example.com")), source="sendgrid"),
    ]
    listed = terminal.document("webhooks", "list", *narrowed)
    assert sorted(made.index(one["id"]) for one in listed["webhooks"]) == found


def test_a_list_leaves_out_headers_and_bodies(terminal: Terminal, ledger: Ledger) -> None:
    came(ledger, told(payment("p:1")), body=b'{"a": 1}')
    (listed,) = terminal.document("webhooks", "list")["webhooks"]
    assert set(listed) == {column.name for column in webhooks.columns} - {"headers", "body"}


def test_people_see_why_one_is_in_quarantine(terminal: Terminal, ledger: Ledger) -> None:
    identity = came(ledger, NOT_UNDERSTOOD, NOT_UNDERSTOOD)
    line = terminal.lines("webhooks", "list")[2]
    assert line.startswith(identity)
    assert line.endswith("stripe  quarantined       0  unknown type 'hologram.made'")


def test_one_webhook_is_shown_with_what_it_became(terminal: Terminal, ledger: Ledger) -> None:
    body = {"id": "evt_1", "client_secret": "pi_secret", "items": [{"access_token": "t", "amount": 1}]}
    identity = came(
        ledger,
        told(payment("p:1")),
        NOT_UNDERSTOOD,
        body=json.dumps(body).encode(),
        headers={"stripe-signature": "sha256:00ff"},
    )
    shown = terminal.document("webhooks", "show", identity)
    assert shown["body"] == {"id": "evt_1", "client_secret": "…", "items": [{"access_token": "…", "amount": 1}]}
    assert shown["headers"] == {"stripe-signature": "sha256:00ff"}
    assert [(one["type"], one["webhook"]) for one in shown["events"]] == [("SUBSCRIBER_PAYMENT", identity)]
    text = terminal.run("webhooks", "show", identity).stdout
    assert "  quarantined: hologram.made: unknown type 'hologram.made'\n" in text
    assert '    "client_secret": "…"' in text
    assert "pi_secret" not in text


@pytest.mark.parametrize(
    ("body", "document", "text"),
    [
        (b"name=Ana", {"body": "name=Ana"}, "  name=Ana"),
        (b"\xff\xfe", {"body": None, "body_base64": "//4="}, "  2 bytes that are no text"),
        (None, {"body": None}, "  not kept any more"),
    ],
)
def test_a_body_of_any_kind_is_shown(
    terminal: Terminal, ledger: Ledger, body: bytes | None, document: dict[str, Any], text: str
) -> None:
    identity = came(ledger, told(payment("p:1")))
    with ledger.write() as connection:
        connection.execute(update(webhooks).values(body=body))
    shown = terminal.document("webhooks", "show", identity)
    assert {name: shown[name] for name in shown if name.startswith("body")} == document
    assert terminal.lines("webhooks", "show", identity)[-1] == text


def test_an_unknown_webhook_is_a_wrong_command(terminal: Terminal) -> None:
    result = terminal.run("webhooks", "show", "wh_nothing", status=2)
    assert result.stderr == "no webhook wh_nothing: `lumail-gateway webhooks list` shows those that are kept\n"
