"""The private Redis of a data folder."""

import stat
import tempfile
from pathlib import Path

import pytest
import redis

from gateway.errors import RedisMissingError
from gateway.runtime import private_redis
from tests.services import redis_server


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_it_answers_on_a_socket_that_only_its_owner_reaches(tmp_path: Path) -> None:
    with redis_server(tmp_path) as url:
        assert url == f"unix://{tmp_path}/redis/redis.sock"
        assert (mode(tmp_path / "redis"), mode(tmp_path / "redis" / "redis.sock")) == (0o700, 0o700)


def test_it_listens_on_no_port_keeps_nothing_on_disk_and_is_bounded(tmp_path: Path) -> None:
    with redis_server(tmp_path) as url, redis.Redis.from_url(url, decode_responses=True) as connection:
        settings = connection.config_get("*")
    wanted = {
        "port": "0",
        "save": "",
        "appendonly": "no",
        "maxmemory": str(64 * 1024 * 1024),
        "maxmemory-policy": "allkeys-lru",
    }
    assert {name: settings[name] for name in wanted} == wanted


def test_a_folder_whose_path_is_too_long_for_a_socket_gets_a_short_one_that_everybody_finds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    short = tmp_path.parent.parent / "short"
    short.mkdir(exist_ok=True)
    monkeypatch.setattr(tempfile, "tempdir", str(short))
    data = tmp_path / ("deep" * 30)
    with redis_server(data) as url:
        assert len(url) < 100
        assert private_redis.running_url(data) == url
        assert mode(Path(url.removeprefix("unix://")).parent) == 0o700


def test_a_relative_folder_is_the_same_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with redis_server(Path("var")) as url:
        assert private_redis.running_url(tmp_path / "var") == url


def test_where_none_runs_there_is_no_url(tmp_path: Path) -> None:
    assert private_redis.running_url(tmp_path) is None
    with redis_server(tmp_path):
        pass
    assert private_redis.running_url(tmp_path) is None


def test_a_folder_of_somebody_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "redis").symlink_to("/")
    with pytest.raises(RedisMissingError, match="belongs to somebody else"):
        private_redis.command(tmp_path)


def test_valkey_serves_where_redis_is_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    valkey = tmp_path / "valkey-server"
    valkey.touch(mode=0o700)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert private_redis.command(tmp_path)[0] == str(valkey)


def test_without_any_binary_it_says_how_to_get_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert private_redis.binary() is None
    with pytest.raises(RedisMissingError, match="apt-get install redis-server"):
        private_redis.command(tmp_path)
