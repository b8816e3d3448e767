"""The commands that change a destination: accept what it became, let it rest, let it go on."""

from collections.abc import Mapping

import click

from gateway.cli.destination_lists import destinations
from gateway.cli.display import show_document
from gateway.cli.settings import Said, installation, installation_options, json_option, opened_ledger, who
from gateway.config import Config
from gateway.errors import CommandError
from gateway.events import Lane
from gateway.formats.wording import counted
from gateway.ledger.scheduling.pauses import Scope
from gateway.replay import resting

_lane = click.option("--lane", type=click.Choice([lane.word for lane in Lane]), help="Only this lane of it.")
_source = click.option("--source", help="Only what came to this source.")


@destinations.command("accept")
@click.argument("name")
@installation_options
@json_option
def accept(said: Said, name: str, as_json: bool) -> None:
    """Take a destination's new address or organization for right.

    A changed base_url is refused at the start until it is accepted, and a new API token that turns out to be another
    organization's pauses the destination.

    \b
    Example:
      lumail-gateway destinations accept main
    """
    config = installation(said).config
    _require(config, name)
    found = resting.fingerprint_of(config.destinations[name])
    with opened_ledger(config) as ledger:
        done = resting.accept(ledger, name, found, who())
    if as_json:
        show_document({"destination": name, "base_url": found.base_url, "ended": done.ended})
        return
    click.echo(f"{name} is {found.base_url}, with the token and the organization that it has now")


@destinations.command("pause")
@click.argument("name")
@_lane
@_source
@click.option("--why", help="Shown with the pause until it is resumed.")
@installation_options
@json_option
def pause(said: Said, name: str, lane: str | None, source: str | None, why: str | None, as_json: bool) -> None:
    """Send nothing there until it is resumed; webhooks are taken all the same.

    \b
    Example:
      lumail-gateway destinations pause main --lane bulk
    """
    config = installation(said).config
    scope = _scope(config, name, lane, source)
    with opened_ledger(config) as ledger:
        resting.pause(ledger, scope, who(), why)
    _tell(scope, "is paused until it is resumed", {"paused": True}, as_json=as_json)


@destinations.command("resume")
@click.argument("name")
@_lane
@_source
@installation_options
@json_option
def resume(said: Said, name: str, lane: str | None, source: str | None, as_json: bool) -> None:
    """Send again what waits, whatever the pause was for.

    In a ledger that was copied or restored, what waits is looked up at Lumail before it is sent.

    \b
    Example:
      lumail-gateway destinations resume main
    """
    config = installation(said).config
    scope = _scope(config, name, lane, source)
    with opened_ledger(config) as ledger:
        done = resting.resume(ledger, scope, who())
    first = f"; {counted(done.looked_up, 'event is', 'events are')} looked up at Lumail first" if done.looked_up else ""
    document = {
        "paused": False,
        "looked_up": done.looked_up,
        "reasons": done.reasons,
        "reason_codes": done.reason_codes,
    }
    _tell(scope, f"goes on{first}", document, as_json=as_json)


@destinations.command("mix")
@click.argument("name")
@installation_options
@json_option
def mix(said: Said, name: str, as_json: bool) -> None:
    """Say that money in several currencies may go there.

    Lumail has one number a subscriber and adds them all up in it, so a second currency needs a person until somebody
    said so, or until `other_currencies` stands in the configuration.

    \b
    Example:
      lumail-gateway destinations mix main
    """
    config = installation(said).config
    _require(config, name)
    with opened_ledger(config) as ledger:
        found = resting.mix(ledger, name, who())
    if as_json:
        show_document({"destination": name, "currencies": list(found)})
        return
    click.echo(f"{name} takes {', '.join(found)}, and Lumail adds them up in one number")


def _scope(config: Config, name: str, lane: str | None, source: str | None) -> Scope:
    _require(config, name)
    if lane is not None and source is not None:
        raise CommandError("say --lane or --source, not both")
    if source is not None and source not in {*config.sources, *config.disabled_sources}:
        raise CommandError(f"no source {source}; there is {', '.join(config.sources)}")
    if lane is not None:
        return Scope("lane", name, lane)
    return Scope("destination", name, name) if source is None else Scope("source", name, source)


def _require(config: Config, name: str) -> None:
    if name not in config.destinations:
        raise CommandError(f"no destination {name}; there is {', '.join(config.destinations)}")


def _tell(scope: Scope, text: str, document: Mapping[str, object], *, as_json: bool) -> None:
    if as_json:
        show_document({"destination": scope.destination, "scope": scope.kind, "name": scope.name, **document})
        return
    click.echo(f"{resting.described(scope)} {text}")
