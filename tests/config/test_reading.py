"""What a right configuration becomes."""

from datetime import timedelta
from pathlib import Path

import pytest

from gateway.config import Config, Destination, Retention, Source
from gateway.events import DEFAULT_FORWARDED, WRITABLE_TYPES, EventType
from tests.config.configurations import ENVIRON, MINIMAL, loaded


def test_what_is_left_out_has_its_default(tmp_path: Path) -> None:
    assert loaded(tmp_path, MINIMAL) == Config(
        file=tmp_path / "gateway.yaml",
        data=tmp_path / "var",
        sandbox=False,
        public_url="http://127.0.0.1:8000",
        trusted_proxies=0,
        max_body_bytes=10 * 1024 * 1024,
        destinations={"main": Destination("main", "https://lumail.io/api/v1", "lum_of_tests", 100, 600, 120)},
        sources={"stripe": Source("stripe", "stripe", "main", ("whsec_right",), DEFAULT_FORWARDED, 5, False, None, {})},
        disabled_sources=frozenset(),
        database_url=f"sqlite:///{tmp_path}/var/gateway.db",
        redis_url=None,
        secret_key="key-of-the-tests" * 2,
        metrics_token=None,
        host="127.0.0.1",
        port=8000,
        sandbox_url=None,
    )


EVERYTHING = """\
public_url: https://hooks.example.com/
trusted_proxies: 1
max_body_mb: 2
retention: {bodies: 7d, events: 800d}
destinations:
  main:
    api_token: ${LUMAIL_API_TOKEN}
    base_url: https://api.lumail.io/v1/
    requests_per_minute: 450
    doubt_seconds: {money: 900}
  second-one:
    api_token: ${LUMAIL_API_TOKEN}
    plan: premium
sources:
  stripe:
    adapter: stripe
    secrets: ["${STRIPE_WEBHOOK_SECRET}", "whsec_${LUMAIL_API_TOKEN}"]
    destination: main
    settle_seconds: 0
    accept_test_events: true
    max_age: 12h
  mail_2:
    adapter: postmark
    secrets: ["user:${LUMAIL_API_TOKEN}"]
    destination: second-one
    forward: [EMAIL_OPENED, EMAIL_DELIVERY_DELAYED]
    accounts: [1, 2]
  off:
    adapter: sendgrid
    secrets: ["${NOT_SET_YET}"]
    destination: main
    enabled: false
"""


def test_every_key_is_read(tmp_path: Path) -> None:
    config = loaded(tmp_path, EVERYTHING)
    options = {"auth": "basic", "accounts": [1, 2]}
    opened = frozenset({EventType.EMAIL_OPENED, EventType.EMAIL_DELIVERY_DELAYED})
    assert (config.public_url, config.trusted_proxies, config.max_body_bytes) == ("https://hooks.example.com", 1, 2**21)
    assert config.retention == Retention(bodies=timedelta(days=7), events=timedelta(days=800))
    assert config.destinations == {
        "main": Destination("main", "https://api.lumail.io/v1", "lum_of_tests", 450, 900, 120),
        "second-one": Destination("second-one", "https://lumail.io/api/v1", "lum_of_tests", 700),
    }
    assert config.sources == {
        "stripe": Source(
            name="stripe",
            adapter="stripe",
            destination="main",
            secrets=("whsec_right", "whsec_lum_of_tests"),
            settle_seconds=0,
            accept_test_events=True,
            max_age=timedelta(hours=12),
        ),
        "mail_2": Source("mail_2", "postmark", "second-one", ("user:lum_of_tests",), opened, options=options),
    }
    assert config.disabled_sources == {"off"}


@pytest.mark.parametrize(("plan", "limit"), [("free", 100), ("premium", 700), ("enterprise", 2000)])
def test_a_plan_is_a_number_of_requests_a_minute(tmp_path: Path, plan: str, limit: int) -> None:
    text = MINIMAL.replace("sources:", f"    plan: {plan}\nsources:")
    assert loaded(tmp_path, text).destinations["main"].requests_per_minute == limit


def test_all_forwards_what_lumail_lists_for_writing(tmp_path: Path) -> None:
    assert loaded(tmp_path, MINIMAL + "    forward: all\n").sources["stripe"].forward == WRITABLE_TYPES


@pytest.mark.parametrize(
    ("written", "seconds"),
    [("90s", 90), ("15m", 900), ("12h", 43_200), ("30d", 2_592_000), ("300", 300), ('"300"', 300), ("${AGE}", 7)],
)
def test_times_have_a_unit_or_are_seconds(tmp_path: Path, written: str, seconds: int) -> None:
    config = loaded(tmp_path, f"{MINIMAL}    max_age: {written}\n", ENVIRON | {"AGE": "7s"})
    assert config.sources["stripe"].max_age == timedelta(seconds=seconds)


def test_numbers_and_switches_may_come_from_the_environment(tmp_path: Path) -> None:
    text = MINIMAL + "    settle_seconds: ${SETTLE}\n    enabled: ${STRIPE_ON}\n"
    off = loaded(tmp_path, text, ENVIRON | {"SETTLE": "9", "STRIPE_ON": "false"})
    on = loaded(tmp_path, text, ENVIRON | {"SETTLE": "9", "STRIPE_ON": "true"})
    assert (off.disabled_sources, on.sources["stripe"].settle_seconds) == (frozenset({"stripe"}), 9)


def test_a_secret_file_is_read_without_its_last_line_end(tmp_path: Path) -> None:
    (tmp_path / "stripe").write_text("whsec_file\n")
    text = MINIMAL.replace("${STRIPE_WEBHOOK_SECRET}", f"${{file:{tmp_path}/stripe}}")
    relative = MINIMAL.replace("${STRIPE_WEBHOOK_SECRET}", "${file:stripe}")
    assert loaded(tmp_path, text).sources["stripe"].secrets == ("whsec_file",)
    assert loaded(tmp_path, relative).sources["stripe"].secrets == ("whsec_file",)


def test_a_doubled_dollar_is_a_plain_one_and_values_are_not_read_again(tmp_path: Path) -> None:
    text = MINIMAL.replace('"${STRIPE_WEBHOOK_SECRET}"', '"whsec_$${HOME}${STRIPE_WEBHOOK_SECRET}"')
    config = loaded(tmp_path, text, ENVIRON | {"STRIPE_WEBHOOK_SECRET": "${LUMAIL_API_TOKEN}"})
    assert config.sources["stripe"].secrets == ("whsec_${HOME}${LUMAIL_API_TOKEN}",)


def test_keys_may_be_shared_by_an_alias(tmp_path: Path) -> None:
    text = MINIMAL + "    forward: &some [SUBSCRIBED]\n  other:\n    adapter: sendgrid\n"
    text += '    secrets: ["${SENDGRID_WEBHOOK_PUBLIC_KEY}"]\n    forward: *some\n'
    assert loaded(tmp_path, text).sources["other"].forward == {EventType.SUBSCRIBED}


def test_words_that_yaml_takes_for_something_else_are_names(tmp_path: Path) -> None:
    text = MINIMAL.replace("  stripe:", "  on:") + "  2026-01-01:" + MINIMAL.split("  stripe:")[1]
    assert list(loaded(tmp_path, text).sources) == ["on", "2026-01-01"]


def test_no_secret_is_in_the_repr(tmp_path: Path) -> None:
    secret = {"DATABASE_URL": "postgres://u:hidden1@db/x", "REDIS_URL": "redis://:hidden2@r/0"}
    secret |= {"GATEWAY_METRICS_TOKEN": "hidden3", "STRIPE_WEBHOOK_SECRET": "whsec_hidden4"}
    secret |= {"LUMAIL_API_TOKEN": "hidden5", "GATEWAY_SECRET_KEY": "hidden6" * 9, "AUTH": "hidden7"}
    text = MINIMAL + '  mail:\n    adapter: postmark\n    secrets: ["${AUTH}"]\n    auth: ${AUTH}\n'
    config = loaded(tmp_path, text, secret)
    assert config.sources["mail"].options["auth"] == "hidden7"
    assert "hidden" not in f"{config!r} {config!s}"
