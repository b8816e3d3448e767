"""docs/guarantees.md names tests and mutants that there are, and each test is one that its mutant is tried with."""

import ast

from tests.cli.tryout import ROOT
from tests.docs.test_provider_pages import table_under, words_in
from tests.mutants.mutant import read_all

MUTANTS = {one.id: one for one in read_all()}
ROWS = table_under("| Promise | Test |", (ROOT / "docs" / "guarantees.md").read_text())


def files_with(test: str) -> list[str]:
    """In which files a test of this name stands."""
    found = []
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        text = path.read_text()
        if f"def {test}(" in text and any(getattr(node, "name", "") == test for node in ast.parse(text).body):
            found.append(str(path.relative_to(ROOT)))
    return found


def test_each_promise_has_a_test_and_a_mutant_that_it_is_tried_with() -> None:
    assert len(ROWS) > 20
    for promise, tests, mutants in ROWS:
        homes = [files_with(test) for test in words_in(tests)]
        assert [len(files) for files in homes] == [1] * len(homes) != [], promise
        named = [MUTANTS.get(name) for name in words_in(mutants)]
        assert named, promise
        for one in named:
            assert one is not None, f"{promise}: {mutants}"
            assert one.equivalent is None, promise
            tried = {test.partition("::")[0] for test in one.tests}
            assert {file for [file] in homes} <= tried, f"{promise}: {one.id} is not tried with its test"
