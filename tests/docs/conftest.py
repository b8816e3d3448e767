"""A gateway that the documents' commands are tried on."""

from collections.abc import Iterator

import pytest

from tests.cli.tryout import Started, tryout


@pytest.fixture(scope="session")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Started]:
    with tryout(tmp_path_factory.mktemp("documents")) as started:
        yield started
