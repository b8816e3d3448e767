"""The workbench in a browser: a sample is filled in, tried, and told step by step."""

import re

from playwright.sync_api import expect

from tests.desk.browser.conftest import Reader

HOSTILE = "<script>document.title='broken'</script>"


def test_a_sample_is_tried_step_by_step(reader: Reader) -> None:
    page = reader.go("/adapters")
    page.get_by_role("link", name="Stripe", exact=True).click()
    page.get_by_label("A sample to begin with").select_option(value="session_paid")
    body = page.get_by_label("Body, as the provider posts it")
    expect(body).to_have_value(re.compile("checkout.session.completed"))
    page.get_by_role("button", name="Try").click()
    result = page.locator("#result")
    expect(result).to_contain_text("translated")
    expect(result).to_contain_text('"eventType": "SUBSCRIBER_PAYMENT"')
    assert reader.violations() == []


def test_what_is_not_understood_is_told_as_text(reader: Reader) -> None:
    page = reader.go("/adapters/stripe")
    page.get_by_label("Body, as the provider posts it").fill(f'{{"id": "evt_1", "type": "{HOSTILE}"}}')
    page.get_by_role("button", name="Try").click()
    expect(page.locator("#result")).to_contain_text("quarantined")
    expect(page).to_have_title(re.compile("Stripe"))
