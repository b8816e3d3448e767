"""What comes from outside the file: the command line's flags, environment variables and `.env`."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dotenv import dotenv_values

from gateway.config.faults import Faults
from gateway.config.model import Config
from gateway.config.schemas import EnvironmentSchema, judge, keys_of
from gateway.errors import ConfigError

USUAL_FILE = Path("config/gateway.yaml")
SHIPPED_FILE = Path(__file__).parents[2] / USUAL_FILE
"""The default that is installed beside the package."""

_LIVE_ONLY = ("DATABASE_URL", "REDIS_URL")


@dataclass(frozen=True)
class Flags:
    """What the command line says before any file is read; None leaves it to the environment or the default."""

    file: Path | None = None
    data: Path | None = None
    host: str | None = None
    port: int | None = None
    sandbox: bool = False

    def over(self, environ: Mapping[str, str]) -> dict[str, str]:
        """The environment as if the flags stood in it; an empty variable counts as unset."""
        said = {"GATEWAY_CONFIG": self.file, "GATEWAY_DATA": self.data, "GATEWAY_HOST": self.host, "PORT": self.port}
        return {name: value for name, value in environ.items() if value} | {
            name: str(value) for name, value in said.items() if value is not None
        }


def configuration_file(flags: Flags, environ: Mapping[str, str]) -> Path:
    """The file that is named, else ./config/gateway.yaml if there is one, else the default that is shipped."""
    named = flags.over(environ).get("GATEWAY_CONFIG")
    if named is not None:
        return Path(named)
    return USUAL_FILE if USUAL_FILE.exists() else SHIPPED_FILE


def with_dotenv(flags: Flags, environ: Mapping[str, str]) -> dict[str, str]:
    """The environment, filled up from the `.env` beside the configuration file.

    What is set in the environment wins. `.env` can't say which file it lies beside. For the shipped default, which
    lies among installed code, it is the `.env` of the working directory.
    """
    file = configuration_file(flags, environ)
    dotenv = (Path() if file == SHIPPED_FILE else file.parent) / ".env"
    try:
        filling = dotenv_values(dotenv, interpolate=False)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{dotenv}: can't be read: {type(error).__name__}") from error
    filling.pop("GATEWAY_CONFIG", None)
    return {name: value for name, value in filling.items() if value is not None} | dict(environ)


def child_environ(config: Config, environ: Mapping[str, str]) -> dict[str, str]:
    """The environment in which `load(Flags(), …)` gives an equal Config in another process."""
    flags = Flags(
        file=config.file,
        data=config.data.parent if config.sandbox else config.data,
        host=config.host,
        port=config.port,
    )
    return flags.over(environ) | ({"GATEWAY_SANDBOX_URL": config.sandbox_url} if config.sandbox_url else {})


def read_environment(flags: Flags, environ: Mapping[str, str], faults: Faults) -> dict[str, Any]:
    """Our own variables by the names of `EnvironmentSchema`, with `sandbox` and the absolute `data` folder."""
    schema = EnvironmentSchema()
    ours = {name: value for name, value in flags.over(environ).items() if name in keys_of(schema)}
    sandbox = flags.sandbox or "GATEWAY_SANDBOX_URL" in ours
    if sandbox:
        ours = {name: value for name, value in ours.items() if name not in _LIVE_ONLY}
    found = judge(schema, ours, (), lambda path, text: faults.in_environment(str(path[0]), text))
    data = Path(found.get("data", ".")).absolute()
    found |= {"sandbox": sandbox, "data": data / "sandbox" if sandbox else data}
    found.setdefault("sandbox_url", _beside(found.get("port", 1)) if sandbox else None)
    return found


def _beside(port: int) -> str:
    """Where the sandbox serves unless GATEWAY_SANDBOX_URL says otherwise: on the next port."""
    return f"http://127.0.0.1:{port + 1 if port < 65535 else port - 1}/api/v1"
