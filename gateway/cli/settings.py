"""Which installation a command works on: the flags that all of them take, and what follows where none is given."""

import os
import pwd
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from sqlalchemy import make_url

from gateway.cli import running
from gateway.cli.running import Running
from gateway.config import Config, Flags, configuration_file, local_url, with_dotenv
from gateway.errors import CommandError, ConfigError
from gateway.ledger.database import Ledger
from gateway.ledger.migration import require_current
from gateway.startup import configured
from gateway.translation.registry import beside

USUAL_DATA = "./var"
SANDBOX = "sandbox"
"""The sandbox's folder within the data folder."""


@dataclass
class Said:
    """What the command line says of the installation, filled in by click."""

    file: Path | None = None
    data: Path | None = None
    sandbox: bool = False

    def flags(self, host: str | None = None, port: int | None = None) -> Flags:
        return Flags(self.file, self.data, host, port, self.sandbox)


@dataclass(frozen=True)
class Installation:
    """The configuration that a command works with; `running` is the `up` on this machine that it belongs to."""

    config: Config
    running: Running | None

    @property
    def url(self) -> str:
        """Where this machine reaches the door."""
        return self.running.url if self.running is not None else local_url(self.config.host, self.config.port)


def installation_options(command: Any) -> Any:
    """Adds --config, --data and --sandbox; the command gets a `Said` as its first argument."""

    def note(name: str) -> Callable[[click.Context, click.Parameter, Any], None]:
        return lambda context, _, value: setattr(context.ensure_object(Said), name, value)

    path = click.Path(path_type=Path)
    options = (
        click.option(
            "--config",
            type=path,
            callback=note("file"),
            expose_value=False,
            help="The configuration file. Default: GATEWAY_CONFIG, else config/gateway.yaml.",
        ),
        click.option(
            "--data",
            type=path,
            callback=note("data"),
            expose_value=False,
            help="The data folder. Default: GATEWAY_DATA, else ./var.",
        ),
        click.option(
            "--sandbox",
            is_flag=True,
            callback=note("sandbox"),
            expose_value=False,
            help="The sandbox: a data folder of its own, and a stand-in for Lumail.",
        ),
    )
    decorated: Any = click.make_pass_decorator(Said, ensure=True)(command)
    for option in reversed(options):
        decorated = option(decorated)
    return decorated


json_option = click.option("--json", "as_json", is_flag=True, help="One JSON document, for programs.")


def installation(said: Said) -> Installation:
    """The installation that is meant.

    With --sandbox the sandbox. Else the live one, if its `up` runs on the data folder or its ledger is there; else the
    sandbox whose `up` runs there; else what the configuration says.
    """
    environ = with_dotenv(said.flags(), os.environ)
    data = data_folder(said, environ)
    sandbox = _running_in(data / SANDBOX, said, environ)
    if said.sandbox:
        return sandbox or Installation(configured(said.flags(), environ), None)
    running_live = _running_in(data, said, environ)
    if running_live is not None:
        return running_live
    try:
        live = _ran_in(data, said, environ) or Installation(configured(said.flags(), environ), None)
    except ConfigError as error:
        if sandbox is None and (data / SANDBOX).is_dir():
            raise ConfigError(
                *error.faults, f"There is a sandbox in {data / SANDBOX}: add --sandbox if you mean that."
            ) from error
        if sandbox is None:
            raise
    else:
        if sandbox is None or has_ledger(live.config):
            return live
    click.echo(f"sandbox in {data / SANDBOX} (`lumail-gateway up` runs there)", err=True)
    return sandbox


def data_folder(said: Said, environ: Mapping[str, str]) -> Path:
    return Path(said.flags().over(environ).get("GATEWAY_DATA", USUAL_DATA)).expanduser()


def has_ledger(config: Config) -> bool:
    """Whether there is a database; of a server that is assumed."""
    url = make_url(config.database_url)
    return url.get_backend_name() != "sqlite" or Path(url.database or "").exists()


def own_adapters(said: Said) -> Path:
    """Where the YAML adapters of whoever runs this lie: beside the configuration file, whether there is one or not."""
    environ = with_dotenv(said.flags(), os.environ)
    return beside(configuration_file(said.flags(), environ))


@contextmanager
def opened_ledger(config: Config) -> Iterator[Ledger]:
    """The installation's ledger, which has to be there already."""
    if not has_ledger(config):
        raise CommandError(
            f"no ledger at {make_url(config.database_url).database}: nothing was started on this data folder yet "
            "(`lumail-gateway up`). Where the gateway keeps its ledger elsewhere, name it with --data or DATABASE_URL."
        )
    ledger = Ledger(config.database_url)
    try:
        require_current(ledger)
        yield ledger
    finally:
        ledger.close()


def who() -> str:
    """Who is at this terminal, for the audit: the user that the system knows, whatever the environment says."""
    try:
        return f"{pwd.getpwuid(os.getuid()).pw_name} (terminal)"
    except KeyError:  # a container's user without a name
        return f"uid {os.getuid()} (terminal)"


def _ran_in(folder: Path, said: Said, environ: Mapping[str, str]) -> Installation | None:
    """What ran on this folder last, where nothing on the command line or in the environment names a configuration."""
    found = running.last(folder)
    if found is None or "GATEWAY_CONFIG" in said.flags().over(environ):
        return None
    beside = with_dotenv(Flags(file=found.config), os.environ)
    return Installation(configured(Flags(), {**beside, **found.environ}), None)


def _running_in(folder: Path, said: Said, environ: Mapping[str, str]) -> Installation | None:
    """The `up` that runs on this folder, unless another configuration was named than that which it runs with."""
    found = running.find(folder)
    named = said.flags().over(environ).get("GATEWAY_CONFIG")
    if found is None or not (named is None or Path(named).absolute() == found.config):
        return None
    beside = with_dotenv(Flags(file=found.config), os.environ)
    return Installation(configured(Flags(), {**beside, **found.environ}), found)
