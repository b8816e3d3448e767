"""How a webhook becomes a receipt: proven, split, translated, and durable before anybody is told so."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import lru_cache, partial
from typing import Any

import structlog

from gateway.errors import PayloadError, TranslationFailedError, UnavailableError, is_of_machine, place_of
from gateway.events import MONEY_TYPES, LumailEvent, MemoryKey, Paid, RefundTotal, Sum
from gateway.intake.account import Account, account_of
from gateway.intake.confirming import confirm
from gateway.intake.memory_cache import MemoryCache
from gateway.intake.route import Route
from gateway.ledger.facts import pinned_accounts
from gateway.ledger.facts.single_use import SingleUse
from gateway.ledger.facts.submission import Recall, Recorded, Submission, TranslatedItem
from gateway.ledger.money.sums import named
from gateway.ledger.recording.commit import Committer
from gateway.ledger.status import COUNTED, Outcome
from gateway.privacy import PrivacyRequest
from gateway.translation.adapter import (
    Claim,
    Context,
    Memo,
    SourceEvent,
    Translation,
    Unreadable,
    covers,
    split,
    translate,
)
from gateway.translation.webhook import Headers, VerifiedWebhook, Webhook

COMMIT_WITHIN = 4.0
"""Seconds that a provider waits for the ledger; Shopify gives up after 5."""

UNDATED_MEMO_YIELDS = timedelta(days=3)
"""What was taught with a time, up to so long before an undated memo arrived, counts more though it is told later."""

LONGEST_NAME = 400
"""Longer keys and ids are replaced by their hash, so that they fit a column and an index."""

_SECRET_WORDS = ("signature", "authorization", "cookie", "token", "secret", "hmac", "api-key", "apikey", "password")


_log = structlog.get_logger()


@dataclass(frozen=True)
class Receipt:
    """What became of a webhook; `as_json` is what the provider gets, and what the documentation promises.

    `itemized` where the provider is told of each source event.
    """

    verified: VerifiedWebhook
    recorded: Recorded
    itemized: bool = False

    def as_json(self) -> dict[str, Any]:
        one = self.recorded
        counts = {
            "webhook": one.webhook,
            "duplicate": one.duplicate,
            "events": list(one.events),
            **{word.value: getattr(one, word) for word in COUNTED},
        }
        if not self.itemized:
            return counts
        return {**counts, "items": [{"word": item.word, "reason": item.reason} for item in one.items]}


def accept(route: Route, verified: VerifiedWebhook, committer: Committer, memory_cache: MemoryCache) -> Receipt:
    """Take one request in that was proven.

    Raises SignatureError where the signature was used for another event before, LedgerUnavailableError where it could
    not be made durable in time, and UnavailableError where it could not
    be confirmed; then nothing is kept.
    """
    to_visit = route.adapter.confirm(verified)
    if to_visit is not None:
        confirm(to_visit, route.fetch)
    item = memory_cache.corrected_by(submission(route, verified, memory_cache.recall))
    return Receipt(verified, committer.submit(item, COMMIT_WITHIN), route.adapter.answers_items)


def submission(
    route: Route, verified: VerifiedWebhook, recall: Recall, existing_webhook: str | None = None
) -> Submission:
    """What the ledger is to record of a verified webhook; with `existing_webhook`, of one that it holds already.

    `recall` tells what memory holds, or what it probably does.
    """
    webhook = verified.webhook
    return Submission(
        source=route.source.name,
        adapter=route.adapter.name,
        destination=route.source.destination,
        delivery_id=_delivery_id(route, verified),
        received_at=webhook.received_at,
        url=webhook.url,
        headers=without_secrets(webhook.headers, route.scheme.proof_headers),
        body=webhook.body,
        secret=None if existing_webhook is not None or verified.secret is None else route.secrets[verified.secret],
        translated_items=translated_items(route, verified, recall),
        existing_webhook=existing_webhook,
        single_use=None if existing_webhook is not None else _single_use(route, verified),
    )


def _single_use(route: Route, verified: VerifiedWebhook) -> SingleUse | None:
    item = route.adapter.single_use(verified)
    if item is None or verified.secret is None:
        return None
    signed, event = item
    return SingleUse(route.secrets[verified.secret], _digest(signed), _digest(event))


def translated_items(route: Route, verified: VerifiedWebhook, recall: Recall) -> tuple[TranslatedItem, ...]:
    """Every source event of a webhook, each judged alone."""
    try:
        found = split(route.adapter, verified)
    except PayloadError as error:
        found = [Unreadable(_why(error, route))]
    return tuple(_translated_item(route, verified.webhook, one, recall) for one in found)


def without_secrets(headers: Headers, proof_headers: Sequence[str]) -> dict[str, str]:
    """Headers as they may be kept: credentials and signatures stand as fingerprints, enough to see two alike.

    `proof_headers` are those of the scheme; what looks like a credential by its name is masked besides.
    """
    proof = {name.lower() for name in proof_headers}
    return {
        name: f"sha256:{_digest(value)[:16]}" if name in proof or _is_credential(name) else value
        for name, value in headers.items()
    }


@lru_cache(maxsize=1000)
def _is_credential(name: str) -> bool:
    return any(word in name for word in _SECRET_WORDS)


def _delivery_id(route: Route, verified: VerifiedWebhook) -> str | None:
    identity = route.adapter.delivery_id(verified)
    return None if identity is None else _fitting(identity)


class _NotingMemory:
    """Memory for one source event, which notes what was read so that it can be checked again under the writer lock.

    `fault` is why it could not be read: whatever the handler made of that, it is no fault of the webhook.
    """

    def __init__(self, recall: Recall) -> None:
        self._recall = recall
        self.reads: dict[str, Mapping[str, Any] | None] = {}
        self.fault: Exception | None = None

    def read(self, name: str) -> Mapping[str, Any] | None:
        if name not in self.reads:
            try:
                self.reads[name] = self._recall(name)
            except Exception as error:
                self.fault = error
                raise
        return self.reads[name]


@dataclass(frozen=True)
class _AccountsMemory:
    """What a handler may recall: what was taught of the same account."""

    prefix: str
    memory: _NotingMemory

    def recall(self, key: MemoryKey) -> Mapping[str, Any] | None:
        return self.memory.read(_key(self.prefix, key))


def _translated_item(route: Route, webhook: Webhook, event: SourceEvent | Unreadable, recall: Recall) -> TranslatedItem:
    if isinstance(event, Unreadable):
        return TranslatedItem(Outcome.QUARANTINED, "", reason=event.reason)
    if event.test and not route.source.accept_test_events:
        return TranslatedItem(Outcome.IGNORED, event.type, reason="a test event, and accept_test_events is off")
    if is_ignored(route, event.type):
        return TranslatedItem(Outcome.IGNORED, event.type, reason="its type is among what this source is to ignore")
    memory = _NotingMemory(recall)
    account = account_of(route, event, memory.read)
    believed = _without_claims(route, event, webhook)
    prefix = _prefix(route, account, believed)
    context = Context(route.source.name, webhook.received_at, _AccountsMemory(prefix, memory), route.source.options)
    try:
        translation = translate(route.adapter, believed, context)
        item = _of_account(account, webhook, route, _understood(route, prefix, account, believed, translation))
    except Exception as error:  # noqa: BLE001 - whatever it holds, it is quarantined with its cause
        if memory.fault is not None:
            raise memory.fault from memory.fault.__cause__
        item = TranslatedItem(Outcome.QUARANTINED, event.type, reason=_why(error, route))
    if memory.fault is not None:
        raise memory.fault
    if not memory.reads:
        return item
    return replace(item, reads=memory.reads, again=partial(_translated_item, route, webhook, event))


def is_ignored(route: Route, event_type: str) -> bool:
    """Whether the source leaves it out: by its name, or by a pattern if the adapter has nothing to do with it."""
    if event_type in route.source.ignore:
        return True
    patterns = [name for name in route.source.ignore if name.endswith("*") and covers(name, event_type)]
    return bool(patterns) and not any(covers(name, event_type) for name in route.adapter.handlers)


def _without_claims(route: Route, event: SourceEvent, webhook: Webhook) -> SourceEvent:
    """The event as far as it can be believed: what nobody signed makes no time later than now, and keeps nothing apart
    from what is told without it.
    """
    claims = route.adapter.claims
    at = min(event.occurred_at, webhook.received_at) if Claim.OCCURRED_AT in claims else event.occurred_at
    test = event.test and (Claim.TEST not in claims or event.test_is_signed)
    return event if (at, test) == (event.occurred_at, event.test) else replace(event, occurred_at=at, test=test)


def _of_account(account: Account, webhook: Webhook, route: Route, item: TranslatedItem) -> TranslatedItem:
    """What is of no consequence may name any account; all else binds the source to the first one, and is of that."""
    if item.word is Outcome.IGNORED and not item.memos and not item.links:
        return item
    if account.fault is not None:
        return TranslatedItem(Outcome.QUARANTINED, item.type, reason=account.fault)
    if not account.pins:
        return item
    key = pinned_accounts.key(route.source.name)
    memo = Memo(key, {pinned_accounts.NAME: account.name}, webhook.received_at)
    return replace(item, memos=(*item.memos, memo))


def _why(error: Exception, route: Route) -> str:
    """Why a source event is quarantined; what the adapter did not say on purpose is logged.

    Raises UnavailableError where it is the machine that is short of something.
    """
    if is_of_machine(error):
        raise UnavailableError(f"nothing can be translated now: {type(error).__name__}") from error
    if isinstance(error, PayloadError) and not isinstance(error, TranslationFailedError):
        return str(error)
    cause = error.__cause__ or error
    _log.error("translation.failed", source=route.source.name, error=type(cause).__name__, at=place_of(cause))
    if isinstance(error, PayloadError | ValueError):  # ValueError: an amount that JSON can't carry
        return str(error)
    return f"what was translated could not be told: {type(error).__name__}"


def _understood(
    route: Route, prefix: str, account: Account, event: SourceEvent, translation: Translation
) -> TranslatedItem:
    if translation.ignored is not None:
        return TranslatedItem(Outcome.IGNORED, event.type, reason=translation.ignored)
    if translation.demand is not None:
        _require_whole_account(account, translation.demand)
        return TranslatedItem(Outcome.TAUGHT, event.type, demand=_scoped_request(route, prefix, translation.demand))
    forward = route.source.forward
    events = tuple(_scoped(route, prefix, made) for made in translation.events if made.type in forward)
    said = tuple(_scoped(route, prefix, made, makes=False) for made in translation.sums if made.type in forward)
    memos = tuple(_scoped_memo(prefix, memo) for memo in translation.memos)
    links = tuple(tuple(_key(prefix, key) for key in link) for link in translation.links)
    if events:
        return TranslatedItem(Outcome.TRANSLATED, event.type, events + said, memos, links)
    if translation.events:
        left_out = ", ".join(sorted({made.type.value for made in translation.events}))
        reason = f"{left_out} is not among what this source forwards"
        return TranslatedItem(Outcome.IGNORED, event.type, (), memos, links, reason)
    return TranslatedItem(Outcome.TAUGHT, event.type, said, memos, links)


def _scoped_request(route: Route, prefix: str, said: PrivacyRequest) -> PrivacyRequest:
    subject = replace(
        said.subject,
        addresses=tuple(sorted({person.strip().lower() for person in said.subject.addresses})),
        memories=tuple(_key(prefix, memory) for memory in said.subject.memories),
        keys=tuple(_key(prefix, key) for key in said.subject.keys),
        account=prefix if said.subject.whole_account else None,
        destination=route.source.destination,
    )
    return replace(said, subject=subject)


def _require_whole_account(account: Account, said: PrivacyRequest) -> None:
    """All of an account is erased only where the webhook names just that account. Raises PayloadError."""
    if said.subject.whole_account and account.named is not None and account.named != account.name:
        raise PayloadError(
            f"asks to erase all of the account {account.named[:100]!r}, and this source's is {account.name[:100]!r}: "
            "where they are one, make its `account` that name and replay this webhook"
        )


def _scoped_memo(prefix: str, memo: Memo) -> Memo:
    at = memo.at - UNDATED_MEMO_YIELDS if memo.undated else memo.at
    return replace(memo, key=_key(prefix, memo.key), at=at)


def _scoped(route: Route, prefix: str, made: LumailEvent, *, makes: bool = True) -> LumailEvent:
    """The event under names that no other account's can meet, and with what the source's configuration says of it."""
    settle = route.source.settle_seconds if made.type in MONEY_TYPES else 0
    worth = route.source.expire_after.get(made.type)
    scoped = replace(
        made,
        keys=tuple(_key(prefix, key) for key in made.keys),
        waits_for=None if made.waits_for is None else _key(prefix, made.waits_for),
        settle=timedelta(seconds=settle),
        expires_at=None if worth is None else made.occurred_at + worth,
        once=_once(route, prefix, made),
        sum=None if made.sum is None else _sum(prefix, made.sum),
        makes=makes,
        named_by=None if made.named_by is None else _key(prefix, made.named_by),
        currencies=route.currencies,
    )
    _ = scoped.encoded  # raises what is the webhook's fault here, where it is quarantined for that
    return scoped


def _sum(prefix: str, item: Sum) -> Sum:
    """What was said of a sale's money, under names that no other account's can meet."""
    if isinstance(item, Paid):
        return replace(item, provider_object=named(prefix + item.provider_object))
    balance, part = named(prefix + item.balance), named(prefix + item.provider_object)
    if isinstance(item, RefundTotal):
        return replace(item, balance=balance, provider_object=part)
    return replace(item, balance=balance, provider_object=part, id=named(prefix + item.id))


def _once(route: Route, prefix: str, made: LumailEvent) -> str | None:
    """The key that this event shares with those beside which it counts once; None where it counts for itself."""
    name = route.source.once_per.get(made.type)
    if name is None or made.subscriber is None or made.data.get(name) in (None, ""):
        return None
    return _key(prefix, f"once:{made.type}:{name}:{made.data[name]}:{made.subscriber}")


def _prefix(route: Route, account: Account, event: SourceEvent) -> str:
    """What stands before keys, so that ids of two accounts, or of tests and the real thing, never meet."""
    return f"{route.adapter.name}:{account.name}{'~test' if event.test else ''}:"


def _key(prefix: str, key: str) -> str:
    return _fitting(prefix + key)


def _fitting(name: str) -> str:
    if len(name) <= LONGEST_NAME and name.isprintable():
        return name
    return f"{name[:40].encode('ascii', 'replace').decode()}:sha256:{_digest(name)}"


def _digest(name: str) -> str:
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()
