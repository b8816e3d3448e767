"""The kinds of what needs a person, the worst first, and the list that is made of them."""

from collections.abc import Iterable, Mapping
from functools import partial

from gateway.attention import deliveries, machines, receipts
from gateway.attention.facts import Facts
from gateway.attention.need import Code, Found, Kind, Need, Severity

URGENT, WARNING, NOTICE = Severity

KINDS: Mapping[Code, Kind] = {
    Code.LEDGER_UNAVAILABLE: Kind(
        URGENT,
        machines.ledger_unavailable,
        "Make room on its disk, or bring the database back; providers send again what was refused.",
        "lumail-gateway check",
    ),
    Code.NO_WEB: Kind(URGENT, machines.no_web, "Start the gateway.", "systemctl start lumail-gateway"),
    Code.NO_WORKER: Kind(
        URGENT,
        machines.no_worker,
        "Start the gateway. Where `up` runs, its log says why workers die (`child.died`).",
        "systemctl start lumail-gateway",
    ),
    Code.LEDGER_COPIED: Kind(URGENT, partial(deliveries.paused, Code.LEDGER_COPIED), ""),
    Code.DESTINATION_REFUSES: Kind(URGENT, partial(deliveries.paused, Code.DESTINATION_REFUSES), ""),
    Code.NOT_LEAVING: Kind(
        URGENT,
        deliveries.not_leaving,
        "See what the log says of drains (`drain.failed`), and whether the plan is used up.",
        "lumail-gateway destinations list",
    ),
    Code.UNAVAILABLE: Kind(
        URGENT,
        receipts.unavailable,
        "Providers send them again. See that the cause is over, and whether a provider has switched its endpoint off.",
        "lumail-gateway check",
    ),
    Code.INCIDENT: Kind(
        URGENT,
        deliveries.incident,
        "Put right at Lumail what can be, then say which event counts (`events decide`), or set it aside.",
        "lumail-gateway status",
        "/events?incident=yes",
    ),
    Code.ERASURE_LATE: Kind(
        URGENT,
        deliveries.erasure_late,
        "Workers go on with it once what is on its way to Lumail has ended: see whether they run.",
        "lumail-gateway check",
    ),
    Code.DISK_LOW: Kind(WARNING, machines.disk_low, "Make room: once it is full, webhooks are answered 503.", "df -h"),
    Code.DESTINATION_PAUSED: Kind(WARNING, partial(deliveries.paused, Code.DESTINATION_PAUSED), ""),
    Code.COPY_REQUESTED: Kind(
        WARNING, deliveries.copy_requested, "Make the copy and hand it over; the law sets a time."
    ),
    Code.UNDECIDED: Kind(
        WARNING,
        deliveries.undecided,
        "Look at the subscriber's timeline at Lumail, and decide (`events show ID` tells what can be said).",
        "lumail-gateway events list --status held",
        deliveries.UNDECIDED_PAGE,
    ),
    Code.CURRENCIES_MIXED: Kind(
        WARNING,
        deliveries.currencies_mixed,
        "Say that they may be mixed; or what becomes of others: `currency` and `other_currencies` in the file.",
    ),
    Code.FAILED: Kind(WARNING, deliveries.failed, "Each says why; put that right, then replay them."),
    Code.QUARANTINED: Kind(
        WARNING,
        receipts.quarantined,
        "Teach the adapter or `ignore` the type and replay them; or set them aside.",
    ),
    Code.REJECTED: Kind(
        WARNING,
        receipts.rejected,
        "Compare the secret here with that at the provider; the next webhook that is proven closes this.",
        "lumail-gateway check",
    ),
    Code.SOURCE_SILENT: Kind(
        WARNING,
        receipts.source_silent,
        "See at the provider whether its endpoint is switched on, and what it says of its deliveries.",
    ),
    Code.PAYMENT_NOT_MADE: Kind(
        WARNING,
        deliveries.payment_not_made,
        "See payments_from on the provider's page: another object may have to be ticked there.",
        "lumail-gateway check",
        "/adapters",
    ),
    Code.REDIS: Kind(WARNING, machines.redis, "", "lumail-gateway check"),
    Code.WEAK_SECRET: Kind(
        WARNING,
        receipts.weak_secret,
        "Replace it, here and at the provider; both fit meanwhile.",
        "lumail-gateway check",
    ),
    Code.CLOCK_DIFFERS: Kind(
        WARNING,
        machines.clock_differs,
        "Let NTP keep it. Signatures are judged by these clocks, and what is due by the database's.",
    ),
    Code.VERSIONS_DIFFER: Kind(
        NOTICE,
        machines.versions_differ,
        "During an upgrade nothing; else restart those that are behind.",
        "systemctl restart lumail-gateway",
    ),
    Code.PART_PAUSED: Kind(NOTICE, deliveries.part_paused, "Resume it when its time has come."),
    Code.UNKNOWN_PATH: Kind(
        NOTICE,
        receipts.unknown_path,
        "Correct the URL at the provider; if strangers try it, set it aside.",
        "lumail-gateway set-aside list",
    ),
    Code.HELD: Kind(NOTICE, deliveries.held, "Each says what it waits for; mostly that comes by itself."),
}
"""How each kind is found and what is done about it, in the order in which they are told."""


def attention(facts: Facts) -> tuple[Need, ...]:
    """What needs a person, the worst first; empty where nothing does."""
    found = [_need(code, kind, one) for code, kind in KINDS.items() for one in kind.look(facts)]
    return tuple(sorted(found, key=lambda need: list(Severity).index(need.severity)))


def counts(needs: Iterable[Need]) -> Mapping[tuple[str, ...], int]:
    """How many of each severity and code; 0 of those of which there is none."""
    found: dict[tuple[str, ...], int] = {(kind.severity.value, code.value): 0 for code, kind in KINDS.items()}
    for one in needs:
        found[one.severity.value, one.code.value] += one.count
    return found


def _need(code: Code, kind: Kind, found: Found) -> Need:
    return Need(
        code=code,
        severity=kind.severity,
        subject=found.subject,
        text=found.text,
        cause=found.cause,
        cure=kind.cure if found.cure is None else found.cure,
        command=kind.command if found.command is None else found.command,
        page=kind.page if found.page is None else found.page,
        since=found.since,
        count=found.count,
    )
