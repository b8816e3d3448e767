"""The commands `users`: who may use the desk, and as what."""

import click

from gateway.cli.display import Column, show_document, show_table
from gateway.cli.settings import Said, installation, installation_options, json_option, opened_ledger, who
from gateway.desk import passwords
from gateway.formats.wording import iso
from gateway.ledger.accounts import users as desk_users
from gateway.ledger.accounts.users import Role

_COLUMNS = (Column("NAME", keeps=True), Column("ROLE", keeps=True), Column("SINCE", keeps=True))

_role = click.Choice([role.value for role in Role])
_generate = click.option("--generate", is_flag=True, help="Make up a password and print it, once.")


@click.group("users", short_help="Who may use the desk.")
def users() -> None:
    """Who may use the desk: viewers look, operators put right what went wrong, admins decide who else may."""


@users.command("add")
@click.argument("name")
@click.option("--role", type=_role, default=Role.VIEWER.value, show_default=True, help="What the person may do.")
@_generate
@installation_options
@json_option
def add(said: Said, name: str, role: str, generate: bool, as_json: bool) -> None:
    """Let somebody sign in to the desk. The password is asked for, twice.

    \b
    Examples:
      lumail-gateway users add ana --role admin
      lumail-gateway users add ben --role operator --generate
    """
    config = installation(said).config
    with opened_ledger(config) as ledger:
        password = _password(generate)
        desk_users.add(ledger, name, Role(role), passwords.hashed(password), who())
    _tell(f"{name} may sign in as {role}", password if generate else None, name, as_json=as_json)


@users.command("list")
@installation_options
@json_option
def show_all(said: Said, as_json: bool) -> None:
    """List who may sign in.

    \b
    Example:
      lumail-gateway users list
    """
    with opened_ledger(installation(said).config) as ledger, ledger.read() as connection:
        found = desk_users.everybody(connection)
    if as_json:
        show_document([{"name": one.name, "role": one.role, "made_at": one.made_at} for one in found])
        return
    rows = [(one.name, one.role.value, iso(one.made_at)[:10]) for one in found]
    show_table(_COLUMNS, rows, empty="nobody may sign in yet: `lumail-gateway users add NAME --role admin`")


@users.command("role")
@click.argument("name")
@click.argument("role", type=_role)
@installation_options
@json_option
def change_role(said: Said, name: str, role: str, as_json: bool) -> None:
    """Change what somebody may do; it ends the person's sessions.

    \b
    Example:
      lumail-gateway users role ben viewer
    """
    with opened_ledger(installation(said).config) as ledger:
        desk_users.change_role(ledger, name, Role(role), who())
    _tell(f"{name} is {role}", None, name, as_json=as_json)


@users.command("password")
@click.argument("name")
@_generate
@installation_options
@json_option
def change_password(said: Said, name: str, generate: bool, as_json: bool) -> None:
    """Give somebody a new password; it ends the person's sessions.

    \b
    Example:
      lumail-gateway users password ben --generate
    """
    with opened_ledger(installation(said).config) as ledger:
        password = _password(generate)
        desk_users.change_password(ledger, name, passwords.hashed(password), who())
    _tell(f"{name} has a new password", password if generate else None, name, as_json=as_json)


@users.command("remove")
@click.argument("name")
@installation_options
@json_option
def remove(said: Said, name: str, as_json: bool) -> None:
    """Let somebody sign in no more; it ends the person's sessions. What the person did stays in the audit log.

    \b
    Example:
      lumail-gateway users remove ben
    """
    with opened_ledger(installation(said).config) as ledger:
        desk_users.remove(ledger, name, who())
    _tell(f"{name} may sign in no more", None, name, as_json=as_json)


def _password(generate: bool) -> str:
    if generate:
        return passwords.generated()
    asked: str = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    return asked


def _tell(text: str, password: str | None, name: str, *, as_json: bool) -> None:
    if as_json:
        show_document({"name": name} | ({} if password is None else {"password": password}))
        return
    click.echo(text if password is None else f"{text}, with the password {password}")
