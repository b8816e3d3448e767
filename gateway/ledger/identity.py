"""Names that the gateway gives: unique on every machine, and growing with time so that indexes stay compact."""

import hashlib
import secrets
import time


def new_id(kind: str) -> str:
    """``<kind>_<48 bits of milliseconds><64 random bits>`` in hexadecimal."""
    return f"{kind}_{time.time_ns() // 1_000_000:012x}{secrets.token_hex(8)}"


def fingerprint(secret: str) -> str:
    """A short name for a secret that tells two apart and gives neither away."""
    return hashlib.sha256(b"lumail-gateway fingerprint\0" + secret.encode()).hexdigest()[:16]
