"""People in a browser: added by an admin, signed in with the password that was shown, narrowed to what they may."""

from playwright.sync_api import Browser, Dialog, expect

from tests.cli.tryout import Started
from tests.desk.browser.conftest import Reader


def test_somebody_who_is_added_signs_in_and_sees_what_the_role_allows(
    reader: Reader, browser: Browser, running: Started
) -> None:
    page = reader.go("/people")
    page.get_by_label("Name").fill("vera")
    page.locator("form.filters").get_by_label("Role").select_option("viewer")
    page.get_by_role("button", name="Add").click()
    password = page.locator("code.secret").inner_text()
    assert reader.violations() == []
    with browser.new_context() as context:
        vera = Reader(context.new_page(), reader.url)
        vera.sign_in("vera", password)
        areas = vera.page.get_by_role("navigation", name="Areas")
        expect(areas.get_by_role("link", name="Overview")).to_be_visible()
        expect(areas.get_by_role("link", name="People")).to_be_hidden()
        page.on("dialog", lambda dialog: dialog.accept())
        page.get_by_role("button", name="Remove vera").click()
        expect(page.get_by_text("vera may sign in no more.")).to_be_visible()
        vera.go("/")
        expect(vera.page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_a_question_is_asked_before_somebody_is_removed(reader: Reader) -> None:
    page = reader.go("/people")
    questions = []

    def refuse(dialog: Dialog) -> None:
        questions.append(dialog.message)
        dialog.dismiss()

    page.on("dialog", refuse)
    page.get_by_role("button", name="Remove admin").click()
    expect(page.get_by_role("rowheader", name="admin")).to_be_visible()
    assert questions == ["Remove admin? What this person did stays in the audit log."]


def test_everybody_changes_the_own_password(reader: Reader) -> None:
    page = reader.go("/")
    page.get_by_role("link", name="admin").click()
    expect(page.get_by_role("heading", name="Your password")).to_be_visible()
    assert reader.violations() == []
