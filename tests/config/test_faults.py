"""What is said of a wrong configuration: where, what, and what would be right."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from yaml import safe_dump

from gateway.config import Flags, load
from gateway.config.schemas import LATER, DestinationSchema, FileSchema, SourceSchema, keys_of
from gateway.errors import ConfigError
from tests.config.configurations import ADAPTERS, ENVIRON, MINIMAL, faults

COMMON = (
    "accept_test_events, account, adapter, destination, enabled, expect_every, expire_after, forward, ignore, max_age, "
    "once_per, secrets, settle_seconds"
)
TYPES = (
    "EMAIL_BOUNCED, EMAIL_CLICKED, EMAIL_COMPLAINED, EMAIL_DELIVERY_DELAYED, EMAIL_OPENED, EMAIL_RECEIVED, "
    "EMAIL_SENT, FIELD_UPDATED, SUBSCRIBED, SUBSCRIBER_PAYMENT, SUBSCRIBER_REFUND, TAG_ADDED, TAG_REMOVED, "
    "UNSUBSCRIBED, WEBHOOK_EXECUTED, WORKFLOW_CANCELED, WORKFLOW_COMPLETED, WORKFLOW_STARTED"
)
REFERENCE = "secrets stand in the environment or a secret file; write ${NAME} or ${file:/path}"
NAME = "a name is of a-z, 0-9, _ and -, and begins with a letter or digit"
TIME = "must be a time such as 90s, 15m, 12h or 30d, from 1s to 3650d"
ADDRESS = "must be an address such as https://hooks.example.com, without user, ? and #"
PROXY = "must be http://proxy.example:3128 or http://user:password@proxy.example:3128, percent-encoded"
KEY = "`openssl rand -hex 32` makes one; it must be the same on all hosts"
SECRET = '["${STRIPE_WEBHOOK_SECRET}"]'

OF_A_SOURCE = {
    f"secrets: {SECRET}": "8: sources.stripe.secrets: this key stands twice; the first is in line 7",
    "secret: x": f"8: sources.stripe.secret: unknown key; allowed here: {COMMON}; did you mean secrets?",
    "gift_card_sales: count": (
        "8: sources.stripe.gift_card_sales: only Shopify's webhooks say how much of an order a gift card paid, so only "
        "there a card may count when it is sold; leave it out here (docs/money.md says when a card counts)"
    ),
    "settle_seconds: five": "8: sources.stripe.settle_seconds: must be a whole number from 0 to 86400",
    "settle_seconds: true": "8: sources.stripe.settle_seconds: must be a whole number from 0 to 86400",
    "settle_seconds: 1.5": "8: sources.stripe.settle_seconds: must be a whole number from 0 to 86400",
    "settle_seconds:": "8: sources.stripe.settle_seconds: has no value",
    "accept_test_events: 1": "8: sources.stripe.accept_test_events: must be true or false",
    "ignore: charge.pending": (
        "8: sources.stripe.ignore: must be a list of types in the provider's words; a name may end in *"
    ),
    "expect_every: soon": f"8: sources.stripe.expect_every: {TIME}",
    "max_age: soon": f"8: sources.stripe.max_age: {TIME}",
    "max_age: 0s": f"8: sources.stripe.max_age: {TIME}",
    "max_age: 99999d": f"8: sources.stripe.max_age: {TIME}",
    "destination: mian": "8: sources.stripe.destination: no such destination; there is main; did you mean main?",
    "destination: [main]": "8: sources.stripe.destination: must be text; put quotes around it",
    "forward: EMAIL_SENT": "8: sources.stripe.forward: must be `all` or a list of event types",
    "forward: []": "8: sources.stripe.forward: must be `all` or a list of event types",
    "forward: [SUBSCRIBE_PAYMENT]": (
        f"8: sources.stripe.forward: not an event type; allowed: {TYPES}; did you mean SUBSCRIBER_PAYMENT?"
    ),
    "forward:\n    - SUBSCRIBED\n    - email_opened": (
        f"10: sources.stripe.forward: item 2: not an event type; allowed: {TYPES}; did you mean EMAIL_OPENED?"
    ),
    "expire_after: 2d": "8: sources.stripe.expire_after: must be a mapping of event types, such as {EMAIL_OPENED: 2d}",
    "expire_after: {EMAIL_OPENED: soon}": f"8: sources.stripe.expire_after.EMAIL_OPENED: {TIME}",
    "expire_after: {EMAIL_OPEND: 2d}": (
        f"8: sources.stripe.expire_after.EMAIL_OPEND: not an event type; allowed: {TYPES}; did you mean EMAIL_OPENED?"
    ),
    "once_per: {EMAIL_OPENED: emailid}": (
        "8: sources.stripe.once_per.EMAIL_OPENED: must be a field of EMAIL_OPENED: campaignId, emailId, subject; "
        "did you mean emailId?"
    ),
    "path: x": "8: sources.stripe.path: comes with a later version; leave it out for now",
    "enabled: !yes true": "8: sources.stripe.enabled: YAML tags are not read here; write the plain value",
    "[a, b]: 1": "8: sources.stripe: a key must be a plain word",
    "max_age: ${AGE": "8: sources.stripe.max_age: a reference is ${NAME} or ${file:/path}; a plain ${ is written $${",
    "max_age: ${AGE:-5s}": (
        "8: sources.stripe.max_age: a reference is ${NAME} or ${file:/path}; a plain ${ is written $${"
    ),
}


@pytest.mark.parametrize("line", OF_A_SOURCE)
def test_a_fault_of_a_source_is_told(tmp_path: Path, line: str) -> None:
    assert faults(tmp_path, f"{MINIMAL}    {line}\n") == [f"gateway.yaml:{OF_A_SOURCE[line]}"]


INSTEAD = {
    (SECRET, "[]"): "7: sources.stripe.secrets: is empty; an endpoint without a secret would take anybody's word",
    (SECRET, "${STRIPE_WEBHOOK_SECRET}"): (
        "7: sources.stripe.secrets: must be a list; several secrets stand there while one is replaced"
    ),
    (SECRET, "[whsec_plain]"): f"7: sources.stripe.secrets: {REFERENCE}",
    (SECRET, "['${STRIPE}']"): "7: sources.stripe.secrets: environment variable STRIPE is not set",
    (SECRET, "['${EMPTY}']"): "7: sources.stripe.secrets: environment variable EMPTY is empty",
    (SECRET, "['${SPACED}']"): "7: sources.stripe.secrets: has spaces or line ends around it",
    (SECRET, "['${file:/no/such}']"): (
        "7: sources.stripe.secrets: file /no/such can't be read: No such file or directory"
    ),
    (SECRET, "['${LUMAIL_API_TOKEN}']"): "7: sources.stripe.secrets: must begin with whsec_",
    (f"    secrets: {SECRET}\n", ""): "5: sources.stripe.secrets: is missing",
    ("adapter: stripe", "adapter: strip"): (
        "6: sources.stripe.adapter: no such adapter; there is postmark, sendgrid, stripe; did you mean stripe?"
    ),
    ("    adapter: stripe\n", ""): "5: sources.stripe.adapter: is missing",
    ("  stripe:", "  Stripe!:"): f"5: sources.'Stripe!': {NAME}",
    ("  stripe:", "  -stripe:"): f"5: sources.-stripe: {NAME}",
    ("${LUMAIL_API_TOKEN}", "lum_plain"): f"3: destinations.main.api_token: {REFERENCE}",
    ("${LUMAIL_API_TOKEN}", "${NONE}"): "3: destinations.main.api_token: environment variable NONE is not set",
    ("${LUMAIL_API_TOKEN}", "${TWO_WORDS}"): (
        "3: destinations.main.api_token: has characters that can't stand in a request header"
    ),
    ("sources:", "    plan: premum\nsources:"): (
        "4: destinations.main.plan: must be one of free, premium, enterprise; did you mean premium?"
    ),
    ("sources:", "    requests_per_minute: 5\n    plan: free\nsources:"): (
        "4: destinations.main.requests_per_minute: plan says it already; keep one of the two"
    ),
    ("sources:", "    base_url: ftp://lumail.io\nsources:"): f"4: destinations.main.base_url: {ADDRESS}",
    ("sources:", "    base_url: https://u:p@lumail.io\nsources:"): f"4: destinations.main.base_url: {ADDRESS}",
    ("sources:", "    base_url: 'https://lumail.io:x'\nsources:"): f"4: destinations.main.base_url: {ADDRESS}",
    ("sources:", "    proxy: socks5://127.0.0.1:1080\nsources:"): f"4: destinations.main.proxy: {PROXY}; or none",
    ("sources:", "    proxy: http://proxy:port\nsources:"): f"4: destinations.main.proxy: {PROXY}; or none",
    ("sources:", "    proxy: http://u:plain@proxy:3128\nsources:"): (
        "4: destinations.main.proxy: a password stands in the environment or a secret file; write ${NAME} for it"
    ),
    ("sources:", "    ca_file: no/such.pem\nsources:"): (
        "4: destinations.main.ca_file: can't be read: No such file or directory"
    ),
    ("sources:", "    ca_file: gateway.yaml\nsources:"): (
        "4: destinations.main.ca_file: holds no certificates (PEM) that can be read"
    ),
    ("destinations:", "outgoing: {ca_file: /no/such.pem}\ndestinations:"): (
        "1: outgoing.ca_file: can't be read: No such file or directory"
    ),
    ("destinations:", "outgoing: {proxy: proxy.example:3128}\ndestinations:"): f"1: outgoing.proxy: {PROXY}; or none",
    ("destinations:", "outgoing: {proxys: x}\ndestinations:"): (
        "1: outgoing.proxys: unknown key; allowed here: ca_file, proxy, use_environment; did you mean proxy?"
    ),
    ("sources:", "    doubt_seconds: {all: 9}\nsources:"): (
        "4: destinations.main.doubt_seconds.all: unknown key; allowed here: money, other"
    ),
    ("sources:", "    doubt_seconds: 9\nsources:"): "4: destinations.main.doubt_seconds: must be a mapping",
    ("sources:", "    hold_for: ever\nsources:"): f"4: destinations.main.hold_for: {TIME}",
    ("sources:", "    refund_sign: minus\nsources:"): (
        "4: destinations.main.refund_sign: must be one of positive, negative"
    ),
    ("sources:", '  other: {api_token: "${LUMAIL_API_TOKEN}"}\nsources:'): (
        "6: sources.stripe: destination is missing, and there are several: main, other"
    ),
    ("destinations:", "retention: {events: ever}\ndestinations:"): f"1: retention.events: {TIME}",
    ("destinations:", "retention: {body: 30d}\ndestinations:"): (
        "1: retention.body: unknown key; allowed here: attempts, bodies, events, memory; did you mean bodies?"
    ),
    ("destinations:", "max_body: 1\ndestinations:"): (
        "1: max_body: unknown key; allowed here: destinations, max_body_mb, outgoing, public_url, retention, "
        "sources, trusted_proxies; did you mean max_body_mb?"
    ),
    ("destinations:", "public_url: ${URL}\ndestinations:"): "1: public_url: environment variable URL is not set",
}


@pytest.mark.parametrize(("old", "new"), INSTEAD)
def test_a_fault_is_told_with_its_place_and_what_is_right(tmp_path: Path, old: str, new: str) -> None:
    environ = ENVIRON | {"EMPTY": "", "SPACED": "whsec_x\n", "TWO_WORDS": "lum_x y"}
    assert faults(tmp_path, MINIMAL.replace(old, new, 1), environ) == [f"gateway.yaml:{INSTEAD[old, new]}"]


OF_A_WHOLE_FILE = {
    "": "1: the file is empty; it needs destinations and sources",
    "- a\n- b": "1: must be a mapping with destinations and sources",
    "a: b\n c: 'whsec_x'": "2: not YAML: mapping values are not allowed here",
    "a: [b\n---": "2: not YAML: expected ',' or ']', but got '<document start>'",
    "a: *whsec_x": "1: not YAML: found undefined alias '…'",
    "a: 1\nb: \x00": "2: a character that YAML does not allow",
    'a: "\\UFFFFFFFF"': "1: not YAML: a number or an escaped character is out of range",
    "[" * 5000: "1: nested too deeply",
}


@pytest.mark.parametrize("text", OF_A_WHOLE_FILE)
def test_a_file_that_can_not_be_read_is_told(tmp_path: Path, text: str) -> None:
    assert faults(tmp_path, text) == [f"gateway.yaml:{OF_A_WHOLE_FILE[text]}"]


def test_a_file_that_is_not_there_or_not_text_is_told(tmp_path: Path) -> None:
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    told = []
    for name in ("none.yaml", "binary.yaml"):
        with pytest.raises(ConfigError) as error:
            load(Flags(file=tmp_path / name), ENVIRON, ADAPTERS)
        told.append(str(error.value).removeprefix(f"{tmp_path}/"))
    assert told == [
        "none.yaml: can't be read: No such file or directory; name the file with --config or GATEWAY_CONFIG",
        "binary.yaml: is not UTF-8 text",
    ]


def test_aliases_can_neither_hold_themselves_nor_fill_the_memory(tmp_path: Path) -> None:
    bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 9)
    )
    assert "gateway.yaml:2: sources.main: an alias that holds itself, or too many values" in faults(
        tmp_path, "sources: &all\n  main: *all"
    )
    assert any("too many values" in fault for fault in faults(tmp_path, bomb))


ALL_WRONG = """\
public_ur: https://hooks.example.com
destinations:
  main:
    api_token: ${NO_TOKEN}
    plan: premum
  Other: {api_token: "${NO_TOKEN}"}
  third:
sources:
  stripe:
    adapter: strip
    secrets: []
    destination: mian
  mail:
    adapter: postmark
    secrets: ["${ONE}", "${STRIPE_WEBHOOK_SECRET}", "${TWO}"]
    auth: 5
    account: [x]
    destination: main
    adapter: postmark
"""


def test_all_faults_are_told_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    assert faults(
        tmp_path, ALL_WRONG, {"STRIPE_WEBHOOK_SECRET": "whsec_x", "PORT": "80000", "REDIS_URL": "localhost"}
    ) == [
        (
            "gateway.yaml:1: public_ur: unknown key; allowed here: destinations, max_body_mb, outgoing, public_url, "
            "retention, sources, trusted_proxies; did you mean public_url?"
        ),
        "gateway.yaml:4: destinations.main.api_token: environment variable NO_TOKEN is not set",
        "gateway.yaml:5: destinations.main.plan: must be one of free, premium, enterprise; did you mean premium?",
        f"gateway.yaml:6: destinations.Other: {NAME}",
        "gateway.yaml:6: destinations.Other.api_token: environment variable NO_TOKEN is not set",
        "gateway.yaml:7: destinations.third: must be a mapping of keys to values",
        (
            "gateway.yaml:10: sources.stripe.adapter: no such adapter; there is postmark, sendgrid, stripe; "
            "did you mean stripe?"
        ),
        "gateway.yaml:11: sources.stripe.secrets: is empty; an endpoint without a secret would take anybody's word",
        (
            "gateway.yaml:12: sources.stripe.destination: no such destination; there is Other, main, third; "
            "did you mean main?"
        ),
        "gateway.yaml:15: sources.mail.secrets: item 1: environment variable ONE is not set",
        "gateway.yaml:15: sources.mail.secrets: item 3: environment variable TWO is not set",
        "gateway.yaml:16: sources.mail.auth: Not a valid string.",
        "gateway.yaml:17: sources.mail.account: must be text; put quotes around it",
        "gateway.yaml:19: sources.mail.adapter: this key stands twice; the first is in line 14",
        (
            "environment: REDIS_URL: must be redis://host:6379/0, rediss://…, unix:///path/to/socket or "
            "redis+sentinel://host:26379,…/master/0"
        ),
        "environment: PORT: must be a whole number from 1 to 65535",
        f"environment: GATEWAY_SECRET_KEY: is not set; {KEY}",
    ]


def test_no_fault_quotes_a_secret(tmp_path: Path) -> None:
    words = ("max_age", "forward", "destination", "settle_seconds", "accept_test_events", "auth", "accounts", "enabled")
    text = MINIMAL.replace("adapter: stripe", "adapter: postmark") + "".join(f"    {word}: ${{S}}\n" for word in words)
    text = text.replace("sources:", "    plan: ${S}\n    base_url: ${S}\n    api_token: x\nsources:")
    environ = dict.fromkeys(("S", "LUMAIL_API_TOKEN", "GATEWAY_SECRET_KEY", "DATABASE_URL", "REDIS_URL"), "hidden")
    told = faults(tmp_path, text, environ | {"STRIPE_WEBHOOK_SECRET": " hidden", "PORT": "hidden"})
    assert (len(told), "hidden" in "".join(told)) == (15, False)


def test_a_source_that_is_off_needs_no_secret_but_must_be_right(tmp_path: Path) -> None:
    text = MINIMAL.replace("STRIPE_WEBHOOK", "UNSET") + "    enabled: false\n    max_age: ${ALSO_UNSET}\n    path: x\n"
    assert faults(tmp_path, text) == [
        "gateway.yaml:10: sources.stripe.path: comes with a later version; leave it out for now"
    ]


def test_an_adapter_that_knows_a_later_key_takes_it(tmp_path: Path) -> None:
    text = MINIMAL.replace("adapter: stripe", "adapter: postmark")
    assert faults(tmp_path, text + "    accounts: [1]\n    path_token: x\n") == [
        "gateway.yaml:9: sources.stripe.path_token: comes with a later version; leave it out for now"
    ]


def test_no_key_is_known_and_put_off_at_once() -> None:
    known = {*keys_of(FileSchema())}
    known |= {f"destinations.*.{key}" for key in keys_of(DestinationSchema())}
    known |= {f"sources.*.{key}" for key in keys_of(SourceSchema())}
    assert known & LATER == set()


DATABASES = {
    "mysql://u:p@db/x": False,
    "postgresql+asyncpg://db/x": False,
    "sqlite://": False,
    "sqlite:///:memory:": False,
    "sqlite:////srv/gateway.db": True,
    "postgres://u:p@db/x?sslmode=require": True,
}


@pytest.mark.parametrize("url", DATABASES)
def test_only_databases_that_keep_what_they_are_told_are_taken(tmp_path: Path, url: str) -> None:
    expected = "environment: DATABASE_URL: must be postgresql://user:password@host/name or sqlite:///path/to/file"
    told = faults(tmp_path, MINIMAL, {**ENVIRON, "DATABASE_URL": url, "PORT": "0"})
    assert told[:-1] == ([] if DATABASES[url] else [expected])


_WORDS = some.sampled_from(
    ["destinations", "sources", "stripe", "adapter", "secrets", "forward", "plan", "${X}", "all", "$${", "<<", "main"]
)
_SCALARS = some.one_of(some.none(), some.booleans(), some.integers(), some.floats(), some.text(), some.dates(), _WORDS)
_VALUES = some.recursive(
    _SCALARS, lambda inner: some.lists(inner) | some.dictionaries(_WORDS | some.text() | some.integers(), inner)
)


@given(value=_VALUES, text=some.text())
@settings(deadline=None, max_examples=200)
def test_whatever_a_file_holds_only_a_config_error_is_raised(
    tmp_path_factory: pytest.TempPathFactory, value: object, text: str
) -> None:
    folder = tmp_path_factory.mktemp("any")
    for content in (safe_dump(value), text, MINIMAL + text, MINIMAL + safe_dump({"public_url": value})):
        file = folder / "gateway.yaml"
        file.write_bytes(content.encode(errors="replace"))
        assert all(fault.startswith(str(file)) and fault.isprintable() for fault in _faults_if_any(file))


@given(cut=some.integers(0, len(MINIMAL)), length=some.integers(0, 30), put=some.text(max_size=5) | _WORDS)
@settings(deadline=None, max_examples=200)
def test_a_slip_of_the_pen_raises_nothing_but_a_config_error(
    tmp_path_factory: pytest.TempPathFactory, cut: int, length: int, put: str
) -> None:
    file = tmp_path_factory.mktemp("slip") / "gateway.yaml"
    file.write_text(MINIMAL[:cut] + put + MINIMAL[cut + length :])
    assert all(fault.startswith(str(file)) for fault in _faults_if_any(file))


def _faults_if_any(file: Path) -> tuple[str, ...]:
    try:
        load(Flags(file=file), ENVIRON, ADAPTERS)
    except ConfigError as error:
        return error.faults
    return ()
