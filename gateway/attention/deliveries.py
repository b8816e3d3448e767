"""What needs a person of the way to Lumail: pauses, events that do not leave, that failed, that nobody can judge."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import NamedTuple

from gateway.attention.facts import Facts
from gateway.attention.need import Code, Found
from gateway.events import Lane
from gateway.formats.wording import counted, span
from gateway.ledger import words
from gateway.ledger.status import PauseKind, Reason, Status
from gateway.ledger.views.overview import DAY, PATIENCE
from gateway.ledger.views.troubles import OpenPause

RATE_LIMIT_LASTS = timedelta(minutes=10)
"""How long Lumail may ask for rest before somebody should know."""

LATE = timedelta(minutes=5)
"""How long an urgent event, or one about money, may be due and not leave."""

MOST_REQUESTS = 5
"""Demands for copies that are told one by one."""


class PauseCure(NamedTuple):
    """Of which kind a pause is, and what ends it; `command` may name the destination."""

    code: Code
    cure: str
    command: str = ""


RESUME = "lumail-gateway destinations resume {name}"

PAUSES: Mapping[str, PauseCure] = {
    PauseKind.BY_HAND: PauseCure(Code.DESTINATION_PAUSED, "Resume it when its time has come.", RESUME),
    PauseKind.RATE_LIMITED: PauseCure(
        Code.DESTINATION_PAUSED,
        "It goes on by itself. See who else uses this organization's plan, and whether `plan` says too much.",
        "lumail-gateway destinations list",
    ),
    PauseKind.TOKEN_REFUSED: PauseCure(
        Code.DESTINATION_REFUSES,
        "Put a token that Lumail takes where `api_token` is read from, and reload; it goes on once a probe passes.",
        "lumail-gateway check",
    ),
    PauseKind.DESTINATION_REFUSES: PauseCure(
        Code.DESTINATION_REFUSES,
        "See that plan, `base_url` and organization are right, and that nothing stands between; it goes on once Lumail "
        "records an event.",
        "lumail-gateway check",
    ),
    PauseKind.REPEATED_FAILURES: PauseCure(
        Code.DESTINATION_REFUSES,
        "See whether Lumail works and can be reached from here; it goes on once a probe is answered.",
        "lumail-gateway check",
    ),
    PauseKind.OTHER_ORGANIZATION: PauseCure(
        Code.DESTINATION_REFUSES,
        "Put the right token back and resume it; or say that the other organization is meant.",
        "lumail-gateway destinations accept {name}",
    ),
    PauseKind.LEDGER_COPIED: PauseCure(
        Code.LEDGER_COPIED,
        "End the installation that this was copied from, then resume: what waits is looked up at Lumail first.",
        RESUME,
    ),
}
"""What is done about each kind of pause."""

UNNAMED = PauseCure(Code.DESTINATION_REFUSES, "See the reason; resume it once that is put right.", RESUME)


def paused(code: Code, facts: Facts) -> Iterator[Found]:
    """The pauses of destinations that belong to this kind."""
    for one in facts.pauses:
        known = PAUSES.get(one.kind, UNNAMED)
        if one.scope != "destination" or known.code is not code or _passes(one, facts):
            continue
        until = "until somebody resumes it" if one.until is None else "for now"
        yield Found(
            one.destination,
            f"{one.destination} sends nothing {until}",
            one.why,
            one.since,
            cure=known.cure,
            command=known.command.format(name=one.destination),
            page=f"/destinations/{one.destination}",
        )


def _passes(one: OpenPause, facts: Facts) -> bool:
    """Whether it ends so soon that nobody has to know."""
    if one.kind != PauseKind.RATE_LIMITED or one.until is None or facts.overview is None:
        return False
    return one.until - one.since < RATE_LIMIT_LASTS


def part_paused(facts: Facts) -> Iterator[Found]:
    for one in facts.pauses:
        if one.scope != "destination" and one.until is None:
            yield Found(
                one.name,
                f"{one.destination}: {one.scope} {one.name} rests until somebody resumes it",
                one.why,
                one.since,
                command=f"{RESUME.format(name=one.destination)} --{one.scope} {one.name}",
                page=f"/destinations/{one.destination}",
            )


def not_leaving(facts: Facts) -> Iterator[Found]:
    """Due for long, though the destination is not paused and somebody is there to send it."""
    if facts.overview is None or not facts.living("worker"):
        return
    resting = {one.destination for one in facts.pauses if one.scope == "destination"}
    for name in facts.watched.config.destinations:
        for lane in (Lane.URGENT, Lane.REVENUE):
            waits = timedelta(seconds=facts.due_seconds.get((name, lane.word), 0))
            if waits > LATE and name not in resting:
                yield Found(
                    name,
                    f"{name}: an event of the lane {lane.word} has been due for {span(waits)} and does not leave",
                    since=facts.overview.at - waits,
                    page=f"/events?status=waiting&lane={lane.word}&destination={name}",
                )


def failed(facts: Facts) -> Iterator[Found]:
    yield from _events(facts, Status.FAILED)


def held(facts: Facts) -> Iterator[Found]:
    yield from _events(facts, Status.HELD)


def _events(facts: Facts, status: Status) -> Iterator[Found]:
    if facts.overview is None:
        return
    oldest = facts.oldest_failed if status is Status.FAILED else facts.oldest_held
    for one in facts.overview.destinations:
        count = one.failed if status is Status.FAILED else one.held
        if count:
            yield Found(
                one.name,
                f"{counted(count, 'event')} to {one.name} {status}",
                since=oldest.get(one.name),
                count=count,
                command=f"lumail-gateway events list --status {status} --destination {one.name}",
                page=f"/events?status={status}&destination={one.name}",
            )


def undecided(facts: Facts) -> Iterator[Found]:
    count = 0 if facts.overview is None else facts.overview.undecided
    if count:
        text = counted(count, "held event may have reached Lumail", "held events may have reached Lumail")
        yield Found("", text, since=facts.oldest_undecided, count=count)


UNDECIDED_PAGE = f"/events?status={Status.HELD}&error={words.REASONS[Reason.ANSWER_LOST].replace(' ', '+')}"


def incident(facts: Facts) -> Iterator[Found]:
    if facts.overview is None:
        return
    for one in facts.overview.incidents:
        known = one.events[0] if one.events else ""
        yield Found(
            known or one.group,
            one.text,
            f"Lumail was told what is not true ({one.destination})",
            command=f"lumail-gateway events show {known}" if known else "",
            page=f"/events/{known}" if known else "/events?incident=yes",
        )
    more = facts.overview.incident_count - len(facts.overview.incidents)
    if more > 0:
        text = counted(
            more, "more fact that Lumail was told as it is not", "more facts that Lumail was told as they are not"
        )
        yield Found("", text, count=more)


def currencies_mixed(facts: Facts) -> Iterator[Found]:
    for one in () if facts.overview is None else facts.overview.mixed:
        yield Found(
            one.destination,
            one.text,
            "Lumail adds them up in one number",
            one.since,
            command=f"lumail-gateway destinations mix {one.destination}",
            page=f"/destinations/{one.destination}",
        )


def payment_not_made(facts: Facts) -> Iterator[Found]:
    count = 0 if facts.overview is None else facts.overview.heard_only
    if count:
        since = None if facts.oldest_heard is None else facts.oldest_heard + DAY
        text = counted(
            count,
            "payment was told only by objects that make none",
            "payments were told only by objects that make none",
        )
        yield Found("", text, since=since, count=count)


def copy_requested(facts: Facts) -> Iterator[Found]:
    if facts.overview is None:
        return
    asked = facts.overview.requests
    for one in asked[:MOST_REQUESTS]:
        yield Found(
            one.id,
            f"{one.reference or one.id}: somebody wants a copy of what is held on them",
            f"Asked by {one.source}" if one.source else "",
            one.made_at,
            command=f"lumail-gateway export {one.id} --out copy.json",
        )
    more = len(asked) - MOST_REQUESTS
    if more > 0:
        text = counted(more, "more person wants a copy", "more people want a copy")
        yield Found("", text, since=asked[MOST_REQUESTS].made_at, count=more, command="lumail-gateway status --json")


def erasure_late(facts: Facts) -> Iterator[Found]:
    count = 0 if facts.overview is None else facts.overview.late_erasures
    if count:
        text = counted(count, "erasure has", "erasures have")
        yield Found("", f"{text} not ended for {span(PATIENCE)}", count=count)
