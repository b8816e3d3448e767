"""What holds of every page that the navigation leads to, and of those they link to: readable by all, on any screen."""

from playwright.sync_api import expect

from tests.desk.browser.conftest import Reader


def pages(reader: Reader) -> list[str]:
    """Where the navigation leads to."""
    links = reader.go("/").get_by_role("navigation", name="Areas").get_by_role("link").all()
    return [link.get_attribute("href") or "" for link in links]


def test_every_area_is_accessible_and_obeys_its_policy(reader: Reader) -> None:
    found = {}
    for path in [*pages(reader), "/?span=7d"]:
        reader.go(path)
        found[path] = (reader.violations(), reader.faults)
    assert found == dict.fromkeys(found, ([], []))


def test_every_area_is_accessible_in_the_dark_and_as_wide_as_a_telephone(dark_phone: Reader) -> None:
    found = {}
    for path in pages(dark_phone):
        dark_phone.go(path)
        found[path] = (dark_phone.violations(), dark_phone.too_wide())
    assert found == dict.fromkeys(found, ([], False))


def test_keys_are_told_by_a_question_mark_and_lead_through_rows(reader: Reader) -> None:
    page = reader.go("/")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_contain_text("next, previous row")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    rows = page.locator("[data-row]")
    page.keyboard.press("j")
    expect(rows.nth(0)).to_have_class("current")
    page.keyboard.press("j")
    expect(rows.nth(1)).to_have_class("current")
    page.keyboard.press("k")
    expect(rows.nth(0)).to_have_class("current")
