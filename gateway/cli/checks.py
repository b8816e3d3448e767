"""The command `check`: whether everything stands that the gateway needs, tried one by one."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import click
import redis

from gateway.cli.display import printable, show_document
from gateway.cli.settings import (
    Said,
    has_ledger,
    installation,
    installation_options,
    json_option,
    opened_ledger,
    own_adapters,
)
from gateway.config import Config, Destination
from gateway.errors import CommandError, ConfigError, GatewayError, LedgerError, LumailError
from gateway.formats.wording import as_plain, counted
from gateway.ledger.database import Ledger
from gateway.ledger.facts import pinned_accounts
from gateway.ledger.migration import require_current
from gateway.ledger.recording.rehearsal import rehearse
from gateway.ledger.scheduling import places
from gateway.lumail.answer import Answer, is_lumails
from gateway.lumail.client import Lumail, Timeouts
from gateway.runtime import private_redis
from gateway.runtime.wakeups import connect, refuse_cluster
from gateway.startup import weak_secrets
from gateway.translation.adapter import Claim
from gateway.translation.registry import adapters, beside, samples

FAULTS_FOUND = 1

ASKED_FOR = "gateway-check@example.com"
"""A subscriber that nobody has: asking for it needs a good token and shows nobody's data."""

KIND = "check"
"""The kind of such an attempt."""

_REFUSALS = {
    401: "the API token is refused: compare it with the one in Lumail's settings",
    403: "the API token lacks a permission that the gateway needs",
    429: "too many requests just now; the token is right",
}


@dataclass(frozen=True)
class Checked:
    name: str
    ok: bool
    detail: str


@click.command()
@installation_options
@json_option
@click.pass_context
def check(context: click.Context, said: Said, as_json: bool) -> None:
    """Look whether all that the gateway needs is right.

    That is configuration, adapters, database, Redis and Lumail. Lumail is asked for one subscriber at each
    destination; nothing is changed there. Exit status 1 where something is wrong.

    \b
    Example:
      lumail-gateway check --config /etc/lumail-gateway/gateway.yaml
    """
    found = []
    for one in _checks(said):
        found.append(one)
        if not as_json:
            click.echo(f"{'ok   ' if one.ok else 'fault'}  {one.name}: {printable(one.detail)}")
    if as_json:
        show_document({"checks": as_plain(found), "ok": all(one.ok for one in found)})
    context.exit(0 if all(one.ok for one in found) else FAULTS_FOUND)


def _checks(said: Said) -> Iterator[Checked]:
    yield _tried("adapters", lambda: _adapters(own_adapters(said)))
    try:
        config = installation(said).config
    except ConfigError as error:
        yield from (Checked("configuration", ok=False, detail=fault) for fault in error.faults)
        return
    except GatewayError as error:
        yield Checked("configuration", ok=False, detail=str(error))
        return
    yield Checked("configuration", ok=True, detail=_told(config))
    yield _tried("database", lambda: _database(config))
    yield _tried("redis", lambda: _redis(config))
    for name in config.sources:
        yield _tried(f"source {name}", lambda name=name: _source(config, name))  # type: ignore[misc]  # as below
    for destination in config.destinations.values():
        yield _tried(f"destination {destination.name}", lambda one=destination: _lumail(config, one))  # type: ignore[misc]  # the default binds the loop's value


def _tried(name: str, attempt: Callable[[], str]) -> Checked:
    try:
        return Checked(name, ok=True, detail=attempt())
    except GatewayError as error:
        return Checked(name, ok=False, detail=str(error))


def _told(config: Config) -> str:
    off = f" ({len(config.disabled_sources)} off)" if config.disabled_sources else ""
    kind = "sandbox, " if config.sandbox else ""
    return f"{config.file}: {kind}{counted(len(config.sources), 'source')}{off}, " + counted(
        len(config.destinations), "destination"
    )


def _adapters(folder: Path) -> str:
    for name in adapters(folder):
        samples(name, folder)
    return ", ".join(adapters(folder))


def _database(config: Config) -> str:
    told = re.sub(r"(?<=password=)[^&]*", "***", re.sub(r"(://[^:/@]*):[^@]*@", r"\1:***@", config.database_url))
    if not has_ledger(config):
        return f"{told}: not made yet, the first start makes it"
    ledger = Ledger(config.database_url)
    try:
        require_current(ledger)
        rehearse(ledger)
    finally:
        ledger.close()
    return f"{told}: a webhook could be kept"


def _source(config: Config, name: str) -> str:
    """That nobody can guess its secrets, and that it does not depend on strangers whose webhooks it takes."""
    weak = weak_secrets(config).get(name, ())
    if weak:
        raise ConfigError("; ".join(weak))
    source = config.sources[name]
    adapter = adapters(beside(config.file))[source.adapter]
    proven = "what proves its webhooks can't be guessed"
    if Claim.ACCOUNT not in adapter.claims:
        return proven
    if source.account is not None:
        return f"{proven}; it takes what comes for {source.account}'s"
    bound = None
    if has_ledger(config):
        with opened_ledger(config) as ledger, ledger.read() as connection:
            bound = pinned_accounts.pinned(connection).get(name)
    if bound is None and not config.sandbox:
        raise ConfigError(
            f"say `account`: {adapter.title} names the shop outside the signature, and without it the first one "
            "that is named is taken for the shop"
        )
    return f"{proven}; bound to the account {bound}" if bound else proven


def _redis(config: Config) -> str:
    if config.redis_url is not None:
        try:
            connect(config.redis_url).ping()
            refuse_cluster(config.redis_url)
        except (redis.RedisError, OSError) as error:
            raise ConfigError(
                f"REDIS_URL: no answer ({type(error).__name__}); webhooks are taken all the same"
            ) from error
        return "answers"
    if private_redis.running_url(config.data) is not None:
        return "the private one of this data folder runs"
    program = private_redis.binary()
    if program is None:
        return f"none on this machine: workers look every second for what is due. Faster: {private_redis.ADVICE}"
    return f"a private one, which `lumail-gateway up` starts with {program}"


def _lumail(config: Config, destination: Destination) -> str:
    """Within the plan, as far as there is a ledger that counts it."""
    asked = None
    try:
        with opened_ledger(config) as ledger:
            with ledger.write([destination.name]) as connection:
                limit = destination.requests_per_minute
                place = places.take(connection, destination.name, KIND, limit, ledger.now(connection))
            if place is None:
                return f"{destination.base_url}: not asked, the plan is used up for the moment"
            asked = _ask(destination)
            with ledger.write([destination.name]) as connection:
                places.settle(connection, place, *asked, ledger.now(connection))
    except (CommandError, LedgerError):  # told as the database's fault; nobody else sends without a ledger either
        asked = asked or _ask(destination)
    _, wrong = asked
    if wrong is not None:
        raise LumailError(f"{destination.base_url}: {wrong}")
    return f"{destination.base_url} takes the API token, and answers as Lumail does"


def _ask(destination: Destination) -> tuple[int | None, str | None]:
    """The status of Lumail's answer and what is wrong with it, None where nothing is."""
    timeouts = Timeouts(send=5, total=10)
    lumail = Lumail(destination.base_url, destination.api_token, timeouts=timeouts, outgoing=destination.outgoing)
    try:
        answer = lumail.ask_for_subscriber(ASKED_FOR)
    except LumailError as error:
        return None, str(error)
    finally:
        lumail.close()
    return answer.status, wrong_with(answer)


def wrong_with(answer: Answer) -> str | None:
    """What an answer tells to be wrong: with the address, the token, or what stands between; None where it is Lumail's.

    Rate headers are in each answer of Lumail's, and its bodies are JSON of a known form.
    """
    status = answer.status or 0
    if 300 <= status < 400:
        return f"it answered {status}, which leads elsewhere: base_url is not where Lumail's API is"
    if not is_lumails(answer):
        form = "an answer that is not of Lumail's form"
        if status in _REFUSALS:
            return f"{_REFUSALS[status]}; it is {form}, so a proxy may have said so"
        if status == 404:
            return f"it answered 404 with {form}: the path in base_url is wrong (https://lumail.io/api/v1)"
        return f"it answered {status} with {form}: a proxy or another server stands at this address"
    if status in (200, 404):
        return None
    return _REFUSALS.get(status, f"it answered {status}")
