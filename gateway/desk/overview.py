"""The desk's first page: is anything wrong, and what needs a person first."""

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue

from gateway.desk.access import Role, allowed

pages = Blueprint("overview", __name__)


@pages.get("/")
@allowed(Role.VIEWER)
def page() -> ResponseReturnValue:
    return render_template("desk/overview/page.html")
