"""The commands that try an adapter out without a gateway: what there is, and what it makes of a webhook."""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from marshmallow import ValidationError

from gateway.cli.display import Column, pretty, printable, show_block, show_document, show_table
from gateway.cli.settings import Said, installation_options, json_option, own_adapters
from gateway.errors import CommandError
from gateway.formats.wording import as_plain
from gateway.ledger.status import Outcome
from gateway.translation import sample
from gateway.translation.adapter import Adapter
from gateway.translation.declarative.adapter import adapter_of
from gateway.translation.registry import adapters as found_adapters
from gateway.translation.registry import samples
from gateway.translation.rehearsal import Tried, tried_out, usual_options

QUARANTINED = 1
"""Exit status where something is not understood."""


LONGEST_VALUE = 100
"""Characters of an expression's value that are shown."""


@click.group()
def adapters() -> None:
    """Providers that the gateway understands."""


@adapters.command("list")
@installation_options
@json_option
def list_adapters(said: Said, as_json: bool) -> None:
    """Each adapter, what it translates and what it is written from.

    \b
    Example:
      lumail-gateway adapters list
    """
    folder = own_adapters(said)
    known = found_adapters(folder).values()
    if as_json:
        show_document({"adapters": [_described(one, folder) for one in known]})
        return
    show_table(
        [
            Column("adapter", keeps=True),
            Column("provider"),
            Column("types", right=True),
            Column("ignored", right=True),
            Column("documentation"),
        ],
        [(one.name, one.title, str(len(one.handlers)), str(len(one.ignored)), one.docs.events) for one in known],
        empty="No adapter.",
    )


def _described(adapter: Adapter, folder: Path) -> dict[str, Any]:
    return {
        "name": adapter.name,
        "title": adapter.title,
        "docs_events": adapter.docs.events,
        "docs_security": adapter.docs.security,
        "types": sorted(adapter.handlers),
        "ignored": dict(adapter.ignored),
        "samples": sorted(samples(adapter.name, folder)),
    }


@click.command()
@click.argument("adapter_name", metavar="ADAPTER")
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
@installation_options
@json_option
@click.pass_context
def translate(context: click.Context, said: Said, adapter_name: str, file: Path, as_json: bool) -> None:
    """Show what a webhook would become, step by step, or why nothing.

    ADAPTER is a name, or the file of a YAML adapter. FILE holds the body as the provider posts it, or a case of the
    adapter's tests; `-` reads a body from stdin. Nothing is sent or kept, no signature is asked, and nothing is
    remembered from other webhooks. Exit status 1 where it is not understood.

    \b
    Examples:
      lumail-gateway translate stripe body.json
      pbpaste | lumail-gateway translate sendgrid -
      lumail-gateway translate adapters/acme.yaml body.json
    """
    adapter = chosen(adapter_name, own_adapters(said))
    tried = [
        one
        for case in _cases(adapter, file, own_adapters(said))
        for one in tried_out(adapter, case.headers, case.body, case.options)
    ]
    if as_json:
        show_document({"adapter": adapter.name, "source_events": tried})
    else:
        for one in tried:
            _show_tried(one)
        if not tried:
            click.echo("an empty batch: nothing to translate")
    context.exit(QUARANTINED if any(one.outcome == Outcome.QUARANTINED for one in tried) else 0)


def chosen(named: str, folder: Path) -> Adapter:
    """The adapter of that name, or that a YAML file declares. Raises CommandError."""
    if named.endswith((".yaml", ".yml")):
        return adapter_of(Path(named))
    known = found_adapters(folder)
    if named not in known:
        raise CommandError(f"no adapter {named}; there is {', '.join(known)}")
    return known[named]


@dataclass(frozen=True)
class _Case:
    headers: Mapping[str, str]
    body: bytes
    options: Mapping[str, Any]


def _cases(adapter: Adapter, file: Path, folder: Path) -> Sequence[_Case]:
    """One, or several where FILE is a case that stands for several types."""
    try:
        body = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError as error:
        raise CommandError(f"{file}: can't be read: {error.strerror}") from error
    if str(file) != "-" and _is_case(body):
        return [_Case(one.headers, one.body, _options(adapter, one, file)) for one in sample.read(file)]
    return [_Case({}, body, usual_options(adapter, samples(adapter.name, folder)))]


def _options(adapter: Adapter, case: sample.Sample, file: Path) -> Mapping[str, Any]:
    """The options that a case says a source has. Raises CommandError."""
    try:
        options: Mapping[str, Any] = adapter.options().load(case.options)
    except ValidationError as error:
        told = "; ".join(f"{name}: {faults}" for name, faults in error.messages_dict.items())
        raise CommandError(f"{file}: `options` do not fit {adapter.name}: {told}") from error
    return options


def _is_case(body: bytes) -> bool:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return False
    return isinstance(document, dict) and "why" in document and bool({"body", "body_text", "form"} & document.keys())


def _show_tried(one: Tried) -> None:
    test = " (a test event: it is delivered only where the source says accept_test_events)" if one.test else ""
    reason = "" if one.reason is None else f": {one.reason}"
    click.echo(f"{printable(one.type or 'an item')}: {one.outcome}{printable(reason)}{test}")
    for step in one.steps:
        click.echo(f"  {_told_step(step)}")
    for event in one.events:
        shown = {name: event[name] for name in ("eventType", "subscriber", "data")}
        show_block(f"  would be sent{_but(event)}", pretty(shown))
        click.echo(f"  lane {event['lane']}, told by {', '.join(map(printable, event['keys']))}")
    for memo in one.teaches:
        click.echo(f"  remembers {printable(json.dumps(as_plain(memo)))}")
    if one.demand is not None:
        click.echo(f"  demands {printable(json.dumps(one.demand))}")


def _told_step(step: Mapping[str, Any]) -> str:
    """`data.amount  49.99  <- decimal(total)`; what was split and matched is told in words."""
    if step["of"] is None:
        return f"{step['step']:20}  {printable(step.get('fault') or str(step['gave']))}"
    gave = f"fault: {step['fault']}" if "fault" in step else json.dumps(step["gave"], ensure_ascii=False, default=str)
    shown = gave if len(gave) <= LONGEST_VALUE else f"{gave[:LONGEST_VALUE]}…"
    return printable(f"{step['step']:20}  {shown}  <- {step['of']}")


def _but(event: Mapping[str, Any]) -> str:
    if event["subscriber"] is None:
        return f", once it is known whose {printable(event['waits_for'] or 'it')} is"
    if not event["forwarded_by_default"]:
        return ", where the source's `forward` lists it"
    return ""
