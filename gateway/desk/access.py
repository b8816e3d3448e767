"""Who may do what: signing in and out, and the gate in front of every view of the desk."""

from collections.abc import Callable, Collection
from datetime import timedelta
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit

import structlog
from flask import Blueprint, Response, abort, current_app, g, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_wtf.csrf import CSRFProtect

from gateway.desk import passwords
from gateway.desk.parts import parts
from gateway.formats.wording import counted
from gateway.ledger.accounts import audit, login_limit, sessions, users
from gateway.ledger.accounts.audit import Deed
from gateway.ledger.accounts.login_limit import SIGN_INS, Try
from gateway.ledger.accounts.sessions import SignedIn
from gateway.ledger.accounts.users import Role, User

__all__ = ["Role", "SignedIn", "allowed", "gate", "pages", "signed_in"]

BY_ITSELF = "Desk-Live"
"""The header of what a page asks for by itself: it keeps no session alive."""

LARGEST_FORM = 2 * 1024 * 1024
LARGEST_SIGN_IN = 16 * 1024

Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])

pages = Blueprint("access", __name__)

_log = structlog.get_logger()


def allowed(role: Role | None) -> Callable[[Endpoint], Endpoint]:
    """Marks a view with the least role that may use it; None: also those who are not signed in."""

    def mark(endpoint: Endpoint) -> Endpoint:
        endpoint.allowed = role  # type: ignore[attr-defined]  # a function takes any attribute
        return endpoint

    return mark


def signed_in() -> SignedIn:
    """Who asks; to be called in views that are `allowed` to some role."""
    person: SignedIn = g.signed_in
    return person


def somebody() -> SignedIn | None:
    """Who asks, or None, for what strangers see too."""
    person: SignedIn | None = g.get("signed_in")
    return person


def gate(areas: Collection[str], csrf: CSRFProtect) -> Callable[[], ResponseReturnValue | None]:
    """What runs before every request: lets through what is not in these blueprints, and who may.

    A view that says of no role that it is allowed is refused to everybody.
    """

    def check() -> ResponseReturnValue | None:
        if request.blueprint not in areas or request.endpoint == "desk.static":
            return None
        if "\0" in unquote(request.full_path):
            abort(404)  # nothing is named so, and PostgreSQL can't be asked for it
        needed = getattr(current_app.view_functions[request.endpoint or ""], "allowed", ...)
        if needed is ...:
            _log.error("desk.view_without_role", endpoint=request.endpoint)
            abort(403)
        person = _of_session()
        if person is None and needed is not None:
            return _to_sign_in()
        if person is not None:
            g.signed_in = person
        if needed is not None and not signed_in().role.covers(needed):
            abort(403)
        most = LARGEST_SIGN_IN if person is None else LARGEST_FORM
        request.max_content_length = request.max_form_memory_size = most
        csrf.protect()
        if any("\0" in text for field in request.form.items(multi=True) for text in field):
            abort(400)  # as above
        return None

    return check


def _of_session() -> SignedIn | None:
    token = session.get("token")
    if not isinstance(token, str):
        return None
    return sessions.find(parts().ledger, token, by_person=BY_ITSELF not in request.headers)


def _to_sign_in() -> ResponseReturnValue:
    here = request.full_path.rstrip("?") if request.method == "GET" else url_for("overview.page")
    if "HX-Request" in request.headers:
        shown = urlsplit(request.headers.get("HX-Current-URL", ""))
        there = shown.path + (f"?{shown.query}" if shown.query else "")
        return Response(status=401, headers={"HX-Redirect": url_for("access.sign_in", next=there or here)})
    if request.method != "GET" or request.accept_mimetypes.best == "application/json":
        return render_template("desk/access/sign_in.html", next=here, fault="You are signed out. Sign in again."), 401
    return redirect(url_for("access.sign_in", next=here if here != "/" else None))


@pages.get("/sign-in")
@allowed(None)
def sign_in() -> ResponseReturnValue:
    there = _local(request.args.get("next"))
    if somebody() is not None:
        return redirect(there)
    return render_template("desk/access/sign_in.html", next=there, fault=None)


@pages.post("/sign-in")
@allowed(None)
def take_sign_in() -> ResponseReturnValue:
    ledger = parts().ledger
    name, password = request.form.get("name", "").strip(), request.form.get("password", "")
    tried = Try(name, request.remote_addr or "")
    wait = login_limit.begin(ledger, tried)
    if wait is not None:
        return _refused(f"Too many tries. Try again in {_told(wait)}.{_proxy_in_front()}", 429)
    with ledger.read() as connection:
        person = users.by_name(connection, name)
    right = passwords.fits(None if person is None else person.password_hash, password)
    if person is None or not right:
        _note_refusal(tried, person)
        return _refused(f"Name or password is wrong.{_proxy_in_front()}", 401)
    with ledger.write(SIGN_INS) as connection:
        login_limit.succeeded(connection, tried)
        now = ledger.now(connection)
        token = sessions.begin(connection, person.id, now)
        audit.record(connection, now, Deed(person.name, "sign in", person.name), None, {"from": tried.address})
    session.clear()
    session["token"] = token
    return redirect(_local(request.form.get("next")), 303)


@pages.post("/sign-out")
@allowed(Role.VIEWER)
def sign_out() -> ResponseReturnValue:
    ledger = parts().ledger
    with ledger.write() as connection:
        sessions.end(connection, session["token"])
        name = signed_in().name
        audit.record(connection, ledger.now(connection), Deed(name, "sign out", name), None, None)
    session.clear()
    return redirect(url_for("access.sign_in"), 303)


def _note_refusal(tried: Try, person: User | None) -> None:
    """In the log and the audit log; a name that is nobody's may be a password in the wrong field, and is not kept."""
    _log.warning("desk.sign_in_refused", address=tried.address)
    name = "a name that nobody has" if person is None else person.name
    ledger = parts().ledger
    with ledger.write(SIGN_INS) as connection:
        now = ledger.now(connection)
        if login_limit.refused(connection, tried, now):
            audit.record(connection, now, Deed("somebody", "sign in refused", name), None, {"from": tried.address})


def _proxy_in_front() -> str:
    """What is said where all tries seem to come from one address, since nobody told the gateway of its proxy."""
    forwarded = any(name in request.headers for name in ("X-Forwarded-For", "Forwarded", "X-Real-Ip"))
    if parts().config.trusted_proxies or not forwarded:
        return ""
    _log.warning("desk.proxy_not_trusted", address=request.remote_addr, advice="set trusted_proxies")
    return " A proxy seems to be in front of the gateway: with trusted_proxies it can tell visitors apart."


def _refused(fault: str, status: int) -> ResponseReturnValue:
    there = _local(request.form.get("next"))
    name = request.form.get("name", "")
    return render_template("desk/access/sign_in.html", next=there, fault=fault, name=name), status


def _local(there: str | None) -> str:
    """Where to go after signing in: a path of ours, never another host's."""
    if there is None or not there.startswith("/") or there.startswith(("//", "/\\")) or not there.isprintable():
        return url_for("overview.page")
    return there


def _told(wait: timedelta) -> str:
    seconds = max(1, -(-int(wait.total_seconds() * 1000) // 1000))
    if seconds < 60:
        return counted(seconds, "second")
    return counted(-(-seconds // 60), "minute")
