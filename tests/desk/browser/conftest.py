"""A real browser in front of a whole gateway: one sandbox and one Chromium for each process that runs tests."""

import os
import shutil
from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

from tests.cli.tryout import Started, tryout
from tests.desk.browser.traffic import Traffic

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

MISSING = (
    "no Chromium on the PATH, which the desk's tests need. Install one: Debian `apt-get install chromium`; "
    "Ubuntu `snap install chromium`; Fedora `dnf install chromium`; macOS `brew install --cask chromium`; "
    "or put Google Chrome's command `google-chrome` on the PATH"
)

WAIT = 20_000
"""Milliseconds for what a page does by itself, and the gateway before it."""

expect.set_options(timeout=WAIT)


def chromium() -> str:
    """The browser of this machine, which is not downloaded by Playwright."""
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    assert found is not None, MISSING
    return found


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Started]:
    """A sandbox in which something has happened, good and bad."""
    with tryout(tmp_path_factory.mktemp("desk")) as started:
        happen(Traffic(started))
        yield started


def happen(traffic: Traffic) -> None:
    traffic.fails_next("409")
    for source, case in (
        ("sendgrid", "bounced"),  # fails
        ("sendgrid", "complained"),
        ("sendgrid", "batch"),
        ("stripe", "session_paid"),
        ("stripe", "unknown_type"),
    ):
        traffic.post(source, case)
    traffic.unsigned("/webhooks/stripe")
    traffic.unsigned("/webhooks/strip")


@pytest.fixture(scope="session")
def traffic(running: Started) -> Traffic:
    return Traffic(running)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox"] if os.getuid() == 0 else []
        with playwright.chromium.launch(executable_path=chromium(), args=arguments) as launched:
            yield launched


class Reader:
    """Somebody who reads the desk in a browser; faults of pages that the browser tells are kept."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url
        self.faults: list[str] = []
        page.set_default_timeout(WAIT)
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        page.on("console", self._listen)

    def _listen(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.faults.append(message.text)

    def go(self, path: str) -> Page:
        self.page.goto(self.url + path)
        return self.page

    def sign_in(self, name: str, password: str) -> None:
        self.go("/sign-in")
        self.page.get_by_label("Name").fill(name)
        self.page.get_by_label("Password").fill(password)
        self.page.get_by_role("button", name="Sign in").click()
        self.page.wait_for_url(f"{self.url}/")

    def violations(self) -> list[tuple[str, str]]:
        """What the accessibility check finds on this page: the rule and where."""
        found = Axe().run(self.page).response["violations"]
        return [(one["id"], node["html"][:200]) for one in found for node in one["nodes"]]

    def too_wide(self) -> bool:
        """Whether the page itself scrolls sideways."""
        return bool(self.page.evaluate("document.documentElement.scrollWidth > window.innerWidth"))


def refused(traffic: Traffic) -> str:
    """The path of an event that Lumail has refused just now."""
    traffic.fails_next("409")
    [event] = traffic.post("sendgrid", "complained")["events"]
    return f"/events/{event}"


def opened(reader: Reader, path: str, status: str) -> Page:
    """The page of an event, once it stands so."""
    page = reader.go(path)
    for _ in range(40):
        if page.get_by_role("heading", level=1).filter(has_text=status).count():
            return page
        page.wait_for_timeout(250)
        page.reload()
    raise AssertionError(page.content())


@pytest.fixture
def reader(browser: Browser, running: Started) -> Iterator[Reader]:
    """The sandbox's admin, signed in, on a wide and bright screen."""
    with browser.new_context(viewport={"width": 1280, "height": 900}) as context:
        made = Reader(context.new_page(), f"http://127.0.0.1:{running.port}")
        made.sign_in("admin", running.password)
        yield made
        assert made.faults == []


@pytest.fixture
def dark_phone(browser: Browser, running: Started) -> Iterator[Reader]:
    """The same person with a telephone at night."""
    with browser.new_context(viewport={"width": 390, "height": 844}, color_scheme="dark") as context:
        made = Reader(context.new_page(), f"http://127.0.0.1:{running.port}")
        made.sign_in("admin", running.password)
        yield made
        assert made.faults == []
