"""Every error of the gateway, in one tree, so that a caller can tell whose fault it is.

    GatewayError
    ├── ConfigError          the operator's configuration or environment is wrong
    ├── AdapterError         an adapter (a module or a YAML file) breaks the contract
    ├── SignatureError       the sender did not prove where the request comes from
    ├── PayloadError         a genuine payload that its adapter does not understand
    │   └── TranslationFailedError    its adapter failed on it, which is nothing that the adapter says on purpose
    ├── UnavailableError     what is needed outside to take a webhook can't be had now
    ├── LedgerError          the ledger refused or failed
    │   └── LedgerUnavailableError    it can't commit now; the sender may try again
    │       └── OutdatedError         it belongs to newer versions alone; they take what this process must refuse
    ├── LumailError          Lumail answered with something else than success, or not at all
    ├── RedisMissingError    no Redis is to be had
    ├── StartError           what this machine has to give to what is started, it does not
    └── CommandError         what was typed can't be done

Texts say what to do about it and never hold a secret or personal data.
"""

import errno
import traceback
from enum import StrEnum


class GatewayError(Exception):
    """Anything the gateway raises on purpose."""


class ConfigError(GatewayError):
    """One or more faults of the configuration, all told at once.

    `faults` are lines of the form ``file:line: path.to.key: what is wrong and what is allowed``.
    """

    def __init__(self, *faults: str) -> None:
        self.faults = faults
        super().__init__("\n".join(faults))


class AdapterError(GatewayError):
    """An adapter that can't be used as it is written."""


class RejectionCause(StrEnum):
    """Why a request was refused with 401; shown to operators and counted."""

    MISSING = "missing"  # no signature where the scheme wants one
    MALFORMED = "malformed"  # a signature that can't be read
    WRONG = "wrong"  # fits none of the source's secrets
    STALE = "stale"  # right, but too old or too far in the future


class SignatureError(GatewayError):
    """The request did not prove its origin. `detail` may be shown to operators: no secret in it."""

    def __init__(self, cause: RejectionCause, detail: str) -> None:
        self.cause = cause
        self.detail = detail
        super().__init__(f"{cause}: {detail}")


class PayloadError(GatewayError):
    """A genuine payload that is not understood: it is kept in quarantine with this text as reason."""


class TranslationFailedError(PayloadError):
    """An adapter raised what it should not: a bug of it, or a payload of a kind that nobody foresaw."""


class UnavailableError(GatewayError):
    """What is needed outside to prove or confirm a webhook can't be had now; nothing was kept."""


class LedgerError(GatewayError):
    """The ledger refused something, or is not in the state that it should be in."""


class LedgerUnavailableError(LedgerError):
    """The ledger can't commit in time; nothing was kept and the sender may try again."""


class OutdatedError(LedgerUnavailableError):
    """The ledger's schema is one that this version must not write to."""


class LumailError(GatewayError):
    """Lumail did not answer with success; what it answered is in the attributes of the subclass raised."""


class RedisMissingError(GatewayError):
    """No Redis to connect to and no binary to start a private one."""


class StartError(GatewayError):
    """A port that is taken, a folder that is in use or can't be written: what is to run has no place here now."""


class CommandError(GatewayError):
    """A command that can't be carried out as typed (exit status 2)."""


def place_of(error: BaseException) -> str:
    """Where in our code it came up, for logs: an error's own words may hold what a webhook held."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [one for one in frames if "site-packages" not in one.filename] or frames
    return f"{ours[-1].filename}:{ours[-1].lineno} {ours[-1].name}" if ours else "nowhere"


_SHORTAGES = {
    errno.EAGAIN, errno.EDQUOT, errno.EIO, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOSPC, errno.EROFS
}  # fmt: skip


def is_of_machine(error: BaseException | None) -> bool:
    """Whether it, or what it came from, tells that this machine is short of something, whatever was asked of it."""
    if error is None:
        return False
    if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno in _SHORTAGES):
        return True
    return is_of_machine(error.__cause__ or error.__context__)
