"""How the application that serves the desk is set up: cookies, headers, CSRF, what templates know, what errors say."""

import hashlib
from collections.abc import Callable, Collection
from functools import cache
from http import HTTPStatus
from pathlib import Path

from flask import Flask, Response, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_wtf.csrf import CSRFError, CSRFProtect
from werkzeug.exceptions import HTTPException

from gateway.desk import display
from gateway.desk.access import Role, gate, somebody
from gateway.desk.navigation import navigation, to
from gateway.desk.parts import NAME, Desk, now
from gateway.errors import CommandError, LedgerUnavailableError, UnavailableError

STATIC = Path(__file__).parent / "static"

CONTENT_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)

HEADERS = {
    "Content-Security-Policy": CONTENT_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}

_ADVICE = {
    403: "Your role does not allow this. An admin can change it.",
    404: "There is no such page, or what it showed is not kept any more.",
    413: "That is more than the desk takes at once.",
}


def set_up(app: Flask, parts: Desk, areas: Collection[str]) -> None:
    """`areas` are the names of the desk's blueprints; what is outside them is left as it is."""
    app.extensions[NAME] = parts
    app.config.update(
        SESSION_COOKIE_NAME="lumail-gateway",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=parts.config.public_url.startswith("https:"),
        WTF_CSRF_CHECK_DEFAULT=False,  # the gate asks for it, in the desk alone
        WTF_CSRF_TIME_LIMIT=None,  # a token lives as long as its session
        WTF_CSRF_SSL_STRICT=False,  # behind a proxy our own name may be another
    )
    csrf = CSRFProtect(app)
    app.before_request(gate(areas, csrf))
    app.after_request(_with_headers(areas))
    for error in (HTTPException, CommandError, LedgerUnavailableError, UnavailableError):
        app.register_error_handler(error, _shown(areas))
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_env.finalize = display.whole
    app.jinja_env.filters.update(display.FILTERS)
    app.jinja_env.globals.update(asset=asset, navigation=navigation, somebody=somebody, Role=Role, now=now, to=to)
    app.jinja_env.globals.update(sandbox=parts.config.sandbox)


def asset(name: str) -> str:
    """The URL of a file that is shipped, another one once it has changed, so that browsers may keep it."""
    return url_for("desk.static", filename=name, v=_digest(name))


@cache
def _digest(name: str) -> str:
    return hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:12]


def _with_headers(areas: Collection[str]) -> Callable[[Response], Response]:
    def add(response: Response) -> Response:
        if request.blueprint in areas:
            response.headers.update(HEADERS)
            kept = request.endpoint == "desk.static" and response.status_code == HTTPStatus.OK
            response.headers["Cache-Control"] = "public, max-age=31536000, immutable" if kept else "no-store"
        return response

    return add


def _shown(areas: Collection[str]) -> Callable[[Exception], ResponseReturnValue]:
    """Errors as pages of the desk; elsewhere they stay what they are."""

    def show(error: Exception) -> ResponseReturnValue:
        if request.blueprint not in areas:
            if isinstance(error, HTTPException):
                return error
            raise error
        status, words = _told(error)
        return render_template("desk/problem.html", title=HTTPStatus(status).phrase, words=words), status

    return show


def _told(error: Exception) -> tuple[int, str]:
    """The status and the words of an error."""
    if isinstance(error, CSRFError):
        return 400, "The form was open for too long, or came from elsewhere. Go back, reload the page, try again."
    if isinstance(error, HTTPException):
        code = error.code or 500
        return code, _ADVICE.get(code, error.description or "")
    return (409 if isinstance(error, CommandError) else 503), str(error)
