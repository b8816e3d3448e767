"""What an adapter's table makes of what its items tell."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from gateway.events import EventType, LumailEvent, faults_of
from gateway.translation import mail
from gateway.translation.adapter import Context, SourceEvent, TimedBy, Translation
from gateway.translation.mail import BLOCKED, HARD, REJECTED, SOFT, UNDETERMINED, Acts, Bounce, Mail
from tests.adapters.cases import NOW, Remembered

ABOUT = Mail("ana@example.com")
EVENT = SourceEvent(None, "word", NOW, {"a": "Known"})
CONTEXT = Context("shop", NOW, Remembered(), {"machine_opens": "mark"})

ACTS: Acts = {
    "EMAIL_SENT": mail.sent,
    "EMAIL_RECEIVED": mail.delivered,
    "EMAIL_DELIVERY_DELAYED": mail.delayed,
    "EMAIL_OPENED": mail.opened,
    "EMAIL_CLICKED": mail.clicked,
    "EMAIL_BOUNCED": Bounce(HARD),
    "EMAIL_COMPLAINED": mail.complained,
    "UNSUBSCRIBED": mail.unsubscribed,
    "SUBSCRIBED": mail.subscribed,
}


def became(act: mail.Act, about: Mail = ABOUT, event: SourceEvent = EVENT, context: Context = CONTEXT) -> Translation:
    return mail.handlers(lambda item: about, {"word": act})["word"](event, context)


def made(act: mail.Act, about: Mail = ABOUT, event: SourceEvent = EVENT) -> LumailEvent:
    [one] = became(act, about, event).events
    return one


@pytest.mark.parametrize("name", ACTS)
def test_an_address_is_enough_for_every_act(name: str) -> None:
    event = made(ACTS[name])
    assert (event.type, event.subscriber, faults_of(event)) == (EventType(name), "ana@example.com", {})


def test_a_happening_is_named_by_its_id_or_by_what_is_told_of_it() -> None:
    assert made(mail.opened, event=replace(EVENT, id="e1")).keys == ("event:e1",)
    told: list[Any] = [ABOUT, replace(ABOUT, id="m1"), replace(ABOUT, url="https://x.example.com")]
    told += [replace(ABOUT, names=("ip",)), replace(ABOUT, happening="other"), replace(ABOUT, once=True)]
    assert len({made(mail.opened, about).keys for about in told}) == len(told)
    assert made(mail.opened, replace(ABOUT, keys=("a:1",)), replace(EVENT, id="e1")).keys == ("a:1",)


def test_the_time_of_arrival_names_nothing() -> None:
    heard = [replace(EVENT, occurred_at=NOW + timedelta(hours=hours), timed_by=TimedBy.ARRIVAL) for hours in (0, 1)]
    assert made(mail.complained, event=heard[0]).keys == made(mail.complained, event=heard[1]).keys
    assert "receivedAt" not in made(mail.delivered, event=heard[0]).data


def test_what_is_named_twice_has_a_key_of_its_content_where_that_says_enough() -> None:
    about, event = replace(ABOUT, id="m1", named_twice=True), replace(EVENT, id="e1")
    first, other = made(mail.opened, about, event).keys, made(mail.opened, about, replace(event, id="e2")).keys
    assert (len(first), first[1]) == (2, other[1])
    assert made(mail.opened, replace(about, id=None), event).keys == ("event:e1",)


def test_an_email_without_an_id_is_called_by_the_event() -> None:
    assert made(mail.opened, replace(ABOUT, id="m1")).data["emailId"] == "m1"
    assert made(mail.opened, event=replace(EVENT, id="e1")).data["emailId"] == "e1"
    event = made(mail.opened)
    assert event.data["emailId"] == event.keys[0]


@pytest.mark.parametrize(
    ("words", "stage", "told"),
    [
        ("smtp; 550 5.1.1 gone", "sent", ("hard", "sent", "550 5.1.1 gone")),
        ("550 5.7.1 spam", "sent", ("soft", "blocked", "550 5.7.1 spam")),
        ("550 5.7.1 spam", "rejected", ("soft", "rejected", "550 5.7.1 spam")),
        (None, "sent", ("soft", "sent", "no reason told")),
    ],
)
def test_the_server_knows_better_than_the_label(words: str | None, stage: str, told: tuple[str, ...]) -> None:
    data = made(Bounce(SOFT, stage), replace(ABOUT, words=words)).data
    assert (data["bounceType"], data["bounceStage"], data["reason"]) == told


def test_a_second_word_is_looked_up_whatever_its_case_and_an_unlisted_one_is_not_guessed() -> None:
    acts: Acts = {"known": Bounce(HARD), "full": Bounce(SOFT)}
    assert made(mail.by("a", acts, Bounce(UNDETERMINED))).data["bounceType"] == "hard"
    assert made(mail.by(("b", lambda item: "FULL"), acts, Bounce(UNDETERMINED))).data["bounceType"] == "soft"
    assert made(mail.by("b", acts, Bounce(UNDETERMINED))).data["bounceType"] == "undetermined"


@pytest.mark.parametrize(("flag", "kind"), [(True, "hard"), ("1", "hard"), (0, "soft"), ("", "undetermined")])
def test_a_flag_is_a_word_as_well(flag: Any, kind: str) -> None:
    act = mail.by("a", {"true": Bounce(HARD), "false": Bounce(SOFT)}, Bounce(UNDETERMINED))
    assert made(act, event=replace(EVENT, payload={"a": flag})).data["bounceType"] == kind


def test_what_was_not_tried_is_rejected_unless_it_was_blocked() -> None:
    found = mail.untried({"a": Bounce(HARD), "b": Bounce(SOFT, BLOCKED), "c": mail.delayed})
    assert found == {"a": Bounce(HARD, REJECTED), "b": Bounce(SOFT, BLOCKED), "c": mail.delayed}


@pytest.mark.parametrize("feedback", ["not-spam", "Auth-Failure"])
def test_feedback_that_is_no_complaint_is_ignored(feedback: str) -> None:
    assert became(mail.complained, replace(ABOUT, feedback=feedback)).ignored is not None
    assert made(mail.complained, replace(ABOUT, feedback="abuse")).type is EventType.EMAIL_COMPLAINED


@pytest.mark.parametrize("act", [mail.opened, mail.clicked])
def test_what_a_machine_did_is_marked_or_dropped(act: mail.Act) -> None:
    about = replace(ABOUT, machine=True)
    assert made(act, about).data["machine"] is True
    dropped = became(act, about, context=replace(CONTEXT, options={"machine_opens": "drop"}))
    assert dropped.ignored == "no person did it, and machine_opens is drop"
    assert became(mail.left_out("why")).ignored == "why"
