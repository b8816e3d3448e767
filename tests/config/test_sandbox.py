"""The sandbox runs with an empty environment, and touches nothing that is live."""

import stat
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import pytest
from dotenv import dotenv_values

from gateway.config import AdapterTerms, Flags, Source, child_environ, load, signing_secret
from gateway.config.environment import SHIPPED_FILE
from gateway.errors import ConfigError, StartError
from tests.config.configurations import ADAPTERS, ENVIRON, MINIMAL, faults, loaded

MAIL = """\
  mail:
    adapter: sendgrid
    secrets: ["${SENDGRID_WEBHOOK_PUBLIC_KEY}"]
"""


def test_unset_secrets_are_generated_and_kept_for_nobody_else_to_read(tmp_path: Path) -> None:
    config = loaded(tmp_path, MINIMAL + MAIL, {}, sandbox=True)
    file = tmp_path / "var" / "sandbox" / "secrets.env"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert dotenv_values(file, interpolate=False) == {
        "GATEWAY_SECRET_KEY": config.secret_key,
        "LUMAIL_API_TOKEN": config.destinations["main"].api_token,
        "STRIPE_WEBHOOK_SECRET": "whsec_made",
        "SENDGRID_WEBHOOK_PUBLIC_KEY": "made public",
        "SENDGRID_WEBHOOK_PUBLIC_KEY_SIGNING": "made 'private'\\",
    }
    assert [path.name for path in sorted(file.parent.iterdir())] == [".secrets.env.lock", "secrets.env"]


def test_the_next_start_finds_the_same_secrets(tmp_path: Path) -> None:
    assert loaded(tmp_path, MINIMAL, {}, sandbox=True) == loaded(tmp_path, MINIMAL, {}, sandbox=True)


def test_processes_that_start_at_once_find_the_same_secrets(tmp_path: Path) -> None:
    file = tmp_path / "gateway.yaml"
    file.write_text(MINIMAL)
    flags = Flags(file=file, data=tmp_path / "var", sandbox=True)
    with ThreadPoolExecutor(8) as threads:
        configs = list(threads.map(lambda _: load(flags, {}, ADAPTERS), range(8)))
    assert configs == configs[:1] * 8


def test_a_secret_that_is_set_wins_over_one_that_was_generated(tmp_path: Path) -> None:
    loaded(tmp_path, MINIMAL, {}, sandbox=True)
    assert loaded(tmp_path, MINIMAL, ENVIRON, sandbox=True).sources["stripe"].secrets == ("whsec_right",)


def test_a_secret_added_later_is_generated_beside_the_others(tmp_path: Path) -> None:
    before = loaded(tmp_path, MINIMAL, {}, sandbox=True)
    after = loaded(tmp_path, MINIMAL + MAIL, {}, sandbox=True)
    assert (after.secret_key, after.sources["mail"].secrets) == (before.secret_key, ("made public",))


def test_secret_files_and_parts_of_a_secret_are_generated_too(tmp_path: Path) -> None:
    text = MINIMAL.replace("${STRIPE_WEBHOOK_SECRET}", "whsec_${PART}").replace(
        "${LUMAIL_API_TOKEN}", "${file:/no/token}"
    )
    config = loaded(tmp_path, text, {}, sandbox=True)
    kept = dotenv_values(tmp_path / "var" / "sandbox" / "secrets.env")
    assert config.sources["stripe"].secrets == (f"whsec_{kept['PART']}",)
    assert config.destinations["main"].api_token == kept["FILE_NO_TOKEN"]


def test_nothing_live_is_touched(tmp_path: Path) -> None:
    live = ENVIRON | {"DATABASE_URL": "postgres://u:p@live/db", "REDIS_URL": "not even a URL"}
    text = MINIMAL.replace("sources:", "    base_url: https://lumail.io/api/v1\nsources:")
    config = loaded(tmp_path, text, live, sandbox=True)
    assert (config.data, config.redis_url) == (tmp_path / "var" / "sandbox", None)
    assert config.database_url == f"sqlite:///{tmp_path}/var/sandbox/gateway.db"
    assert config.destinations["main"].base_url == config.sandbox_url == "http://127.0.0.1:8001/api/v1"
    assert config.sources["stripe"].accept_test_events


def test_a_child_process_reads_the_same_configuration(tmp_path: Path) -> None:
    environ = {"GATEWAY_SANDBOX_URL": "http://127.0.0.1:9999/api/v1", "PORT": "9000"}
    sandbox = loaded(tmp_path, MINIMAL, environ)
    live = loaded(tmp_path, MINIMAL)
    assert sandbox.destinations["main"].base_url == "http://127.0.0.1:9999/api/v1"
    assert load(Flags(), child_environ(sandbox, {}), ADAPTERS) == sandbox
    assert load(Flags(), child_environ(live, ENVIRON), ADAPTERS) == live


def test_the_signing_half_is_found(tmp_path: Path) -> None:
    made = loaded(tmp_path, MINIMAL + MAIL, {}, sandbox=True)
    given = loaded(tmp_path, MINIMAL + MAIL, ENVIRON)
    assert [
        signing_secret(config, config.sources[name]) for config in (made, given) for name in ("stripe", "mail")
    ] == [
        "whsec_made",
        "made 'private'\\",
        "whsec_right",
        "public",
    ]


def test_what_is_no_secret_must_be_set_in_the_sandbox_too(tmp_path: Path) -> None:
    assert faults(tmp_path, "public_url: ${URL}\n" + MINIMAL, {}, sandbox=True) == [
        "gateway.yaml:1: public_url: environment variable URL is not set"
    ]
    assert not (tmp_path / "var").exists()


def test_a_generated_secret_that_fits_no_longer_is_told_with_its_place(tmp_path: Path) -> None:
    loaded(tmp_path, MINIMAL.replace("adapter: stripe", "adapter: postmark"), {}, sandbox=True)
    assert faults(tmp_path, MINIMAL, {}, sandbox=True) == [
        (
            "gateway.yaml:7: sources.stripe.secrets: must begin with whsec_ "
            f"(if it was generated, delete its line in {tmp_path}/var/sandbox/secrets.env)"
        )
    ]


def test_a_folder_that_can_not_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "var").write_text("a file")
    with pytest.raises(StartError, match=r"var/sandbox can't be written: Not a directory. Choose another with --data"):
        faults(tmp_path, MINIMAL, {}, sandbox=True)


def test_an_adapters_options_shape_what_is_generated(tmp_path: Path) -> None:
    terms = replace(ADAPTERS["postmark"], generate=lambda options: (f"{options['auth']} secret",) * 2)
    file = tmp_path / "gateway.yaml"
    file.write_text(MINIMAL.replace("adapter: stripe", "adapter: postmark\n    auth: bearer"))
    config = load(Flags(file=file, data=tmp_path, sandbox=True), {}, {"postmark": terms})
    assert config.sources["stripe"] == Source(
        name="stripe",
        adapter="postmark",
        destination="main",
        secrets=("bearer secret",),
        accept_test_events=True,
        options=MappingProxyType({"auth": "bearer"}),
    )


def test_a_source_that_does_without_a_secret_gets_one_to_sign_samples_with(tmp_path: Path) -> None:
    terms = {**ADAPTERS, "sendgrid": replace(ADAPTERS["sendgrid"], needs_secret=False)}
    file = tmp_path / "gateway.yaml"
    file.write_text(MINIMAL + MAIL.replace("mail:", "e-mail:").replace('"${SENDGRID_WEBHOOK_PUBLIC_KEY}"', ""))
    sandbox = load(Flags(file=file, data=tmp_path, sandbox=True), {}, terms)
    assert sandbox.sources["e-mail"].secrets == ("made public",)
    assert signing_secret(sandbox, sandbox.sources["e-mail"]) == "made 'private'\\"
    live = load(Flags(file=file, data=tmp_path), ENVIRON, terms)
    assert live.sources["e-mail"].secrets == ()
    with pytest.raises(ConfigError, match="has no secret to sign with"):
        signing_secret(live, live.sources["e-mail"])


def test_the_shipped_configuration_loads_with_an_empty_environment(tmp_path: Path) -> None:
    adapters: dict[str, AdapterTerms] = {name: ADAPTERS[name] for name in ("stripe", "sendgrid")}
    config = load(Flags(file=SHIPPED_FILE, data=tmp_path, sandbox=True), {}, adapters)
    assert (list(config.destinations), list(config.sources)) == (["main"], ["stripe", "sendgrid"])


def test_the_shipped_configuration_still_loads_with_its_suggestions_taken(tmp_path: Path) -> None:
    suggestions = ("public_url", "forward", "enabled")
    text = SHIPPED_FILE.read_text()
    for word in suggestions:
        assert text.count(f"# {word}: ") == 1
        text = text.replace(f"# {word}: ", f"{word}: ")
    config = loaded(tmp_path, text, {}, sandbox=True)
    assert (config.public_url, config.disabled_sources) == ("https://hooks.example.com", frozenset({"sendgrid"}))
