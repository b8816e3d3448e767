"""What the command line, the environment and `.env` say, and who wins."""

from pathlib import Path

import pytest

from gateway.config import Flags, load, with_dotenv
from gateway.config.environment import SHIPPED_FILE, configuration_file
from gateway.errors import ConfigError
from tests.config.configurations import ADAPTERS, ENVIRON, MINIMAL, faults, loaded

SAID = {
    "GATEWAY_DATA": "/srv/gateway",
    "GATEWAY_HOST": "0.0.0.0",
    "PORT": "9000",
    "GATEWAY_METRICS_TOKEN": "metrics",
    "REDIS_URL": "redis://cache.example.com:6379/0",
    "DATABASE_URL": "postgres://gateway:word@db.example.com/gateway",
}


def test_the_environment_is_read(tmp_path: Path) -> None:
    file = tmp_path / "gateway.yaml"
    file.write_text(MINIMAL)
    config = load(Flags(file=file), ENVIRON | SAID, ADAPTERS)
    assert (config.data, config.host, config.port) == (Path("/srv/gateway"), "0.0.0.0", 9000)
    assert (config.metrics_token, config.redis_url) == ("metrics", "redis://cache.example.com:6379/0")
    assert config.database_url == "postgresql+psycopg://gateway:word@db.example.com/gateway"
    assert config.public_url == "http://127.0.0.1:9000"


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_postgresql_gets_the_driver_that_is_installed(tmp_path: Path, scheme: str) -> None:
    config = loaded(tmp_path, MINIMAL, ENVIRON | {"DATABASE_URL": f"{scheme}://db/x?sslmode=require"})
    assert config.database_url == "postgresql+psycopg://db/x?sslmode=require"


def test_flags_win_over_the_environment(tmp_path: Path) -> None:
    file = tmp_path / "gateway.yaml"
    file.write_text(MINIMAL)
    flags = Flags(file=file, data=tmp_path, host="::1", port=9001)
    config = load(flags, ENVIRON | SAID | {"GATEWAY_CONFIG": "/no/such/file"}, ADAPTERS)
    assert (config.file, config.data, config.host, config.port) == (file, tmp_path, "::1", 9001)
    assert config.public_url == "http://[::1]:9001"


def test_an_empty_variable_counts_as_unset(tmp_path: Path) -> None:
    assert loaded(tmp_path, MINIMAL, ENVIRON | dict.fromkeys(SAID, "")) == loaded(tmp_path, MINIMAL)


def test_the_file_is_the_named_one_else_the_usual_one_else_the_shipped_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    environ = {"GATEWAY_CONFIG": "named.yaml"}
    assert configuration_file(Flags(), {}) == SHIPPED_FILE
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "gateway.yaml").touch()
    assert configuration_file(Flags(), {}) == Path("config/gateway.yaml")
    assert configuration_file(Flags(), environ) == Path("named.yaml")
    assert configuration_file(Flags(file=Path("flag.yaml")), environ) == Path("flag.yaml")


def test_dotenv_beside_the_file_fills_up_the_environment(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("A=from file\nB='whsec_${A}'\nPORT=1\nGATEWAY_CONFIG=other.yaml\nNOTHING\n")
    flags = Flags(file=tmp_path / "gateway.yaml")
    assert with_dotenv(flags, {"PORT": "2"}) == {"A": "from file", "B": "whsec_${A}", "PORT": "2"}


def test_without_dotenv_the_environment_is_as_it_is(tmp_path: Path) -> None:
    assert with_dotenv(Flags(file=tmp_path / "gateway.yaml"), {"PORT": "2"}) == {"PORT": "2"}


def test_a_dotenv_that_is_not_text_is_told(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"\xff")
    with pytest.raises(ConfigError, match="can't be read: UnicodeDecodeError"):
        with_dotenv(Flags(file=tmp_path / "gateway.yaml"), {})


def test_a_live_gateway_needs_a_secret_key_and_is_told_how_to_make_one(tmp_path: Path) -> None:
    without = {name: value for name, value in ENVIRON.items() if name != "GATEWAY_SECRET_KEY"}
    advice = "`openssl rand -hex 32` makes one"
    assert faults(tmp_path, MINIMAL, without) == [
        f"environment: GATEWAY_SECRET_KEY: is not set; {advice}; it must be the same on all hosts"
    ]
    assert faults(tmp_path, MINIMAL, ENVIRON | {"GATEWAY_SECRET_KEY": "short"}) == [
        f"environment: GATEWAY_SECRET_KEY: is shorter than 32 characters; {advice}"
    ]
    assert not (tmp_path / "var").exists()
