"""Each listed mutant can be made, and the tests that are to notice it are there."""

import ast
from functools import cache

import pytest

from tests.mutants.mutant import ROOT, read_all

ALL = read_all()


PARTS = sorted({one.part for one in ALL})


@pytest.mark.parametrize("part", PARTS)
def test_each_changes_one_place_and_what_comes_of_it_is_code(part: str) -> None:
    for mutant in (one for one in ALL if one.part == part):
        text = (ROOT / mutant.file).read_text()
        assert mutant.applied(text) != text


def test_no_two_have_one_name() -> None:
    assert sorted(one.id for one in ALL) == sorted({one.id for one in ALL})


def test_the_tests_that_are_to_notice_it_are_there() -> None:
    named = {test for one in ALL for test in one.tests}
    assert [test for test in sorted(named) if not is_there(test)] == []


def is_there(test: str) -> bool:
    file, _, name = test.partition("::")
    return (ROOT / file).exists() and (not name or name.partition("[")[0] in functions(file))


@cache
def functions(file: str) -> frozenset[str]:
    tree = ast.parse((ROOT / file).read_text())
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.ClassDef))
