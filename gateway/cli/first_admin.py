"""The sandbox's first admin, so that whoever tries the gateway can sign in to the desk at once."""

from gateway.config import Config
from gateway.config.sandbox import generate_secrets, kept_secrets
from gateway.desk import passwords
from gateway.ledger.accounts import users
from gateway.ledger.accounts.users import Role, User
from gateway.ledger.database import Ledger

NAME = "admin"
KEPT_AS = "DESK_PASSWORD"
"""In the file of the secrets that the sandbox made up."""


def make(config: Config) -> None:
    """In a sandbox whose desk nobody may use yet: an admin with a password that is kept beside the other secrets."""
    if not config.sandbox:
        return
    ledger = Ledger(config.database_url)
    try:
        if not _everybody(ledger):
            password = passwords.generated()
            kept = generate_secrets(config.data, {KEPT_AS: lambda: (password, password)})
            users.add(ledger, NAME, Role.ADMIN, passwords.hashed(kept[KEPT_AS]), "sandbox")
    finally:
        ledger.close()


def sign_in_lines(config: Config, url: str, program: str) -> list[str]:
    """Where the desk is and how to get in, for whoever has just started the gateway."""
    ledger = Ledger(config.database_url)
    try:
        everybody = _everybody(ledger)
    finally:
        ledger.close()
    if not everybody:
        return [f"{url}/   (nobody may sign in yet: {program} users add NAME --role admin)"]
    password = kept_secrets(config.data).get(KEPT_AS) if config.sandbox else None
    admin = next((person for person in everybody if person.name == NAME), None)
    if password is None or admin is None or not passwords.fits(admin.password_hash, password):
        return [f"{url}/"]
    return [f"{url}/   name {NAME}, password {password}"]


def _everybody(ledger: Ledger) -> tuple[User, ...]:
    with ledger.read() as connection:
        return users.everybody(connection)
