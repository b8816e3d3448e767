"""Names that the gateway gives: unique on every machine, and growing with time so that indexes stay compact."""

import hashlib
import secrets
import threading
import time

_lock = threading.Lock()
_last = 0


def new_id(kind: str) -> str:
    """``<kind>_<microseconds><48 random bits>`` in hexadecimal; ids that one process makes grow."""
    global _last
    with _lock:
        _last = max(_last + 1, time.time_ns() // 1000)
        return f"{kind}_{_last:014x}{secrets.token_hex(6)}"


def fingerprint(secret: str) -> str:
    """A short name for a secret that tells two apart and gives neither away."""
    return hashlib.sha256(b"lumail-gateway fingerprint\0" + secret.encode()).hexdigest()[:16]
