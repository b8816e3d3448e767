"""What tests of the ledger may be told on the command line."""

import pytest


@pytest.fixture
def limiters(request: pytest.FixtureRequest) -> int:
    """How many courses of another client each limiter is tried with."""
    count: int = request.config.getoption("--limiters")
    return count
