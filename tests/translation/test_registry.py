"""Adapters are found, and one that can't be used is named."""

from dataclasses import replace
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from gateway.errors import AdapterError
from gateway.translation import registry
from gateway.translation.adapter import ignored
from tests.translation.test_adapter import ADAPTER


def test_every_module_of_adapters_and_every_file_is_found() -> None:
    root = Path(__file__).parents[2]
    modules = {
        path.stem for path in (root / "adapters").iterdir() if path.suffix in ("", ".py") and path.name[0] != "_"
    }
    files = {path.stem for path in (root / "config" / "adapters").glob("*.yaml")}
    assert set(registry.adapters()) == modules | files


def test_adapters_are_found_by_name_in_order() -> None:
    found = registry.collect([("b", replace(ADAPTER, name="b")), ("a", replace(ADAPTER, name="a"))])
    assert list(found) == ["a", "b"]


@pytest.mark.parametrize(
    ("second", "words"),
    [
        (None, "adapters.other exports no `adapter`"),
        (ADAPTER, "adapters.other: the name toy is taken by adapters.toy"),
        (replace(ADAPTER, name="Toy!"), "the name 'Toy!' may hold"),
        (replace(ADAPTER, name="b", ignored={"ping": ""}), "ping is ignored without a reason"),
        (
            replace(ADAPTER, name="b", handlers={"account.paid": lambda event, context: ignored("")}),
            r"account.paid has a handler and is ignored as account.\*",
        ),
    ],
)
def test_an_adapter_that_cant_be_used_is_named(second: object, words: str) -> None:
    with pytest.raises(AdapterError, match=words):
        registry.collect([("adapters.toy", ADAPTER), ("adapters.other", second)])


def test_other_packages_offer_adapters_as_entry_points() -> None:
    point = EntryPoint("toy", "tests.translation.test_adapter:ADAPTER", registry.ENTRY_POINTS)
    assert list(registry.offered([point])) == [("entry point toy (tests.translation.test_adapter:ADAPTER)", ADAPTER)]


def test_an_entry_point_that_leads_nowhere_is_named() -> None:
    point = EntryPoint("toy", "tests.translation.nowhere:adapter", registry.ENTRY_POINTS)
    with pytest.raises(AdapterError, match=r"entry point toy .* can't be used"):
        list(registry.offered([point]))


def test_a_module_that_fails_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "some_adapters"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "_part.py").write_text("1 / 0")
    (package / "broken.py").write_text("1 / 0")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(AdapterError, match=r"some_adapters\.broken can't be used: division by zero"):
        list(registry.in_package("some_adapters"))


def test_an_adapter_without_samples_has_none() -> None:
    assert dict(registry.samples("nobody")) == {}
    with pytest.raises(AdapterError, match="exactly one case"):
        registry.default_sample("nobody")
