"""Names that the gateway gives: unique on every machine, and growing with time so that indexes stay compact."""

import hashlib
import os
import secrets
import threading
import time

_AT_ONCE = 100
"""Random parts that are made together: asking the system for one takes longer than all else of an id."""

_lock = threading.Lock()
_last = 0
_parts: list[str] = []

os.register_at_fork(after_in_child=_parts.clear)  # the child must not give the names that its parent gives


def new_id(kind: str) -> str:
    """``<kind>_<microseconds><48 random bits>`` in hexadecimal; ids that one process makes grow."""
    global _last
    with _lock:
        _last = max(_last + 1, time.time_ns() // 1000)
        if not _parts:
            random = secrets.token_hex(6 * _AT_ONCE)
            _parts.extend(random[start : start + 12] for start in range(0, len(random), 12))
        return f"{kind}_{_last:014x}{_parts.pop()}"


def fingerprint(secret: str) -> str:
    """A short name for a secret that tells two apart and gives neither away."""
    return hashlib.sha256(b"lumail-gateway fingerprint\0" + secret.encode()).hexdigest()[:16]
