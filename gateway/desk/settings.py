"""The page on which admins see what the gateway runs with, and have its settings read again."""

from flask import Blueprint, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from gateway.desk.access import Role, allowed, signed_in
from gateway.desk.parts import parts
from gateway.ledger.accounts import audit
from gateway.ledger.accounts.audit import Deed
from gateway.runtime.supervised import ask_reload, last_reload

pages = Blueprint("settings", __name__)


@pages.get("/settings")
@allowed(Role.ADMIN)
def page() -> ResponseReturnValue:
    config = parts().config
    return render_template("desk/settings/page.html", config=config, last=last_reload(config.data))


@pages.post("/settings/reload")
@allowed(Role.ADMIN)
def reload() -> ResponseReturnValue:
    """Asked for only: whether it is done or refused, and why, stands on the page afterwards."""
    ledger, config = parts().ledger, parts().config
    with ledger.write(["settings"]) as connection:
        audit.record(connection, ledger.now(connection), Deed(signed_in().name, "reload", str(config.file)), None, None)
        ask_reload()
    flash("The settings are being read. This page tells how that went.", "done")
    return redirect(url_for("settings.page"), 303)
