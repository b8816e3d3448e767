"""The secrets that the sandbox makes up, so that it runs with an empty environment and samples can be signed."""

import fcntl
import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from dotenv import dotenv_values

from gateway.config.model import Config, Source
from gateway.errors import ConfigError, StartError

KEPT_IN = "secrets.env"
_SIGNING = "_SIGNING"
_HEAD = "# Made for the sandbox; delete a line and it is made anew. What ends in _SIGNING signs samples.\n"


def kept_secrets(folder: Path) -> dict[str, str]:
    """What was generated at earlier starts, by the variable's name."""
    try:
        found = dotenv_values(folder / KEPT_IN, interpolate=False)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{folder / KEPT_IN}: can't be read: {type(error).__name__}; delete it") from error
    return {name: value for name, value in found.items() if value}


def generate_secrets(folder: Path, wanted: Mapping[str, Callable[[], tuple[str, str]]]) -> dict[str, str]:
    """All secrets kept in `folder`, after what is missing of `wanted` was generated.

    Each maker gives the verifying and the signing half. Two processes that start at once get the same secrets.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / f".{KEPT_IN}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            kept = kept_secrets(folder)
            missing = {name: make for name, make in wanted.items() if name not in kept}
            for name, make in missing.items():
                verifying, signing = make()
                kept[name] = verifying
                if signing != verifying:
                    kept[name + _SIGNING] = signing
            if missing:
                _write(folder / KEPT_IN, kept)
    except OSError as error:
        raise StartError(
            f"the data folder {folder} can't be written: {error.strerror}. Choose another with --data or GATEWAY_DATA."
        ) from error
    return kept


def signing_secret(config: Config, source: Source) -> str:
    """What signs a sample for `source`: the private half if the sandbox made one, else its first secret itself.

    Raises ConfigError where there is no secret.
    """
    if not source.secrets:
        raise ConfigError(f"sources.{source.name}: has no secret to sign with; a sandbox makes one")
    kept = kept_secrets(config.data) if config.sandbox else {}
    verifying = source.secrets[0]
    return next(
        (kept[name + _SIGNING] for name in kept if kept[name] == verifying and name + _SIGNING in kept), verifying
    )


def _write(file: Path, secrets: Mapping[str, str]) -> None:
    """Replace the file at once; nobody else may read it at any moment."""
    descriptor, fresh = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")  # mode 0600 from the start
    try:
        with os.fdopen(descriptor, "w") as stream:
            stream.write(_HEAD)
            stream.writelines(f"{name}={_quoted(value)}\n" for name, value in secrets.items())
            stream.flush()
            os.fsync(stream.fileno())
        Path(fresh).replace(file)
    except BaseException:
        Path(fresh).unlink(missing_ok=True)
        raise


def _quoted(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
