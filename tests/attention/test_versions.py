"""Processes of other versions: told of, and which of them are too old for the ledger."""

from datetime import timedelta
from typing import Any

import pytest

from gateway.attention.facts import Facts
from gateway.attention.machines import versions_differ
from gateway.ledger.heartbeats import Condition, Identity, Process
from tests.making import NOON


def process(version: str, schema: str) -> Process:
    identity = Identity(f"hb_{version}", "web", f"{version}.example.com", 17, version, schema)
    return Process(identity, NOON, NOON, Condition(timedelta(0), None, None), None)


@pytest.mark.parametrize(
    ("processes", "told"),
    [
        ([("1", "0001")], []),
        (
            [("1", "0002"), ("2", "0003")],
            ["1 (schema 0002): 1 process on 1.example.com; 2 (schema 0003): 1 process on 2.example.com"],
        ),
        ([("1", "0001")], ["1 (schema 0001): 1 process on 1.example.com, too old for the ledger: takes nothing"]),
    ],
)
def test_versions_are_told_apart(processes: Any, told: list[str]) -> None:
    oldest = "0002" if any("too old" in one for one in told) else ""
    facts = Facts(Any, processes=tuple(process(*one) for one in processes), oldest_schema=oldest)  # type: ignore[arg-type]  # nobody asks
    assert [found.cause for found in versions_differ(facts)] == told
