"""What needs a person, as it is told: one entry of the list, and the codes by which programs know its kind."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from gateway.attention.facts import Facts


class Severity(StrEnum):
    """How much it matters, the worst first."""

    URGENT = "urgent"  # webhooks are refused, nothing leaves, or Lumail was told what is not true
    WARNING = "warning"  # something is lost or stays undone unless somebody acts
    NOTICE = "notice"  # it may put itself right, or somebody did it on purpose


class Code(StrEnum):
    """The kinds of what needs a person. Codes never change: alerts and programs go by them."""

    LEDGER_UNAVAILABLE = "ledger_unavailable"
    NO_WEB = "no_web"
    NO_WORKER = "no_worker"
    LEDGER_COPIED = "ledger_copied"
    DESTINATION_REFUSES = "destination_refuses"
    NOT_LEAVING = "not_leaving"
    UNAVAILABLE = "unavailable"
    INCIDENT = "incident"
    ERASURE_LATE = "erasure_late"
    DISK_LOW = "disk_low"
    DESTINATION_PAUSED = "destination_paused"
    COPY_REQUESTED = "copy_requested"
    UNDECIDED = "undecided"
    CURRENCIES_MIXED = "currencies_mixed"
    FAILED = "failed"
    QUARANTINED = "quarantined"
    REJECTED = "rejected"
    SOURCE_SILENT = "source_silent"
    PAYMENT_NOT_MADE = "payment_not_made"
    REDIS = "redis"
    WEAK_SECRET = "weak_secret"  # noqa: S105 - a code, no secret
    CLOCK_DIFFERS = "clock_differs"
    VERSIONS_DIFFER = "versions_differ"
    PART_PAUSED = "part_paused"
    UNKNOWN_PATH = "unknown_path"
    HELD = "held"


@dataclass(frozen=True)
class Need:
    """An entry. `subject` is the destination, source, path, webhook or host that it is about, empty for all of it.

    `text` says what is so, `cause` why (empty where `text` says it all), `cure` what to do; `command` is what to type
    and `page` the path at the desk, either empty where there is none. `since` None: nobody knows. `count` is how many.
    """

    code: Code
    severity: Severity
    subject: str
    text: str
    cause: str
    cure: str
    command: str
    page: str
    since: datetime | None
    count: int


@dataclass(frozen=True)
class Found:
    """What a look found of its kind; the kind says the rest. `cure`, `command` and `page` replace those of the kind."""

    subject: str
    text: str
    cause: str = ""
    since: datetime | None = None
    count: int = 1
    cure: str | None = None
    command: str | None = None
    page: str | None = None


@dataclass(frozen=True)
class Kind:
    """A kind: how much it matters, how it is found, and what is to be done where the look does not say better."""

    severity: Severity
    look: Callable[[Facts], Iterator[Found]]
    cure: str
    command: str = ""
    page: str = ""
