"""The blocks of docs/extend/provider.md, run as they stand, are a working adapter, twice."""

import importlib.util
import re
import shlex
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from gateway.translation import registry, trial
from gateway.translation.adapter import Adapter
from gateway.translation.declarative.adapter import adapter_of
from gateway.translation.sample import Sample, read
from tests.adapters.cases import NOW, Remembered, keys_of, tell
from tests.cli.conftest import Terminal

PAGE = (Path(__file__).parents[2] / "docs" / "extend" / "provider.md").read_text()


def blocks(language: str) -> list[str]:
    found = re.findall(rf"^( *)```{language}\n(.*?)^ *```$", PAGE, flags=re.MULTILINE | re.DOTALL)
    return [textwrap.dedent(text) for _, text in found]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with the files of the page."""
    (tmp_path / "adapters" / "acme").mkdir(parents=True)
    (tmp_path / "adapters" / "acme.yaml").write_text(*blocks("yaml"))
    (tmp_path / "adapters" / "acme" / "bounced.json").write_text(*blocks("json"))
    (tmp_path / "acme.py").write_text("\n\n".join(blocks("python")))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def cases(folder: Path) -> Mapping[str, Sample]:
    return {one.case: one for one in read(folder / "adapters" / "acme" / "bounced.json")}


def in_python(folder: Path) -> Adapter:
    spec = importlib.util.spec_from_file_location("acme", folder / "acme.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return registry.collect([("acme", module.adapter)])["acme"]


def test_every_block_is_run() -> None:
    languages = re.findall(r"^ *```(\w+)$", PAGE, flags=re.MULTILINE)
    assert set(languages) == {"json", "yaml", "sh", "python"}
    assert (languages.count("json"), languages.count("yaml")) == (1, 1)


@pytest.mark.parametrize("way", ["python", "yaml"])
def test_both_ways_end_with_an_adapter_that_works(way: str, folder: Path, cases: Mapping[str, Sample]) -> None:
    adapter = in_python(folder) if way == "python" else adapter_of(folder / "adapters" / "acme.yaml")
    assert list(trial.faults(adapter, cases, "bounced", NOW)) == []
    assert list(trial.unseen(adapter, cases, NOW)) == ["account.*"]
    scheme: Any = adapter.scheme({})
    assert scheme.check_secret(keys_of(scheme).verifying) is None


def test_both_ways_say_the_same(folder: Path, cases: Mapping[str, Sample]) -> None:
    python, declared = in_python(folder), adapter_of(folder / "adapters" / "acme.yaml")
    assert tell(python, cases["bounced"], Remembered()) == tell(declared, cases["bounced"], Remembered())
    assert (python.scheme({}), set(python.handlers), python.ignored) == (
        declared.scheme({}),
        set(declared.handlers),
        declared.ignored,
    )


@pytest.mark.usefixtures("folder")
def test_the_commands_work() -> None:
    lines = [line for block in blocks("sh") for line in block.splitlines()]
    said = [Terminal({"GATEWAY_CONFIG": ""}).run(*shlex.split(line)[1:]).stdout.splitlines() for line in lines]
    assert [told[-1] if told[-1] else told[0] for told in said] == [
        "adapters/acme.yaml: right",
        "  lane urgent, told by event:evt_7Qd2",
        "1 example, none at fault",
    ]
