"""Takes the README's picture of the overview: a sandbox under some minutes of traffic, in a real browser.

python -m tests.desk.browser.picture [MINUTES]
"""

import math
import os
import random
import sys
import tempfile
import time
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.cli.tryout import ROOT, Started, tryout
from tests.desk.browser.conftest import Reader, chromium, happen
from tests.desk.browser.traffic import Traffic

PICTURE = ROOT / "docs" / "images" / "overview.png"
USUAL_MINUTES = 12

CASES = (
    ("stripe", "session_paid"),
    ("stripe", "invoice_paid[invoice.paid]"),
    ("stripe", "charge_succeeded"),
    ("sendgrid", "bounced"),
    ("sendgrid", "complained"),
    ("sendgrid", "unsubscribed"),
    ("sendgrid", "dropped_bounced_address"),
    ("sendgrid", "opened"),
    ("sendgrid", "delivered"),
)


def come(traffic: Traffic, minutes: float) -> None:
    """Webhooks as on a day when not all is well."""
    happen(traffic)
    chance = random.Random(7)
    begun = time.monotonic()
    while (passed := (time.monotonic() - begun) / 60) < minutes:
        if chance.random() < 0.01:
            traffic.fails_next("409")
        if chance.random() < 0.01:
            traffic.unsigned(chance.choice(["/webhooks/stripe", "/webhooks/sendgird"]))
        if chance.random() < 0.005:
            traffic.post("stripe", "unknown_type")
        traffic.post(*chance.choice(CASES))
        time.sleep(1.6 + math.sin(passed * 1.3) + chance.random() / 2)
    for number in range(60):
        traffic.post("sendgrid", "unsubscribed")
        if number % 3 == 0:
            traffic.post("stripe", "session_paid")
        if number % 2 == 0:
            traffic.post("sendgrid", "dropped_bounced_address")


def take(started: Started, into: Path) -> None:
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox"] if os.getuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=chromium(), args=arguments)
        page = browser.new_context(viewport={"width": 1180, "height": 740}).new_page()
        reader = Reader(page, f"http://127.0.0.1:{started.port}")
        reader.sign_in("admin", started.password)
        page.wait_for_selector("[data-drawn]")
        page.wait_for_timeout(1000)  # until the charts stand
        page.screenshot(path=into, full_page=True)
        browser.close()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder, tryout(Path(folder)) as running:
        come(Traffic(running), float(sys.argv[1]) if len(sys.argv) > 1 else USUAL_MINUTES)
        take(running, PICTURE)
