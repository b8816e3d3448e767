"""The commands that the law asks for: erase a person, and hand out a copy of what is held of one."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from gateway.cli.display import pretty, show_document
from gateway.cli.settings import Said, installation, installation_options, json_option, opened_ledger, who
from gateway.errors import CommandError
from gateway.formats.wording import as_plain, counted
from gateway.ledger.accounts import audit
from gateway.ledger.accounts.audit import Deed
from gateway.ledger.database import Ledger
from gateway.ledger.facts import hashing, tombstones
from gateway.ledger.jobs import privacy_requests
from gateway.ledger.jobs.privacy_requests import OpenRequest, Origin
from gateway.ledger.retention.data_export import gather
from gateway.ledger.retention.erasure import Erased, erase
from gateway.privacy import Duty, PrivacyRequest, Subject
from gateway.translation.person import email

_WORDS = {
    "events": "event",
    "webhooks": "webhook",
    "attempts": "request to Lumail",
    "memory": "lesson",
    "keys": "key",
    "strangers": "stranger",
    "texts": "text",
}


@click.command("forget")
@click.argument("address", metavar="EMAIL")
@click.option("--yes", is_flag=True, help="Do not ask.")
@installation_options
@json_option
def forget(said: Said, address: str, yes: bool, as_json: bool) -> None:
    """Erase a person from the ledger, for good.

    Events stay as numbers and keys as hashes, so what providers tell later of the same facts is left out. Who comes
    anew is a new person. Lumail and the providers are not told.

    \b
    Example:
      lumail-gateway forget ana@example.com
    """
    person = _address(address)
    with opened_ledger(installation(said).config) as ledger:
        if not yes:
            click.confirm(f"Erase {person} from this gateway for good?", abort=True, err=True)
        with ledger.write([Duty.ERASE]) as connection:
            demand = PrivacyRequest(Duty.ERASE, Subject(addresses=(person,)))
            identity = privacy_requests.record(connection, demand, Origin(who()), ledger.now(connection))
        done = erase(ledger, identity)
    if as_json:
        show_document({"job": done.id, "done": done.is_done, "erased": done.counts, "left": done.left})
        return
    click.echo(_told(done))
    if not done.is_done:
        left = counted(done.left, "event is", "events are")
        click.echo(f"{left} on the way to Lumail; a worker erases what is left as soon as that has ended")


def _told(done: Erased) -> str:
    found = [counted(done.counts[name], word) for name, word in _WORDS.items() if done.counts.get(name)]
    return f"erased: {', '.join(found)}" if found else "nothing was held of this person"


@click.command("export")
@click.argument("person", metavar="WHO")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="A new file, for its owner only.")
@installation_options
def export(said: Said, person: str, out: Path | None) -> None:
    """Write all that the ledger holds of a person, as JSON.

    WHO is an address, or the id of a request that a provider passed on (`status` shows those); it is met with that, and
    so are all that name the address. Look it through before you hand it out: texts may speak of others.

    \b
    Example:
      lumail-gateway export ana@example.com --out ana.json
    """
    with opened_ledger(installation(said).config) as ledger:
        with ledger.read() as connection:
            requests = privacy_requests.open_requests(connection)
        subject, met = _meant(person, requests)
        found = gather(ledger, subject)
        document = {"subject": _plain(subject), **{name: as_plain(rows) for name, rows in found.items()}}
        _write(document, out)
        _note(ledger, subject, met)
    if out is not None:
        rows = sum(len(rows) for rows in found.values())
        click.echo(f"{counted(rows, 'row')} in {out}" + (f"; {counted(len(met), 'request')} met" if met else ""))


def _meant(person: str, requests: list[OpenRequest]) -> tuple[Subject, list[str]]:
    named = next((one for one in requests if one.id == person), None)
    if named is not None:
        return named.subject, [named.id]
    address = _address(person)
    met = [one for one in requests if address in one.subject.addresses]
    memories = {name for one in met for name in one.subject.memories}
    keys = {key for one in met for key in one.subject.keys}
    return Subject((address,), tuple(sorted(memories)), tuple(sorted(keys))), [one.id for one in met]


def _address(said: str) -> str:
    address = email(said)
    if address is None:
        raise CommandError(f"{said!r} is neither an e-mail address nor a request that is open (`status` shows those)")
    return address


def _plain(subject: Subject) -> Mapping[str, Any]:
    return {"people": list(subject.addresses), "memories": list(subject.memories), "keys": list(subject.keys)}


def _write(document: Mapping[str, Any], out: Path | None) -> None:
    if out is None:
        show_document(document)
        return
    try:
        descriptor = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise CommandError(f"{out}: can't be written: {error.strerror}") from error
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(pretty(document) + "\n")


def _note(ledger: Ledger, subject: Subject, met: list[str]) -> None:
    salt = hashing.ensure_salt(ledger)
    prints = [hashing.hashed(salt, tombstones.person(address))[:17] for address in subject.addresses]
    with ledger.write([Duty.ERASE]) as connection:
        now = ledger.now(connection)
        privacy_requests.meet(connection, met, now)
        audit.record(connection, now, Deed(who(), "export", ", ".join(prints) or "facts"), None, {"met": met})
