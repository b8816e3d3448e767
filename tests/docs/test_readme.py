"""README.md says what is so, and what it has people type works."""

import os
import re
import subprocess

import pytest

from gateway.events import MONEY_TYPES, faults_of
from gateway.translation import adapter, mail
from gateway.translation.adapter import Adapter
from gateway.translation.registry import default_sample
from tests.adapters.cases import ADAPTERS, NOW, Remembered, options_of, tell
from tests.cli.tryout import ROOT, Started
from tests.docs.test_links import PAGES
from tests.docs.test_provider_pages import table_under

README = (ROOT / "README.md").read_text()

PROOFS = {
    "Basic": "user and password",
    "BodyDigest": "MD5 with the API key, in the body",
    "BodySignature": "HMAC-SHA256, in the body",
    "Ecdsa": "ECDSA",
    "FormSignature": "HMAC-SHA1 of URL and form",
    "Hmac": "HMAC-SHA256",
    "PathToken": "a token in the URL",
    "PostalSignature": "RSA",
    "Sns": "RSA, with Amazon's certificate",
    "StandardWebhooks": "Standard Webhooks",
    "TwoSpellings": "HMAC-SHA256",
}
"""How requests are proven, by the class of the scheme that an adapter has where no option says otherwise."""

OWN_WORDS = "direct"
"""The adapter that is no provider's."""


def row(one: Adapter) -> list[str]:
    sample = default_sample(one.name)
    scheme = one.scheme(options_of(one, sample))
    makes = {made.type for made in tell(one, sample, Remembered()).events}
    kind = "payments" if makes & MONEY_TYPES else "e-mail"
    proof = PROOFS[type(scheme).__name__]
    page = f"[{one.name}.md](docs/providers/{one.name}.md)"
    return [one.title, f"`{one.name}`", "anything" if one.name == OWN_WORDS else kind, proof, page]


def test_the_table_of_providers_is_that_of_the_adapters() -> None:
    rows = sorted((row(one) for one in ADAPTERS), key=lambda cells: (cells[1] == f"`{OWN_WORDS}`", cells[0].lower()))
    assert table_under("| Provider |", README) == rows


def test_the_smallest_adapter_is_as_short_as_it_says() -> None:
    lines = {file.stem: len(file.read_text().splitlines()) for file in (ROOT / "adapters").glob("[!_]*.py")}
    lines.pop(OWN_WORDS)
    smallest = min(lines, key=lambda name: lines[name])
    title = next(one.title for one in ADAPTERS if one.name == smallest)
    assert f"of {lines[smallest]} lines in the smallest case ({title})" in " ".join(README.split())


def test_the_table_of_the_example_makes_events_that_lumail_takes() -> None:
    known = {**vars(mail), "mail": mail}
    exec(README.split("```python\n")[1].split("```")[0], known)
    handlers = mail.handlers(known["read"], known["TABLE"])
    item = {"to": "Ana@Example.com", "message": {"id": 17}, "kind": "permanent", "answer": "550 no such user"}
    for word, made in {"message.bounced": "EMAIL_BOUNCED", "message.reported": "EMAIL_COMPLAINED"}.items():
        context = adapter.Context("acme", NOW, Remembered())
        [event] = handlers[word](adapter.SourceEvent("m1", word, NOW, item), context).events
        assert (event.type, event.subscriber, faults_of(event)) == (made, "ana@example.com", {})


def test_what_up_greets_with_is_what_it_says(up: Started) -> None:
    greeting = README.split("```\nThe gateway runs")[1].split("```")[0]
    usual = up.said.replace(str(up.folder / "var"), "var").replace(" --data var", "")
    usual = usual.replace(up.password, "Kx3…").replace(str(up.port), "8000").replace(str(up.port + 1), "8001")
    assert f"\nThe gateway runs{greeting.replace('.venv/bin/', '')}\n" == usual


@pytest.mark.parametrize("source", ["stripe", "sendgrid"])
def test_what_send_shows_is_what_it_says(up: Started, source: str) -> None:
    shown = README.split(f"$ .venv/bin/lumail-gateway send {source}\n")[1].partition("\n$")[0].partition("\n```")[0]
    result = up.terminal.run("send", source)
    said = (result.stderr + result.stdout).replace(str(up.folder / "var"), "var")
    assert _masked(shown) == _masked(said).rstrip()


def _masked(text: str) -> str:
    """Without what differs from one run to the next."""
    text = re.sub(r"\b(wh|ev|evt)_[0-9a-f]+", r"\1_…", text)
    return re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:…", re.sub(r" *\d+\.\d{3} s", " … s", text))


def test_the_commands_that_it_names_work(up: Started) -> None:
    named = re.findall(
        r"`(?:\.venv/bin/lumail-gateway )?((?:status|check|events|webhooks|send|adapters)\b[^`]*)`", README
    )
    assert named
    for words in named:
        if words != "send":
            up.terminal.run(*words.partition(" --config")[0].split())


def test_the_targets_of_make_that_documents_name_are_there() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    named = {
        target for page in PAGES for target in re.findall(r"(?:^|[`;&] ?)make ([a-z]+)", page.read_text(), re.MULTILINE)
    }
    assert {"run", "test"} <= named <= targets


def test_make_run_ends_in_up() -> None:
    env = {**os.environ, "MAKEFLAGS": ""}  # not as a part of the make that runs the tests
    command = ["make", "--no-print-directory", "--dry-run", "run"]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == ".venv/bin/lumail-gateway up --sandbox"


def test_the_picture_is_small() -> None:
    picture = (ROOT / "docs" / "images" / "overview.png").read_bytes()
    assert (picture[:4], len(picture) < 150_000) == (b"\x89PNG", True)
