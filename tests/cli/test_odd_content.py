"""No command fails on what is kept, however odd."""

from pathlib import Path

from gateway.config import Flags
from gateway.intake.route import routes
from gateway.ledger.database import Ledger
from gateway.startup import configured
from gateway.translation.registry import adapters
from tests.cli.conftest import Terminal
from tests.odd_content import BODIES, store


def test_every_command_shows_whatever_is_kept(terminal: Terminal, ledger: Ledger) -> None:
    file = Path(terminal.environ["GATEWAY_CONFIG"])
    config = configured(Flags(file=file), terminal.environ)
    stored = store(ledger, routes(config, adapters()))
    for command, found in (("webhooks", stored.webhooks), ("events", stored.events)):
        terminal.run(command, "list", "--limit", "1000")
        assert len(terminal.document(command, "list", "--limit", "1000")[command]) >= len(found)
        for identity in found.values():
            terminal.run(command, "show", identity)
            assert terminal.document(command, "show", identity)["id"] == identity


def test_translate_tells_of_any_body(terminal: Terminal) -> None:
    for body in BODIES.values():
        for words in ((), ("--json",)):
            result = terminal.run("translate", "sendgrid", "-", *words, stdin=body, status=None)
            assert result.exit_code in (0, 1), result.output


def test_no_question_is_too_odd(terminal: Terminal) -> None:
    for word in ("\udcff", "'", "%", "_", "\\", "\u202e", "x" * 3000):
        for command in ("webhooks", "events"):
            terminal.run(command, "list", "--subscriber", word, status=None)
            terminal.run(command, "list", "--source", word, "--destination", word, status=None)
            terminal.run(command, "list", "--after", word, status=None)
            terminal.run(command, "show", word, status=2)
