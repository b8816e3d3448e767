"""What strangers try besides at a running gateway: captured signatures, guesses, odd content, Redis, the sign-in."""

import http.client
import re
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import redis
import requests
from rq import Queue
from rq.serializers import JSONSerializer

from gateway.runtime import private_redis
from gateway.runtime.wakeups import QUEUES
from gateway.translation.registry import adapters, default_sample
from gateway.translation.sample import freshen
from gateway.translation.webhook import Headers, Webhook
from tests.attack.figures import cost_of
from tests.crash.installation import MAIL, SENDGRID, STRIPE, Installation, Setup, installation
from tests.odd_content import BODIES
from tests.waiting import eventually

KEY = "key-0123456789abcdef0123456789abcdef"
SOURCES: Mapping[str, Mapping[str, object]] = {
    "stripe": STRIPE,
    "sendgrid": SENDGRID,
    "mailgun": {"adapter": "mailgun", "secrets": ["${ATTACKED}"], "destination": "main"},
    "mailgun_too": {"adapter": "mailgun", "secrets": ["${ATTACKED}"], "destination": "other"},
    "postmark": {"adapter": "postmark", "secrets": ["${ATTACKED_BASIC}"]},
}
SOURCES = {name: {"destination": "main", **source} for name, source in SOURCES.items()}
SETUP = Setup(destinations={"main": {}, "other": {}}, sources=SOURCES, web=2, workers=1)
ENVIRON = {"ATTACKED": KEY, "ATTACKED_BASIC": f"gateway:{KEY}"}


def posted(running: Installation, path: str, webhook: Webhook) -> requests.Response:
    return requests.post(f"{running.url}{path}", data=webhook.body, headers=dict(webhook.headers), timeout=30)


def one_signature_for_two_events(running: Installation) -> None:
    scheme, now = adapters()["mailgun"].scheme({}), datetime.now(UTC)
    sample = freshen(default_sample("mailgun"), now, "captured").webhook("mailgun", "", now)
    captured = scheme.sign(sample, KEY, now)
    forged = replace(captured, body=re.sub(rb'"id": ?"[^"]+"', b'"id": "another"', captured.body, count=1))
    paths = ("/webhooks/mailgun", "/webhooks/mailgun_too")
    taken = [posted(running, path, captured).status_code for path in (*paths, *paths)]
    refused = [posted(running, path, forged).status_code for path in paths]
    assert forged.body != captured.body
    assert (taken, refused) == ([200] * 4, [401] * 2)


def guesses_of_a_shared_secret(running: Installation) -> None:
    scheme, now = adapters()["postmark"].scheme({}), datetime.now(UTC)
    sample = default_sample("postmark").webhook("postmark", "", now)
    guesses = [scheme.sign(sample, f"gateway:guess-{number}", now) for number in range(40)]
    with ThreadPoolExecutor(8) as threads:
        told = list(threads.map(lambda guess: posted(running, "/webhooks/postmark", guess).status_code, guesses))
    assert set(told) == {401}
    genuine = scheme.sign(sample, ENVIRON["ATTACKED_BASIC"], now)
    assert posted(running, "/webhooks/postmark", genuine).status_code == 200


def odd_content(running: Installation) -> None:
    scheme, now = adapters()["sendgrid"].scheme({}), datetime.now(UTC)
    headers = Headers({"Content-Type": "application/json"})
    told = {
        name: posted(
            running, "/webhooks/sendgrid", scheme.sign(Webhook("sendgrid", "", headers, body, now), MAIL.signing, now)
        ).status_code
        for name, body in BODIES.items()
    }
    assert {name: status for name, status in told.items() if status != 200} == {}


def calls_in_redis(running: Installation) -> None:
    data = running.log.parent / "data"
    proof = running.log.parent / "proof"
    with closing(redis.Redis.from_url(private_redis.url(data))) as connection:
        queue = Queue(QUEUES[-1], connection=connection, serializer=JSONSerializer)
        for _ in range(50):
            queue.enqueue("os.system", f"touch {proof}")
            Queue(QUEUES[-1], connection=connection).enqueue("os.system", f"touch {proof}")
        connection.set("rq:suspended", 1)
    eventually(lambda: running.lines("worker.call_dropped"), within=30, what="the calls are dropped")
    assert not proof.exists()


def passwords(running: Installation) -> None:
    with requests.Session() as browser:
        page = browser.get(f"{running.url}/sign-in", timeout=30).text
        found = re.search(r'name="csrf_token" value="([^"]+)"', page)
        fields = {"csrf_token": found[1] if found else "", "name": "nobody\ufffd", "password": "wrong"}
        told = [browser.post(f"{running.url}/sign-in", fields, timeout=30).status_code for _ in range(20)]
        fields |= {"name": "nobody\0"}
        odd = browser.post(f"{running.url}/sign-in", fields, timeout=30).status_code
    assert set(told) == {401, 429}
    assert odd == 400


def bodies_to_nobody(running: Installation) -> None:
    host, _, port = running.url.removeprefix("http://").partition(":")
    with closing(http.client.HTTPConnection(host, int(port), timeout=30)) as connection:
        connection.connect()
        kept = connection.sock
        for _ in range(10):
            connection.request("POST", "/webhooks/nobody", body=bytes(5_000_000))
            answer = connection.getresponse()
            assert (answer.status, bool(answer.read())) == (404, True)
        assert connection.sock is kept


ATTACKS: Mapping[str, Callable[[Installation], None]] = {
    "one captured signature of Mailgun for two events": one_signature_for_two_events,
    "40 guesses of a shared secret": guesses_of_a_shared_secret,
    f"{len(BODIES)} signed bodies of odd content": odd_content,
    "100 calls of os.system in Redis": calls_in_redis,
    "20 wrong passwords": passwords,
    "10 bodies of 5 MB to a source that is not there": bodies_to_nobody,
}


def test_nothing_that_strangers_try_gets_through_or_keeps_genuine_webhooks_waiting(
    tmp_path: Path, installed_url: str
) -> None:
    answers: set[int] = set()
    with installation(tmp_path, installed_url, SETUP, ENVIRON) as running:
        for name, attack in ATTACKS.items():
            with cost_of(name, running) as cost, ThreadPoolExecutor(1) as threads:
                attacking = threads.submit(attack, running)
                while not attacking.done() or len(cost.milliseconds) < 5:
                    cost.genuine()
                attacking.result()
            answers |= cost.statuses
        assert "webhook.failed" not in running.log.read_text()
    assert answers == {200}
