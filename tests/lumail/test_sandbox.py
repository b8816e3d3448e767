"""The stand-in keeps Lumail's documented contract, and can be steered and looked at over HTTP."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import requests

from gateway.errors import ConfigError
from gateway.events import WRITABLE_TYPES
from gateway.lumail.client import EventsQuery, Lumail
from gateway.lumail.sandbox import Sandbox, SandboxSettings, create_sandbox, sandbox_of
from gateway.lumail.sandbox.limits import Limits, Place
from tests.lumail.conftest import TOKEN, Running

MAIL = {"emailId": "e_1", "campaignId": "c_1", "subject": "Hello", "reason": "full", "bounceType": "soft"}
REQUIRED = {
    **MAIL,
    **dict.fromkeys(("targetUrl", "tagId", "tagName", "workflowId", "workflowName", "stepId", "webhookUrl"), "x"),
    "status": "200",
    "success": True,
    "fieldId": "f",
    "fieldName": "f",
    "newValue": None,
    "amount": 49.99,
    "product": "Course",
}


@pytest.fixture
def http(running: Running) -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.headers["Authorization"] = f"Bearer {TOKEN}"
        yield session


def track(http: requests.Session, running: Running, **changes: Any) -> requests.Response:
    document = {"eventType": "SUBSCRIBER_PAYMENT", "subscriber": "ana@example.com", "data": REQUIRED} | changes
    return http.post(f"{running.base_url}/events", json=document, timeout=5)


@pytest.mark.parametrize("event_type", sorted(WRITABLE_TYPES))
def test_each_documented_type_is_accepted(event_type: str, running: Running, http: requests.Session) -> None:
    answer = track(http, running, eventType=event_type, data=REQUIRED)
    assert (answer.status_code, answer.json()["event"]["eventType"]) == (200, event_type)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"eventType": "EMAIL_DELIVERY_DELAYED"}, "Invalid eventType"),
        ({"eventType": "SOLD"}, "Invalid eventType"),
        ({"eventType": ["SUBSCRIBED"]}, "Invalid eventType"),
        ({"data": None}, "data is required"),
        ({"data": {"product": "Course"}}, 'Invalid data: {"amount": ["Missing data for required field."]}'),
        ({"data": {"amount": "49.99", "product": "Course"}}, 'Invalid data: {"amount": ["Not a number."]}'),
        ({"subscriber": ""}, "subscriber is required"),
        ({"subscriber": "ana@unknown.example.com"}, "Subscriber not found"),
        ({"subscriber": "sub_none"}, "Subscriber not found"),
    ],
)
def test_what_lumail_refuses_is_a_400_and_is_not_recorded(
    changes: dict[str, Any], message: str, running: Running, http: requests.Session
) -> None:
    answer = track(http, running, **changes)
    assert (answer.status_code, answer.json()) == (400, {"message": message})
    assert running.state.events() == []


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"data": NaN}', b"\xff"])
def test_a_body_that_is_no_object_is_a_400(body: bytes, running: Running, http: requests.Session) -> None:
    assert http.post(f"{running.base_url}/events", data=body, timeout=5).status_code == 400


@pytest.mark.parametrize("header", [None, "Bearer lum_wrong", "Basic eDp5", "Bearer"])
def test_a_request_without_the_token_is_a_401(header: str | None, running: Running) -> None:
    headers = {"Authorization": header} if header else {}
    answer = requests.get(f"{running.base_url}/subscribers/ana@example.com", headers=headers, timeout=5)
    assert (answer.status_code, answer.json()) == (401, {"message": "Unauthorized"})


def test_each_token_is_an_organization_of_its_own(running: Running, lumail: Lumail) -> None:
    lumail.track_event("SUBSCRIBED", "ana@example.com", {})
    assert Lumail(running.base_url, "lum_of_another").subscriber("ana@example.com") is None


def test_only_known_people_have_events_where_subscribers_are_not_made_up(lumail: Lumail, running: Running) -> None:
    running.state.change(auto_subscribers=False)
    with requests.Session() as http:
        http.headers["Authorization"] = f"Bearer {TOKEN}"
        assert track(http, running).status_code == 400
        http.post(f"{running.base_url}/subscribers", json={"email": "ana@example.com"}, timeout=5)
        assert track(http, running, subscriber=" ANA@example.com").status_code == 200


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("take=0", "take must be between 1 and 100"),
        ("take=101", "take must be between 1 and 100"),
        ("order=up", "order must be asc or desc"),
        ("eventTypes=SUBSCRIBED", "eventTypes must be a JSON array"),
        ("startDate=yesterday", "dates must be ISO 8601"),
        ("cursor=zzz", "Invalid cursor"),
    ],
)
def test_a_query_that_is_wrong_is_a_400(query: str, message: str, running: Running, http: requests.Session) -> None:
    track(http, running)
    answer = http.get(f"{running.base_url}/subscribers/ana@example.com/events?{query}", timeout=5)
    assert (answer.status_code, answer.json()) == (400, {"message": message})


def test_twenty_events_are_a_page_unless_asked_otherwise(running: Running, http: requests.Session) -> None:
    for _ in range(21):
        track(http, running)
    page = http.get(f"{running.base_url}/subscribers/ana@example.com/events", timeout=5).json()
    assert (len(page["events"]), page["nextCursor"] is None) == (20, False)
    assert sorted(page["events"][0]) == ["createdAt", "data", "eventType", "id", "subscriber", "subscriberId"]


def test_without_echo_only_documented_fields_come_back(running: Running, lumail: Lumail) -> None:
    running.state.change(echo=False)
    told = {"amount": 5, "product": "Course", "gatewayEventId": "g_1"}
    event = lumail.track_event("SUBSCRIBER_PAYMENT", "ana@example.com", told)
    (kept,) = lumail.subscriber_events("ana@example.com").events
    assert event.data == kept.data == {"amount": 5, "product": "Course"}
    assert [each["data"] for each in running.state.events()] == [told]


def test_an_event_can_be_read_back_only_after_the_lag(running: Running, lumail: Lumail) -> None:
    running.state.change(read_lag=3600)
    lumail.track_event("SUBSCRIBED", "ana@example.com", {})
    assert lumail.subscriber_events("ana@example.com").events == ()
    running.state.change(read_lag=0)
    assert len(lumail.subscriber_events("ana@example.com").events) == 1


def test_its_clock_can_be_a_foreign_one(running: Running, lumail: Lumail) -> None:
    running.state.change(clock_offset=-7200)
    event = lumail.track_event("SUBSCRIBED", "ana@example.com", {})
    page = lumail.subscriber_events("ana@example.com", EventsQuery(start=event.created_at))
    assert event.created_at is not None
    assert page.answer.date is not None
    assert abs(event.created_at.timestamp() + 7200 - time.time()) < 3600
    assert abs(page.answer.date.timestamp() + 7200 - time.time()) < 3600
    assert [each.id for each in page.events] == [event.id]


def test_payments_raise_revenue_exactly(running: Running, lumail: Lumail) -> None:
    for amount in (0.1, 0.2):
        lumail.track_event("SUBSCRIBER_PAYMENT", "ana@example.com", {"amount": amount, "product": "Course"})
    lumail.track_event("SUBSCRIBER_REFUND", "ana@example.com", {"amount": 0.1, "product": "Course"})
    assert [str(person.revenue) for person in running.state.store.subscribers(9)] == ["0.3"]


def test_a_full_organization_takes_no_new_subscriber(running: Running, http: requests.Session) -> None:
    running.state.change(subscriber_limit=1)
    url = f"{running.base_url}/subscribers"
    answers = [http.post(url, json={"email": f"{who}@example.com"}, timeout=5) for who in ("ana", "bob", "ana")]
    assert [answer.status_code for answer in answers] == [200, 402, 200]
    assert http.post(url, json={"email": "nobody"}, timeout=5).status_code == 400


def test_a_fixed_window_is_free_again_at_the_full_minute() -> None:
    limits = Limits()
    found = [limits.take("org", now, 2, "fixed") for now in (130.0, 178.0, 179.0, 180.0)]
    assert found == [Place(True, 1, 180.0), Place(True, 0, 180.0), Place(False, 0, 180.0), Place(True, 1, 240.0)]


def test_a_sliding_window_is_free_again_a_minute_after_the_oldest_request() -> None:
    limits = Limits()
    found = [limits.take("org", now, 2, "sliding") for now in (130.0, 178.0, 189.0, 190.0)]
    assert found == [Place(True, 1, 190.0), Place(True, 0, 190.0), Place(False, 0, 190.0), Place(True, 0, 238.0)]


def test_every_answer_shows_the_limit_and_the_429_is_as_documented(running: Running, http: requests.Session) -> None:
    running.state.change(requests_per_minute=2, window="sliding")
    first, missing, third = (
        track(http, running),
        http.get(f"{running.base_url}/subscribers/x", timeout=5),
        track(http, running),
    )
    names = ("X-RateLimit-Limit", "X-RateLimit-Remaining")
    shown = [tuple(answer.headers[name] for name in names) for answer in (first, missing, third)]
    assert shown == [("2", "1"), ("2", "0"), ("2", "0")]
    assert [answer.status_code for answer in (first, missing, third)] == [200, 404, 429]
    docs = "https://lumail.io/docs/api-reference/api-limits"
    assert third.json() == {"message": "Too many requests", "docs": docs}
    assert 0 < int(third.headers["Retry-After"]) <= 60


def test_latency_can_be_changed_at_run_time(running: Running, http: requests.Session) -> None:
    requests.post(f"{running.url}/settings", json={"latency_ms": 200}, timeout=5)
    assert track(http, running).elapsed.total_seconds() >= 0.2


@pytest.mark.parametrize("change", [{"latency": 5}, {"latency_ms": -1}, {"folder": "/"}, {"window": "none"}])
def test_a_setting_that_does_not_exist_is_refused(change: dict[str, Any], running: Running) -> None:
    answer = requests.post(f"{running.url}/settings", json=change, timeout=5)
    assert (answer.status_code, "settings of the sandbox" in answer.json()["message"]) == (400, True)


def test_faults_are_put_in_force_shown_and_cleared_over_http(running: Running, http: requests.Session) -> None:
    rules = [
        {"kind": "error_502", "subscriber": "Bob@example.com"},
        {"kind": "400", "type": "SUBSCRIBED"},
        {"kind": "404", "call": "subscriber"},
        {"kind": "other_2xx", "count": 1, "status": 207},
    ]
    url = f"{running.url}/faults"
    assert requests.post(url, json=rules, timeout=5).status_code == 200
    answers = [
        track(http, running),
        track(http, running),
        track(http, running, subscriber="bob@example.com"),
        track(http, running, eventType="SUBSCRIBED"),
        http.get(f"{running.base_url}/subscribers/ana@example.com", timeout=5),
        http.get(f"{running.base_url}/subscribers/ana@example.com/events", timeout=5),
    ]
    assert [answer.status_code for answer in answers] == [207, 200, 502, 400, 404, 200]
    assert [(rule["kind"], rule["hits"]) for rule in requests.get(url, timeout=5).json()] == [
        ("error_502", 1),
        ("400", 1),
        ("404", 1),
        ("other_2xx", 1),
    ]
    assert requests.delete(url, timeout=5).json() == []
    assert track(http, running, subscriber="bob@example.com").status_code == 200


def test_a_fault_strikes_as_often_as_its_probability_says(sandbox: Sandbox) -> None:
    sandbox.fail("400", probability=0.25)
    struck = sum(sandbox.faults.strike("track_event", None, None) is not None for _ in range(4000))
    assert 800 < struck < 1200


@pytest.mark.parametrize(
    "rule",
    [
        {"kind": "explode"},
        {"kind": "400", "chance": 1},
        {"kind": "400", "recorded": True},
        {"kind": "400", "count": 0},
        {"kind": "400", "call": "DELETE"},
    ],
)
def test_a_fault_that_makes_no_sense_is_refused(rule: dict[str, Any], running: Running) -> None:
    answer = requests.post(f"{running.url}/faults", json=[{"kind": "400"}, rule], timeout=5)
    assert (answer.status_code, running.state.faults.shown()) == (400, [])


def test_the_log_shows_each_request_with_status_and_fault(running: Running, http: requests.Session) -> None:
    running.state.fail("error_500_after", count=1)
    track(http, running)
    http.get(f"{running.base_url}/subscribers/ana@example.com/events?take=5", timeout=5)
    http.get(f"{running.base_url}/subscribers/bob@example.com", timeout=5)
    log = requests.get(f"{running.url}/requests", timeout=5).json()
    assert [(row["method"], row["path"], row["status"], row["fault"]) for row in log] == [
        ("POST", "/events", 500, "error_500_after"),
        ("GET", "/subscribers/ana@example.com/events?take=5", 200, None),
        ("GET", "/subscribers/bob@example.com", 404, None),
    ]
    (event,) = requests.get(f"{running.url}/events", timeout=5).json()
    assert [row["event_id"] for row in log] == [event["id"], None, None]
    assert requests.get(f"{running.url}/requests?after=1&limit=1", timeout=5).json() == log[1:2]


def test_reset_forgets_everything_but_the_settings(running: Running, http: requests.Session) -> None:
    running.state.change(requests_per_minute=1)
    running.state.fail("400", type="SUBSCRIBED")
    track(http, running)
    assert requests.post(f"{running.url}/reset", timeout=5).status_code == 200
    assert (running.state.events(), running.state.requests(), running.state.faults.shown()) == ([], [], [])
    assert [track(http, running).status_code for _ in range(2)] == [200, 429]


class _Text(HTMLParser):
    """The text of a page, and the tags that it is made of."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.text, self.tags, self.attributes = "", set[str](), set[str]()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_shows_what_arrived_with_everything_escaped(running: Running, http: requests.Session) -> None:
    data = {"amount": 49.99, "product": "<script>alert(1)</script><s>Kurs</s>"}
    track(http, running, data=data, subscriber='"<i>ana</i>"@example.com')
    running.state.fail("hang", type="<u>TYPE</u>")
    answer = requests.get(running.url, timeout=5)
    page = _Text(answer.text)
    shown = ["SUBSCRIBER_PAYMENT", '"<i>ana</i>"@example.com', "<s>Kurs</s>", "49.99", "hang", "<u>TYPE</u>"]
    assert [text for text in shown if text not in page.text] == []
    assert not {"script", "style", "s", "i", "u"} & page.tags
    assert not {name for name in page.attributes if name == "style" or name.startswith("on")}
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'; style-src 'self'")
    assert TOKEN not in answer.text


def test_the_style_sheet_is_served(running: Running) -> None:
    answer = requests.get(f"{running.url}/static/sandbox.css", timeout=5)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/css; charset=utf-8")


SERVE = """
import sys
from pathlib import Path
from gateway.lumail.sandbox import SandboxSettings, create_sandbox, serve
settings = SandboxSettings(folder=Path(sys.argv[1]), requests_per_minute=3, window="sliding")
serve(create_sandbox(settings), ready=lambda url: print(url, flush=True))
"""


def test_what_was_recorded_outlives_a_kill_and_so_does_the_window(tmp_path: Path) -> None:
    for _ in range(2):
        with subprocess.Popen(
            [sys.executable, "-c", SERVE, str(tmp_path)], stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            url = process.stdout.readline().strip()
            lumail = Lumail(f"{url}/api/v1", TOKEN)
            lumail.track_event("SUBSCRIBED", "ana@example.com", {})
            os.kill(process.pid, signal.SIGKILL)
    app = create_sandbox(SandboxSettings(folder=tmp_path))
    kept = sandbox_of(app)
    assert [event["subscriber"] for event in kept.events()] == ["ana@example.com"] * 2
    organization = kept.events()[0]["organizationId"]
    assert kept.limits.take(organization, time.time(), 3, "sliding").remaining == 0
    kept.close()


def test_a_served_sandbox_ends_on_sigterm(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", SERVE, str(tmp_path)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=10) == 0


def test_settings_that_are_shown_hold_no_token(sandbox: Sandbox) -> None:
    assert TOKEN not in json.dumps(sandbox.settings.shown())
    with pytest.raises(ConfigError):
        sandbox.change(api_tokens=())
