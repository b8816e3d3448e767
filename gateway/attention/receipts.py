"""What needs a person of what comes in: sources that are refused or silent, webhooks that nobody understands."""

import difflib
import shlex
from collections.abc import Iterator, Mapping, Sequence

from gateway.attention.facts import Facts
from gateway.attention.need import Found
from gateway.formats.wording import counted, span

REJECTIONS: Mapping[str, str] = {
    "missing": "they carry no signature: signing is not switched on at the provider, or somebody else posts there",
    "malformed": "their signature can't be read: signing is set up wrongly, or somebody else posts there",
    "wrong": "their signature fits none of the source's secrets: it is another endpoint's or was replaced, or a proxy "
    "changed the body",
    "stale": "their signature is too old: the clock of this machine is off, or they were sent long ago",
    "too_large": "their body is larger than may be read",
    "encoded": "their body is compressed, which a proxy may have done",
    "unreadable": "their body ended early or can't be unpacked",
}
"""By cause, why requests to a source are turned away."""

UNAVAILABLE: Mapping[str, str] = {
    "ledger": "the ledger could not keep them in time",
    "outside": "what is needed to prove or confirm them could not be had",
    "fault": "a fault of the gateway (`webhook.failed` in the log)",
}
"""By cause, why webhooks were answered 503."""


def unavailable(facts: Facts) -> Iterator[Found]:
    for source, causes in facts.unavailable.items():
        count = sum(causes.values())
        if count:
            told = "; ".join(f"{many:,} since {UNAVAILABLE.get(cause, cause)}" for cause, many in causes.items())
            text = f"{counted(count, 'request')} to {source} answered 503 in the last hour"
            yield Found(source, text, told, count=count, page=f"/sources/{source}")


def rejected(facts: Facts) -> Iterator[Found]:
    for one in facts.refused:
        text = f"{counted(one.count, 'request')} to {one.source} rejected since its last proven webhook"
        cause = "; ".join(REJECTIONS.get(cause, cause) for cause in one.causes)
        yield Found(one.source, text, cause, one.since, one.count, page=f"/sources/{one.source}")


def quarantined(facts: Facts) -> Iterator[Found]:
    for one in () if facts.overview is None else facts.overview.sources:
        if one.quarantined:
            yield Found(
                one.name,
                f"{counted(one.quarantined, 'webhook')} of {one.name} not understood",
                since=facts.oldest_quarantined.get(one.name),
                count=one.quarantined,
                command=f"lumail-gateway webhooks list --status quarantined --source {one.name}",
                page=f"/received?status=quarantined&source={one.name}",
            )


def source_silent(facts: Facts) -> Iterator[Found]:
    """Only of sources that say how long they may be: those of which nothing ever came are silent, too."""
    if facts.overview is None:
        return
    for one in facts.overview.sources:
        source = facts.watched.config.sources.get(one.name)
        if source is None or source.expect_every is None:
            continue
        last = one.last_webhook_at
        if last is None or facts.overview.at - last > source.expect_every:
            cause = "nothing ever came" if last is None else f"something is expected every {span(source.expect_every)}"
            text = f"{one.name} is silent"
            command = f"lumail-gateway webhooks list --source {one.name}"
            yield Found(one.name, text, cause, last, command=command, page=f"/sources/{one.name}")


def unknown_path(facts: Facts) -> Iterator[Found]:
    sources = tuple(facts.watched.config.sources)
    for one in () if facts.overview is None else facts.overview.unknown_paths:
        near = nearest(one.path, sources)
        yield Found(
            one.path,
            f"{counted(one.count, 'request')} to {one.path}, which is no source",
            f"was {near} meant?" if near else "",
            one.since,
            one.count,
            command=f"lumail-gateway set-aside path {shlex.quote(one.path)} --reason ...",
            page=f"/sources/{near}" if near else "",
        )


def weak_secret(facts: Facts) -> Iterator[Found]:
    for name, weak in facts.watched.weak_secrets.items():
        yield Found(name, f"The secrets of {name} can be guessed", "; ".join(weak), page=f"/sources/{name}")


def nearest(path: str, sources: Sequence[str]) -> str:
    """The source that may have been meant; empty where none is like it."""
    name = path.rstrip("/").rpartition("/")[2]
    found = difflib.get_close_matches(name, sources, n=1)
    return found[0] if found else ""
