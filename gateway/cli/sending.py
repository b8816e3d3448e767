"""The command `send`: a signed sample to a running gateway, followed until Lumail has it."""

import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import requests

from gateway.cli.display import Column, printable, show_document, show_table
from gateway.cli.event_lists import as_document
from gateway.cli.settings import Said, installation, installation_options, json_option, opened_ledger
from gateway.config import Config, signing_secret
from gateway.errors import CommandError
from gateway.ledger import words
from gateway.ledger.database import Ledger
from gateway.ledger.status import Outcome, Reason, Status
from gateway.ledger.views import search
from gateway.ledger.views.overview import halted
from gateway.ledger.views.search import Row
from gateway.outgoing import new_session
from gateway.translation.adapter import Adapter
from gateway.translation.registry import adapters, beside, default_sample, samples
from gateway.translation.rehearsal import made_new
from gateway.translation.sample import Sample
from gateway.translation.webhook import Webhook

NOT_DELIVERED = 1
"""Exit status where the sample was turned away, not understood or not delivered."""

FOLLOWED_FOR = 60.0
"""Seconds after which somebody who waits wants the terminal back; the gateway goes on."""

LOOKS_EVERY = 0.1

_ENDS = frozenset({Status.DELIVERED, Status.HELD, Status.FAILED, Status.DROPPED})


@dataclass(frozen=True)
class Sending:
    """A request as the provider would make it now."""

    source: str
    case: str
    why: str
    webhook: Webhook


@dataclass(frozen=True)
class Step:
    """What happened to the sample, and when; `event` None: to the webhook as a whole."""

    name: str
    at: datetime
    detail: str
    event: str | None = None


@dataclass(frozen=True)
class Sent:
    """What became of a sample. `receipt` None: it was turned away with `status`."""

    source: str
    case: str
    sent_at: datetime
    status: int
    receipt: Mapping[str, Any] | None
    events: tuple[Mapping[str, Any], ...]
    steps: tuple[Step, ...]
    delivered: bool


@click.command()
@click.argument("source")
@click.argument("case", required=False)
@click.option("--list", "listed", is_flag=True, help="Show the cases that there are, and send nothing.")
@click.option("--live", is_flag=True, help="Send it although the gateway delivers to the real Lumail.")
@installation_options
@json_option
@click.pass_context
def send(
    context: click.Context, said: Said, source: str, case: str | None, listed: bool, live: bool, as_json: bool
) -> None:
    """Send a signed sample and follow it to its end.

    It goes to the running gateway as the provider would post it now: fresh ids and times, signed with the source's
    secret. Exit status 1 where it was turned away, not understood or not delivered.

    \b
    Examples:
      lumail-gateway send stripe
      lumail-gateway send stripe --list
    """
    found = installation(said)
    config = found.config
    if source not in config.sources:
        raise CommandError(f"no source {source}; there is {', '.join(config.sources) or 'none'}")
    folder = beside(config.file)
    adapter = adapters(folder)[config.sources[source].adapter]
    cases = samples(adapter.name, folder)
    if listed:
        _list_cases(adapter, cases, as_json)
        return
    if not (config.sandbox or live):
        raise CommandError(
            "This gateway delivers to the real Lumail, where the sample would be counted: "
            "start `lumail-gateway up --sandbox` for a trial, or add --live if that is what you want."
        )
    sendings = _signed(config, source, adapter, _with_earlier(cases, _wanted(adapter, cases, case, folder)))
    with opened_ledger(config) as ledger:
        for earlier in sendings[:-1]:
            post(found.url, earlier)
        done = _Following(ledger, sendings[-1], tells=not as_json).follow(found.url)
    if as_json:
        show_document(done)
    context.exit(0 if done.delivered else NOT_DELIVERED)


def _list_cases(adapter: Adapter, known: Mapping[str, Sample], as_json: bool) -> None:
    cases = list(known.values())
    if as_json:
        show_document({"cases": [{"case": one.case, "why": one.why, "default": one.default} for one in cases]})
        return
    kinds: dict[str, list[Sample]] = {}
    for one in cases:
        kinds.setdefault(one.case.partition("[")[0], []).append(one)
    show_table(
        [Column("case", keeps=True), Column(""), Column("why")],
        [
            (
                alike[0].case,
                "default" if alike[0].default else f"and {len(alike) - 1} more" if len(alike) > 1 else "",
                alike[0].why,
            )
            for alike in kinds.values()
        ],
        empty=f"The adapter {adapter.name} came without samples.",
    )


def _wanted(adapter: Adapter, known: Mapping[str, Sample], case: str | None, folder: Path) -> Sample:
    if case is None:
        return default_sample(adapter.name, folder)
    if case not in known:
        raise CommandError(f"no case {case} of {adapter.name}: `lumail-gateway send SOURCE --list` shows them")
    return known[case]


def _with_earlier(known: Mapping[str, Sample], wanted: Sample) -> Sequence[Sample]:
    """The sample, and before it what has to have come before."""
    return [*(known[case] for case in wanted.after), wanted]


def _signed(config: Config, source: str, adapter: Adapter, cases: Sequence[Sample]) -> Sequence[Sending]:
    """The samples, each as the provider would send it now."""
    at = datetime.now(UTC)
    token = secrets.token_hex(8)  # one for all, so that they name the same objects
    scheme = adapter.scheme(config.sources[source].options)
    signing = signing_secret(config, config.sources[source])
    url = f"{config.public_url.rstrip('/')}/webhooks/{source}"

    def signed(one: Sample) -> Sending:
        unsigned = made_new(adapter, one, at, token).webhook(source, url, at)
        return Sending(source, one.case, one.why, scheme.sign(unsigned, signing, at))

    return [signed(one) for one in cases]


def post(url: str, sending: Sending) -> requests.Response:
    """Raises CommandError where nobody answers."""
    address = f"{url}/webhooks/{sending.source}"
    headers = dict(sending.webhook.headers.items())
    token = sending.webhook.path_token
    try:
        with new_session() as session:
            return session.post(
                address if token is None else f"{address}/{token}",
                data=sending.webhook.body,
                headers=headers,
                timeout=10,
            )
    except requests.RequestException as error:
        raise CommandError(
            f"nobody answers at {address} ({type(error).__name__}): start the gateway in another terminal, "
            "for a trial with `lumail-gateway up --sandbox`"
        ) from error


class _Following:
    """One sample on its road; tells each step as it is seen."""

    def __init__(self, ledger: Ledger, sending: Sending, *, tells: bool) -> None:
        self._ledger = ledger
        self._sending = sending
        self._tells = tells
        self._steps: list[Step] = []
        self._sent_at = datetime.now(UTC)
        self._destination = ""

    def follow(self, url: str) -> Sent:
        self._say(f"{self._sending.source}: {self._sending.case} ({self._sending.why})")
        self._sent_at = datetime.now(UTC)
        self._step("sent", self._sent_at, f"to {url}/webhooks/{self._sending.source}")
        response = post(url, self._sending)
        if response.status_code != 200:
            self._step("turned away", datetime.now(UTC), f"{response.status_code}: {response.text.strip()[:300]}")
            return self._sent(response.status_code, None, [])
        receipt = response.json()
        self._received(receipt)
        return self._sent(200, receipt, self._until_ended(receipt["events"]))

    def _received(self, receipt: Mapping[str, Any]) -> None:
        webhook, made = self._look(receipt["webhook"])
        self._destination = webhook["destination"]
        if receipt[Outcome.DUPLICATE]:
            self._step(Outcome.DUPLICATE.value, datetime.now(UTC), f"the gateway has it already as {webhook['id']}")
        else:
            self._step("received", webhook["received_at"], webhook["id"])
        for note in webhook["notes"]:
            self._step(note["word"], datetime.now(UTC), f"{note['type'] or 'an item'}: {note['reason']}")
        if receipt[Outcome.MERGED]:
            self._step(Outcome.MERGED.value, datetime.now(UTC), "it tells what is known already")
        if receipt[Outcome.TAUGHT]:
            self._step(Outcome.TAUGHT.value, datetime.now(UTC), "it makes no event, but what it says is remembered")
        for event in made:
            if event["id"] in receipt["events"]:
                detail = f"{event['type']} for {event['subscriber'] or 'somebody not known yet'}: {event['id']}"
                self._step(Outcome.TRANSLATED.value, event["created_at"], detail, event["id"])

    def _until_ended(self, identities: Sequence[str]) -> list[Row]:
        deadline = time.monotonic() + FOLLOWED_FOR
        told: set[str] = set()
        halt_told = False
        while True:
            with self._ledger.read() as connection:
                found = [search.event(connection, identity) for identity in identities]
                halt = halted(connection, self._ledger.now(connection), self._destination, "destination")
            rows = [row for row in found if row is not None]
            for row in rows:
                if row["status"] in _ENDS and row["reason"] != Reason.PAYMENT_NOT_LEFT and row["id"] not in told:
                    told.add(row["id"])
                    self._ended(row)
            if len(told) == len(rows):
                return rows
            if halt is not None and not halt_told:
                halt_told = True
                self._step("paused", datetime.now(UTC), f"{self._destination}: {halt.reason}")
            if time.monotonic() > deadline:
                waiting = [row["id"] for row in rows if row["id"] not in told]
                self._step("on its way", datetime.now(UTC), f"see lumail-gateway events show {waiting[0]}")
                return rows
            time.sleep(LOOKS_EVERY)

    def _ended(self, row: Row) -> None:
        at = row["settled_at"] or datetime.now(UTC)
        if row["status"] == Status.DELIVERED:
            detail = f"Lumail's event {row['lumail_event_id'] or '(its id was not told)'}"
        else:
            detail = words.of_event(row) or row["last_error"] or "no reason is known"
        self._step(row["status"], at, detail, row["id"])

    def _look(self, webhook: str) -> tuple[Row, list[Row]]:
        with self._ledger.read() as connection:
            found = search.webhook(connection, webhook)
            made = search.events_of(connection, webhook)
        if found is None:
            raise CommandError(
                f"the gateway took it as {webhook}, which is not in this ledger: "
                "does the gateway that answered use another one (--data, DATABASE_URL)?"
            )
        return found, made

    def _step(self, name: str, at: datetime, detail: str, event: str | None = None) -> None:
        self._steps.append(Step(name, at, detail, event))
        after = max(0.0, (at - self._sent_at).total_seconds())
        self._say(f"  {after:7.3f} s  {name:11}  {detail}")

    def _say(self, line: str) -> None:
        if self._tells:
            click.echo(printable(line))

    def _sent(self, status: int, receipt: Mapping[str, Any] | None, rows: Sequence[Row]) -> Sent:
        understood = receipt is not None and not receipt[Outcome.QUARANTINED]
        return Sent(
            source=self._sending.source,
            case=self._sending.case,
            sent_at=self._sent_at,
            status=status,
            receipt=receipt,
            events=tuple(as_document(row) for row in rows),
            steps=tuple(self._steps),
            delivered=understood and all(row["status"] == Status.DELIVERED for row in rows),
        )
