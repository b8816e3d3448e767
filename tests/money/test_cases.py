"""Each case in each order that it is good for, through the real recording and delivery."""

from pathlib import Path

import pytest

from tests.money import cases
from tests.money.trial import Opens

CASES = {
    file.stem: cases.read(file.stem, file.read_text())
    for file in sorted((Path(__file__).parent / "cases").glob("*.json"))
}


@pytest.mark.parametrize(
    ("name", "order"),
    [(name, order) for name, case in CASES.items() for order in (case.orders or cases.ORDERS)],
)
def test_a_case_comes_to_what_is_right(name: str, order: str, open_office: Opens) -> None:
    case = CASES[name]
    with open_office() as office:
        office.open("case", case.provider, common={"settle_seconds": 0}, **case.options)
        cases.play(office, case, order)
        quarantined = [one for one in office.unsettled() if one[0] == "quarantined"]
        assert cases.is_right(case, cases.came_of(office)), (cases.came_of(office), case.expected)
        assert len(quarantined) <= case.quarantined
