"""The overview in a browser: what is wrong is seen at once, and everything renews itself."""

import re

from playwright.sync_api import expect

from tests.desk.browser.conftest import Reader, opened, refused
from tests.desk.browser.traffic import Traffic


def test_what_needs_a_person_comes_first(reader: Reader, traffic: Traffic) -> None:
    opened(reader, refused(traffic), "failed")
    needs = reader.go("/").get_by_role("region", name="Needs a person")
    expect(needs).to_contain_text(re.compile(r"\d+ events? to main failed"))
    expect(needs).to_contain_text(re.compile(r"\d+ webhooks? of stripe not understood"))
    expect(needs).to_contain_text(re.compile(r"\d+ requests? to stripe rejected since its last proven webhook"))
    expect(needs).to_contain_text("/webhooks/strip, which is no source was stripe meant?")


def test_a_webhook_that_comes_in_is_seen_without_reloading(reader: Reader, traffic: Traffic) -> None:
    page = reader.go("/")
    expect(page.locator("[data-drawn]")).to_be_visible()
    total = page.get_by_role("row", name=re.compile("^sendgrid")).get_by_role("cell").nth(2)
    before = int(total.inner_text())
    traffic.post("sendgrid", "complained")
    expect(total).to_have_text(str(before + 1))


def test_charts_tell_their_totals_in_words_too(reader: Reader) -> None:
    page = reader.go("/?span=24h")
    expect(page.get_by_role("img", name=re.compile(r"Webhooks in: \d+ webhooks\d+ rejected"))).to_be_visible()
    page.get_by_role("link", name="7d").click()
    expect(page).to_have_url(re.compile(r"/\?span=7d$"))
    expect(page.get_by_role("img", name=re.compile(r"Events out: \d+ main"))).to_be_visible()
