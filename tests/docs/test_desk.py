"""docs/desk.md says what is so."""

import re

from gateway.desk.navigation import ENTRIES
from gateway.ledger.accounts.login_limit import PER_NAME, PER_NAME_AND_ADDRESS
from gateway.ledger.accounts.users import Role
from tests.cli.tryout import ROOT
from tests.docs.test_provider_pages import table_under

PAGE = (ROOT / "docs" / "desk.md").read_text()


def test_every_area_stands_there_with_the_least_role_that_sees_it() -> None:
    told = {(path.strip("`"), role) for path, role, _ in table_under("| Page |", PAGE)}
    assert told - {("/password", "viewer")} == {(path, role.value) for path, _, role in ENTRIES}


def test_every_role_stands_there() -> None:
    assert [row[0] for row in table_under("| Role |", PAGE)] == list(Role)


def test_the_keys_are_those_that_the_desk_tells() -> None:
    shown = (ROOT / "gateway" / "desk" / "templates" / "desk" / "page.html").read_text()
    rows = re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", shown)
    told = [[re.sub(r"</?kbd>", "`", keys), what] for keys, what in rows]
    assert table_under("| Key |", PAGE) == told


def test_the_limits_of_signing_in_are_those_of_the_code() -> None:
    text = " ".join(PAGE.split())
    assert f"After {PER_NAME_AND_ADDRESS.free} failures" in text
    assert (
        f"the same name from anywhere after {PER_NAME.free} failures, {PER_NAME.longest.seconds} seconds at most"
        in text
    )
