"""What needs a person of the machines and their processes: the ledger, disks, Redis, workers, versions, clocks."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta

from gateway.attention.facts import Facts
from gateway.attention.need import Found
from gateway.formats import cures
from gateway.formats.wording import counted, span
from gateway.ledger import heartbeats
from gateway.ledger.heartbeats import Process
from gateway.runtime.redis_trouble import RedisTrouble

DISK_LOW = 256 * 1024 * 1024
"""Bytes; with less SQLite's write-ahead log and large bodies soon have no room."""

CLOCKS_MAY_DIFFER = timedelta(seconds=30)
"""Signatures are judged by a machine's own clock, and a provider's tolerance is five minutes."""

REDIS: Mapping[str, tuple[str, str]] = {
    RedisTrouble.AWAY: (
        "it does not answer",
        "Start it, or see whether REDIS_URL is right and the way there open.",
    ),
    RedisTrouble.FULL: (
        "it takes no more (OOM)",
        "Give it more memory, or a maxmemory-policy that evicts; 64 MB are plenty for the gateway.",
    ),
    RedisTrouble.PASSWORD: (
        "it does not take the user or the password of REDIS_URL",
        "Put the right ones into REDIS_URL, and give that user the right to write.",
    ),
    RedisTrouble.CLUSTER: (
        "a cluster answers, which can't be worked with",
        "Name a single Redis in REDIS_URL, or Sentinels, or leave it unset.",
    ),
    RedisTrouble.READ_ONLY: (
        "a replica answers, which takes nothing",
        "Name the master in REDIS_URL, or Sentinels that know it.",
    ),
    RedisTrouble.REFUSES: (
        "it refuses what it is asked for",
        "See its own log; the gateway needs lists, hashes and SET.",
    ),
}
"""By code what is wrong, and what to do."""


def ledger_unavailable(facts: Facts) -> Iterator[Found]:
    if facts.trouble is not None:
        text = "The ledger takes no webhooks: they are answered 503, and nothing leaves"
        yield Found("", text, facts.trouble, cure=cures.for_ledger(facts.trouble))


def disk_low(facts: Facts) -> Iterator[Found]:
    free = {one.identity.host: one.condition.disk_free for one in facts.processes}
    for host, left in sorted(free.items()):
        if left is not None and left < DISK_LOW:
            yield Found(host, f"The disk of {host} is nearly full", f"{left // 1024**2:,} MB are free")


def no_web(facts: Facts) -> Iterator[Found]:
    yield from _nobody(facts, heartbeats.WEB, "Nobody takes webhooks: no web process runs")


def no_worker(facts: Facts) -> Iterator[Found]:
    yield from _nobody(facts, heartbeats.WORKER, "Nothing leaves: no worker runs")


def _nobody(facts: Facts, role: str, text: str) -> Iterator[Found]:
    """Where the ledger takes nothing, nobody can say that it lives, so that nothing is known."""
    if facts.trouble is not None or facts.living(role):
        return
    seen = facts.worker_seen if role == heartbeats.WORKER else facts.web_seen
    yield Found("", text, "none was there within a day" if seen is None else "", seen)


def redis(facts: Facts) -> Iterator[Found]:
    troubled: dict[str, list[Process]] = {}
    for one in facts.processes:
        if one.condition.redis is not None and one.condition.redis != RedisTrouble.ABSENT:
            troubled.setdefault(one.condition.redis, []).append(one)
    for code, processes in sorted(troubled.items()):
        cause, cure = REDIS.get(code, (code, ""))
        since = min((one.redis_since for one in processes if one.redis_since is not None), default=None)
        text = "Redis calls no workers, so that deliveries start a second or two later"
        yield Found(code, text, f"{cause} (seen from {_hosts(processes)})", since, cure=cure)


def versions_differ(facts: Facts) -> Iterator[Found]:
    versions: dict[tuple[str, str], list[Process]] = {}
    for one in facts.processes:
        versions.setdefault((one.identity.version, one.identity.schema_version), []).append(one)
    if len(versions) > 1 or any(schema < facts.oldest_schema for _, schema in versions):
        told = [
            f"{version} (schema {schema}): {counted(len(of), 'process', 'processes')} on {_hosts(of)}"
            f"{_too_old(schema, facts)}"
            for (version, schema), of in sorted(versions.items())
        ]
        newest = min(one.since for one in max(versions.values(), key=lambda of: max(one.since for one in of)))
        yield Found("", "Processes of different versions run beside each other", "; ".join(told), newest)


def _too_old(schema: str, facts: Facts) -> str:
    return ", too old for the ledger: takes nothing" if schema < facts.oldest_schema else ""


def clock_differs(facts: Facts) -> Iterator[Found]:
    hosts = {one.identity.host: one.condition.clock_offset for one in facts.processes}
    for host, offset in sorted(hosts.items()):
        if abs(offset) > CLOCKS_MAY_DIFFER:
            yield Found(host, f"The clock of {host} is {_off(offset)} the database's", command="timedatectl")
    for name, offset in sorted(facts.lumail_clocks.items()):
        if abs(offset) > CLOCKS_MAY_DIFFER and name in facts.watched.config.destinations:
            text = f"The ledger's clock is {_off(-offset)} Lumail's, as its answers for {name} say"
            yield Found(name, text, page=f"/destinations/{name}")


def _off(offset: timedelta) -> str:
    return f"{span(abs(offset))} {'ahead of' if offset > timedelta(0) else 'behind'}"


def _hosts(processes: Sequence[Process]) -> str:
    return ", ".join(sorted({one.identity.host for one in processes}))
