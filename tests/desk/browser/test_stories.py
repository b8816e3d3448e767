"""What an operator does with lists and stories, in a real browser."""

import re

from playwright.sync_api import Page, expect

from tests.desk.browser.conftest import Reader, opened, refused
from tests.desk.browser.traffic import Traffic


def rows(page: Page) -> list[str]:
    return [row.inner_text() for row in page.locator("[data-row]").all()]


def test_from_the_overview_a_wrong_secret_is_found_in_two_clicks(reader: Reader, traffic: Traffic) -> None:
    traffic.unsigned("/webhooks/stripe")
    page = reader.go("/")
    page.get_by_role("link", name="stripe", exact=True).first.click()
    expect(page.get_by_role("heading", name="Source stripe")).to_be_visible()
    expect(page.get_by_role("heading", name="Turned away")).to_be_visible()
    expect(page.get_by_text(re.compile("switch signing on there|Copy the signing secret")).first).to_be_visible()
    assert reader.violations() == []


def test_a_failed_event_is_found_by_filters_and_tells_why(reader: Reader, traffic: Traffic) -> None:
    opened(reader, refused(traffic), "failed")
    page = reader.go("/events")
    page.get_by_label("Status").select_option("failed")
    page.wait_for_url("**/events?*status=failed*")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text("failed")
    expect(page.get_by_text("409").first).to_be_visible()
    expect(page.get_by_role("heading", name="Requests to Lumail")).to_be_visible()
    assert reader.violations() == []


def test_a_person_is_searched_by_keyboard_and_their_timeline_fetched(reader: Reader) -> None:
    page = reader.go("/events?type=SUBSCRIBER_PAYMENT&status=delivered")
    page.keyboard.press("/")
    page.keyboard.type("ana@example.com")
    page.keyboard.press("Enter")
    page.wait_for_url("**q=ana%40example.com**")
    page.locator("[data-row] a").first.click()
    page.get_by_role("button", name="Explain").click()
    expect(page.get_by_text("What the adapter stripe makes of it today.")).to_be_visible()
    page.get_by_role("button", name="Show the timeline").click()
    expect(page.get_by_role("cell", name="this event")).to_be_visible()
    assert reader.violations() == []


def test_the_list_says_what_is_new_without_being_reloaded(reader: Reader, traffic: Traffic) -> None:
    page = reader.go("/events")
    before = len(rows(page))
    traffic.post("sendgrid", "complained")
    link = page.get_by_role("link", name=re.compile(r"[0-9]+ new"))
    expect(link).to_be_visible()
    link.click()
    expect(page.locator("[data-row]")).to_have_count(before + 1)


def test_a_webhook_in_quarantine_is_found_and_explained(reader: Reader) -> None:
    page = reader.go("/received?status=quarantined")
    page.locator("[data-row] a").first.click()
    expect(page.get_by_role("heading", name="What became of it")).to_be_visible()
    page.get_by_role("button", name="Explain").click()
    expect(page.locator("#explained")).to_contain_text("quarantined")
    assert reader.violations() == []


def test_stories_fit_a_telephone_at_night(dark_phone: Reader) -> None:
    found = {}
    for start in ("/events", "/received"):
        page = dark_phone.go(start)
        page.locator("[data-row] a").first.click()
        page.wait_for_load_state()
        found[start] = (dark_phone.violations(), dark_phone.too_wide())
    for path in ("/sources/stripe", "/destinations/main", "/received?status=rejected", "/events?incident=yes"):
        dark_phone.go(path)
        found[path] = (dark_phone.violations(), dark_phone.too_wide())
    assert found == dict.fromkeys(found, ([], False))


def test_script_from_outside_runs_nowhere(reader: Reader, traffic: Traffic) -> None:
    script = "<script>document.title='taken'</script><img src=x onerror=\"document.title='taken'\">"
    receipt = traffic.post("stripe", "session_paid", {"Course": script, "Pro plan, yearly": script})
    for path in ("/events", f"/events/{receipt['events'][0]}", f"/received/{receipt['webhook']}"):
        page = reader.go(path)
        assert page.title() != "taken"
