"""Stories of an operator who puts something right in a browser, and is told there whether it helped."""

import re

from playwright.sync_api import expect

from tests.desk.browser.conftest import Reader, opened, refused
from tests.desk.browser.traffic import Traffic


def test_a_refused_event_is_sent_again_and_the_page_says_that_it_helped(reader: Reader, traffic: Traffic) -> None:
    page = opened(reader, refused(traffic), "failed")
    page.keyboard.press("r")
    expect(page.locator("#actions")).to_contain_text("It helped: Lumail has recorded it")
    expect(page.get_by_role("heading", level=1)).to_have_text("EMAIL_COMPLAINED delivered")
    expect(page).to_have_title(re.compile("EMAIL_COMPLAINED delivered"))
    assert reader.violations() == []


def test_an_event_is_edited_and_sent_and_the_original_is_kept(reader: Reader, traffic: Traffic) -> None:
    page = opened(reader, refused(traffic), "failed")
    page.get_by_role("button", name="Edit and send").click()
    page.get_by_label("Subscriber").fill("nobody")
    page.get_by_role("button", name="Send as edited").click()
    expect(page.get_by_text("not an e-mail address")).to_be_visible()
    assert reader.violations() == []
    page.get_by_label("Subscriber").fill("bo@example.com")
    page.get_by_role("button", name="Send as edited").click()
    expect(page.locator("#actions")).to_contain_text("It helped")
    page.get_by_text("Edited 1 time").click()
    expect(page.get_by_label("Before edit 1")).to_contain_text("ana@example.com")
    reader.faults[:] = [fault for fault in reader.faults if "422" not in fault]  # the browser tells of the refusal, too


def test_many_are_sent_again_after_a_look_at_what_would_come_of_it(reader: Reader, traffic: Traffic) -> None:
    opened(reader, refused(traffic), "failed")
    page = reader.go("/events?status=failed")
    page.get_by_role("button", name="Replay these").click()
    expect(page.get_by_text("Through in about")).to_be_visible()
    assert reader.violations() == []
    page.get_by_role("button", name="Send again").click()
    page.wait_for_url(re.compile("/replays/jb_"))
    expect(page.get_by_role("heading", level=1)).to_contain_text("done")
    expect(page.get_by_text("It helped")).to_be_visible()
    assert reader.violations() == []


def test_a_webhook_is_translated_again_after_a_look_at_what_would_come_of_it(
    dark_phone: Reader, traffic: Traffic
) -> None:
    webhook = traffic.post("stripe", "unknown_type")["webhook"]
    page = dark_phone.go(f"/received/{webhook}")
    page.get_by_role("button", name="Translate again").click()
    expect(page.get_by_text("still not understood").first).to_be_visible()
    assert (dark_phone.violations(), dark_phone.too_wide()) == ([], False)
    page.get_by_role("button", name="Translate again").click()
    expect(page.get_by_text("Translated again: 0 new events, 1 still not understood.")).to_be_visible()


def test_a_lane_rests_and_goes_on(reader: Reader) -> None:
    page = reader.go("/destinations/main")
    page.on("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Pause bulk").click()
    expect(page.get_by_text("main: lane bulk is paused.")).to_be_visible()
    assert reader.violations() == []
    page.get_by_role("button", name="Resume bulk").click()
    expect(page.get_by_text("main: lane bulk goes on.")).to_be_visible()
