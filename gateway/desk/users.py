"""The pages on which admins say who may use the desk, and everybody changes the own password."""

from flask import Blueprint, abort, flash, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue

from gateway.desk import passwords
from gateway.desk.access import Role, allowed, signed_in
from gateway.desk.parts import parts
from gateway.errors import CommandError
from gateway.ledger.accounts import login_limit, users
from gateway.ledger.accounts.login_limit import Try
from gateway.ledger.accounts.users import User

pages = Blueprint("users", __name__)


@pages.get("/people")
@allowed(Role.ADMIN)
def page() -> ResponseReturnValue:
    return _page()


@pages.post("/people")
@allowed(Role.ADMIN)
def add() -> ResponseReturnValue:
    name, password = request.form.get("name", "").strip(), passwords.generated()
    try:
        users.add(parts().ledger, name, _role(), passwords.hashed(password), signed_in().name)
    except CommandError as error:
        return _page(fault=str(error)), 409
    return _page(given=(name, password))


@pages.post("/people/<identity>/role")
@allowed(Role.ADMIN)
def change_role(identity: str) -> ResponseReturnValue:
    person, role = _person(identity), _role()
    users.change_role(parts().ledger, person.name, role, signed_in().name)
    flash(f"{person.name} is {role} now, and has to sign in again.", "done")
    return redirect(url_for("users.page"), 303)


@pages.post("/people/<identity>/password")
@allowed(Role.ADMIN)
def change_password(identity: str) -> ResponseReturnValue:
    """The new password is shown once, on the page that answers, and is kept nowhere."""
    person, password = _person(identity), passwords.generated()
    users.change_password(parts().ledger, person.name, passwords.hashed(password), signed_in().name)
    return _page(given=(person.name, password))


@pages.post("/people/<identity>/remove")
@allowed(Role.ADMIN)
def remove(identity: str) -> ResponseReturnValue:
    person = _person(identity)
    users.remove(parts().ledger, person.name, signed_in().name)
    flash(f"{person.name} may sign in no more.", "done")
    return redirect(url_for("users.page"), 303)


@pages.get("/password")
@allowed(Role.VIEWER)
def own() -> ResponseReturnValue:
    return render_template("desk/users/password.html", fault=None, shortest=passwords.SHORTEST)


@pages.post("/password")
@allowed(Role.VIEWER)
def change_own() -> ResponseReturnValue:
    """It ends all sessions of the person, this one too."""
    ledger, name = parts().ledger, signed_in().name
    wait = login_limit.begin(ledger, Try(name, request.remote_addr or ""))
    with ledger.read() as connection:
        person = users.by_name(connection, name)
    if wait is not None or person is None:
        return _refused("Too many tries. Try again in a few minutes.", 429)
    if not passwords.fits(person.password_hash, request.form.get("password", "")):
        return _refused("That is not your present password.", 401)
    new = request.form.get("new", "")
    if new != request.form.get("again"):
        return _refused("The new password was typed in two ways.", 409)
    try:
        users.change_password(ledger, name, passwords.hashed(new), name)
    except CommandError as error:
        return _refused(str(error), 409)
    session.clear()
    flash("Your password is changed. Sign in with it.", "done")
    return redirect(url_for("access.sign_in"), 303)


def _refused(fault: str, status: int) -> ResponseReturnValue:
    return render_template("desk/users/password.html", fault=fault, shortest=passwords.SHORTEST), status


def _page(fault: str | None = None, given: tuple[str, str] | None = None) -> str:
    """`given` is whose new password is shown, and the password."""
    with parts().ledger.read() as connection:
        found = users.everybody(connection)
    return render_template("desk/users/page.html", users=found, roles=list(Role), fault=fault, given=given)


def _person(identity: str) -> User:
    with parts().ledger.read() as connection:
        person = users.by_id(connection, identity)
    if person is None:
        abort(404)
    return person


def _role() -> Role:
    asked = request.form.get("role", "")
    if asked not in list(Role):
        abort(400, "There is no such role.")
    return Role(asked)
