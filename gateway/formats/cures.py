"""What to do about what this machine or the database refuses, in words for whoever reads the error."""

import errno

BY_NUMBER = {
    errno.EACCES: "Give the user that runs this the right to it, or choose another data folder with --data.",
    errno.EPERM: "Give the user that runs this the right to it, or choose another data folder with --data.",
    errno.EROFS: "It lies on a file system that can't be written: choose another data folder with --data.",
    errno.ENOSPC: "The disk is full: make room there; nothing of what is kept is lost.",
    errno.EDQUOT: "The quota is used up: make room there; nothing of what is kept is lost.",
    errno.EMFILE: "Too many files are open: raise the limit (`ulimit -n`, LimitNOFILE=).",
    errno.ENOENT: "Make it, or name another.",
    errno.ENOTDIR: "Something on the way to it is no folder: name another.",
    errno.EISDIR: "It is a folder where a file is expected.",
    errno.EADDRINUSE: "Choose another port with --port or PORT.",
}

BY_WORDS = {
    "is not a database": "The ledger's file is damaged or something else: put a backup in its place "
    "(docs/operate/run.md), or start with another data folder.",
    "malformed": "The ledger's file is damaged: stop the gateway and put a backup in its place (docs/operate/run.md).",
    "disk is full": "Make room where the ledger lies; nothing of what is kept is lost.",
    "readonly database": "Give the user that runs this the right to write the ledger's file and its folder.",
    "unable to open database file": "See whether the data folder is there, and whether this user may write there.",
    "connection refused": "See whether the database of DATABASE_URL runs and takes connections from here.",
    "could not translate host name": "See whether the host in DATABASE_URL is spelt right.",
    "failed to resolve host": "See whether the host in DATABASE_URL is spelt right.",
    "password authentication failed": "Set the right user and password in DATABASE_URL.",
    "does not exist": "See whether database and user of DATABASE_URL were made.",
    "database is locked": "Another program holds the ledger's file: see who (`fuser`), and end it.",
}
"""By a part of what the database says, in small letters."""


def of_machine(error: OSError) -> str:
    """Cause and cure of what the operating system refused."""
    where = f"{error.filename}: " if error.filename else ""
    why = error.strerror or type(error).__name__
    return f"{where}{why}. {BY_NUMBER.get(error.errno or 0, 'See what the system says about it, and try again.')}"


def for_ledger(text: str) -> str | None:
    """The cure for what the database refused with, None where it is not known."""
    return next((cure for part, cure in BY_WORDS.items() if part in text.lower()), None)


def of_ledger(text: str) -> str:
    """What the database refused with, and the cure where that is known."""
    found = for_ledger(text)
    return text if found is None else f"{text}. {found}"
