"""The built-in Lumail stand-in: the documented contract over real HTTP, and every way in which it can fail."""

from flask import Flask

from gateway.lumail.sandbox.api import api
from gateway.lumail.sandbox.control import control
from gateway.lumail.sandbox.server import SandboxServer, serve
from gateway.lumail.sandbox.settings import SandboxSettings
from gateway.lumail.sandbox.state import Sandbox, sandbox_of

__all__ = ["Sandbox", "SandboxServer", "SandboxSettings", "create_sandbox", "sandbox_of", "serve"]


def create_sandbox(settings: SandboxSettings) -> Flask:
    """The application: `/api/v1` as Lumail has it, a page at `/`, and what tests steer it with."""
    app = Flask(__name__)
    Sandbox(settings).install(app)
    app.register_blueprint(api)
    app.register_blueprint(control)
    return app
