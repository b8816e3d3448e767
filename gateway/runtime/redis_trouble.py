"""What is wrong with Redis: not whether it answers, but whether a call for a drain could be put there now."""

from collections.abc import Callable, Mapping
from enum import StrEnum

import redis
from redis import exceptions

from gateway.runtime.wakeups import connect

_KEY = "lumail-gateway:asked"


class RedisTrouble(StrEnum):
    """Why workers are not called through Redis. The codes are stored with heartbeats."""

    ABSENT = "absent"  # none is configured and this machine has no program for a private one: so it was chosen
    AWAY = "away"
    FULL = "full"
    PASSWORD = "password"  # noqa: S105 - a code, no secret
    CLUSTER = "cluster"
    READ_ONLY = "read_only"
    REFUSES = "refuses"


WORDS: Mapping[str, str] = {
    RedisTrouble.ABSENT: "absent: workers look every second for what is due",
    RedisTrouble.AWAY: "away: it does not answer, and deliveries start a second or two later",
    RedisTrouble.FULL: "full: it takes no more (OOM), and deliveries start a second or two later",
    RedisTrouble.PASSWORD: "refused: it does not take the user or password of REDIS_URL",
    RedisTrouble.CLUSTER: "a cluster: the gateway needs a single Redis, or Sentinels",
    RedisTrouble.READ_ONLY: "read-only: a replica answers, which takes no calls",
    RedisTrouble.REFUSES: "refuses what it is asked for, and deliveries start a second or two later",
}

_CAUSES: tuple[tuple[type[Exception], RedisTrouble], ...] = (
    (exceptions.AuthenticationError, RedisTrouble.PASSWORD),
    (exceptions.AuthorizationError, RedisTrouble.PASSWORD),
    (exceptions.NoPermissionError, RedisTrouble.PASSWORD),
    (exceptions.OutOfMemoryError, RedisTrouble.FULL),
    (exceptions.ReadOnlyError, RedisTrouble.READ_ONLY),
    (exceptions.ClusterError, RedisTrouble.CLUSTER),
    (exceptions.AskError, RedisTrouble.CLUSTER),
    (exceptions.ClusterDownError, RedisTrouble.CLUSTER),
    (exceptions.ConnectionError, RedisTrouble.AWAY),
    (exceptions.TimeoutError, RedisTrouble.AWAY),
    (exceptions.ResponseError, RedisTrouble.REFUSES),
)
"""The more special errors come before those that they are kinds of."""


def looker(url: str | None) -> Callable[[], RedisTrouble | None]:
    """A function that looks what is wrong; None: nothing is. `url` None: there is no Redis, on purpose.

    It takes some seconds where nobody answers.
    """
    if url is None:
        return lambda: RedisTrouble.ABSENT
    connection = connect(url)

    def look() -> RedisTrouble | None:
        try:
            connection.set(_KEY, b"1", ex=60)
            clustered = connection.info("cluster").get("cluster_enabled")
        except (redis.RedisError, OSError) as error:
            return next((told for kind, told in _CAUSES if isinstance(error, kind)), RedisTrouble.AWAY)
        return RedisTrouble.CLUSTER if clustered else None

    return look
