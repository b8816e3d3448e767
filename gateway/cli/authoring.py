"""The commands with which somebody writes a YAML adapter: a first draft, its check, its examples, its schema."""

import json
import re
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import click

from gateway.cli.display import printable, show_document
from gateway.cli.settings import Said, installation_options, json_option, own_adapters
from gateway.cli.trials import adapters, chosen
from gateway.errors import AdapterError, CommandError, PayloadError
from gateway.formats.wording import counted
from gateway.translation import json_body
from gateway.translation.declarative.adapter import adapter_of
from gateway.translation.declarative.editor_schema import json_schema
from gateway.translation.declarative.skeleton import drafted
from gateway.translation.registry import SHIPPED, samples, yaml_files
from gateway.translation.registry import adapters as found_adapters
from gateway.translation.trial import faults, unseen

FAULTS_FOUND = 1


@adapters.command("new")
@click.argument("name")
@click.option(
    "--from",
    "payload",
    type=click.Path(path_type=Path, allow_dash=True),
    required=True,
    help="A body as the provider posts it; `-` reads it from stdin.",
)
@installation_options
@json_option
def new(said: Said, name: str, payload: Path, as_json: bool) -> None:
    """Write the first draft of a YAML adapter from one payload.

    It goes into adapters/ beside the configuration file, with the payload as its first example. What is recognised
    (ids, e-mail, amounts, times) is filled in; the rest is marked with CHECK. Nothing that is there is overwritten.

    \b
    Example:
      lumail-gateway adapters new acme --from payload.json
    """
    folder = own_adapters(said)
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]*", name):
        raise CommandError(f"{name}: a name is of a-z, 0-9, _ and -, and begins with a letter or digit")
    if name in found_adapters(folder):
        raise CommandError(f"there is an adapter {name} already: `lumail-gateway adapters list` shows them")
    try:
        body = sys.stdin.buffer.read() if str(payload) == "-" else payload.read_bytes()
        told = json_body.load(body)
    except OSError as error:
        raise CommandError(f"{payload}: can't be read: {error.strerror}") from error
    except PayloadError as error:
        raise CommandError(f"{payload}: {error}. A draft is made of JSON; a form is written by hand") from error
    file, example = folder / f"{name}.yaml", folder / name / "first.json"
    _write(file, drafted(name, told))
    case = {"why": "the payload that the adapter was drafted from", "body": json.loads(body), "expect": []}
    _write(example, json.dumps(case, indent=2, ensure_ascii=False) + "\n")
    if as_json:
        show_document({"file": str(file), "example": str(example)})
        return
    click.echo(f"{file}: a draft. Settle each CHECK in it, then:")
    click.echo(f"  lumail-gateway adapters check {file}")
    click.echo(f"  lumail-gateway translate {file} {example}")
    click.echo(f"Its first example is {example}: write what you expect, then lumail-gateway adapters test {file}")


def _write(file: Path, text: str) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("x", encoding="utf-8") as opened:
            opened.write(text)
    except FileExistsError as error:
        raise CommandError(f"{file} is there already; it is not overwritten") from error
    except OSError as error:
        raise CommandError(f"{file}: can't be written: {error.strerror}") from error


@adapters.command("check")
@click.argument("files", metavar="FILE...", nargs=-1, type=click.Path(path_type=Path))
@installation_options
@json_option
@click.pass_context
def check_files(context: click.Context, said: Said, files: tuple[Path, ...], as_json: bool) -> None:
    """Tell every fault of YAML adapters, each with its line.

    Without a FILE all that lie beside the configuration file are checked. Exit status 1 where something is wrong.

    \b
    Example:
      lumail-gateway adapters check adapters/acme.yaml
    """
    chosen_files = files or tuple(yaml_files(own_adapters(said)))
    found = {str(file): _faults_of(file, own_adapters(said)) for file in chosen_files}
    if as_json:
        show_document({"files": [{"file": file, "faults": told} for file, told in found.items()]})
    else:
        for file, told in found.items():
            for line in told or [f"{file}: right"]:
                click.echo(printable(line))
        if not found:
            click.echo("no YAML adapter lies beside the configuration file")
    context.exit(FAULTS_FOUND if any(found.values()) else 0)


def _faults_of(file: Path, folder: Path) -> list[str]:
    try:
        adapter = adapter_of(file)
    except AdapterError as error:
        return str(error).splitlines()
    others = [one for one in yaml_files(folder) if one.absolute() != file.absolute()]
    own = {name: str(one) for one in others if (name := _name_in(one)) is not None}
    taken = {name: "an adapter that is shipped" for name in found_adapters() if file.absolute().parent != SHIPPED} | own
    return [f"{file}: the name {adapter.name} is taken by {taken[adapter.name]}"] if adapter.name in taken else []


def _name_in(file: Path) -> str | None:
    """The name of another file's adapter; None where that file is wrong itself."""
    try:
        return adapter_of(file).name
    except AdapterError:
        return None


@dataclass(frozen=True)
class _Example:
    case: str
    why: str
    faults: tuple[str, ...]


@adapters.command("test")
@click.argument("named", metavar="ADAPTER")
@installation_options
@json_option
@click.pass_context
def test_examples(context: click.Context, said: Said, named: str, as_json: bool) -> None:
    """Run an adapter's examples: payloads with what is expected of each.

    ADAPTER is a name or a YAML file. The examples of a file adapters/acme.yaml are adapters/acme/*.json; each says
    `why`, `body` and what to `expect`. Exit status 1 where one of them does not hold.

    \b
    Example:
      lumail-gateway adapters test adapters/acme.yaml
    """
    folder = own_adapters(said)
    adapter = chosen(named, folder)
    cases = samples(adapter.name, Path(named).absolute().parent if named.endswith((".yaml", ".yml")) else folder)
    at = datetime.now(UTC)
    ran = [_Example(case, one.why, tuple(faults(adapter, cases, case, at))) for case, one in cases.items()]
    without = list(unseen(adapter, cases, at))
    if as_json:
        show_document({"adapter": adapter.name, "examples": ran, "without_example": without})
    else:
        _show_examples(ran, without)
    context.exit(FAULTS_FOUND if any(one.faults for one in ran) or not ran else 0)


def _show_examples(ran: list[_Example], without: list[str]) -> None:
    for one in ran:
        click.echo(printable(f"{'fault' if one.faults else 'ok   '}  {one.case}: {one.why}"))
        for fault in one.faults:
            click.echo(printable(f"         {fault}"))
    if without:
        click.echo(printable(f"without an example: {', '.join(without)}"))
    failed = sum(bool(one.faults) for one in ran)
    click.echo(f"{counted(len(ran), 'example')}, {failed or 'none'} at fault" if ran else "no example yet")


@adapters.command("schema")
@installation_options
@json_option
def schema(said: Said, as_json: bool) -> None:
    """Print the JSON Schema of YAML adapters, for editors.

    It is JSON with and without --json.

    \b
    Example:
      lumail-gateway adapters schema > adapter.schema.json
    """
    show_document(json_schema())
