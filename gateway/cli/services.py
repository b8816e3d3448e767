"""The commands that keep running: everything at once (`up`), its parts alone, and Lumail's stand-in."""

import ipaddress
import os
import shutil
import socket
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from urllib.parse import urlsplit

import click
import requests
import structlog

from gateway.cli import first_admin, running
from gateway.cli.reloading import Started, reload_of
from gateway.cli.running import STAND_IN, noted
from gateway.cli.settings import SANDBOX, Said, data_folder, installation_options
from gateway.config import Config, child_environ, local_url, with_dotenv
from gateway.ledger.scheduling.attempt import ENDS_WITHIN
from gateway.lumail.sandbox import SandboxSettings, create_sandbox, serve
from gateway.outgoing import new_session
from gateway.runtime import private_redis, supervisor
from gateway.runtime import web as web_processes
from gateway.runtime.forked import FORKS, share
from gateway.runtime.logs import configure_logs
from gateway.runtime.only_one import only_one
from gateway.runtime.supervisor import Child
from gateway.startup import METRICS_FOLDER, configured, prepare

log = structlog.get_logger()

MANY_CORES = 4
"""From which on a second web process takes more webhooks than one does."""

WEB_PROCESSES = 2 if (os.cpu_count() or 1) >= MANY_CORES else 1
WORKERS = 1

SHARED = ("gateway.app", "gateway.cli", "gateway.runtime.server", "gateway.worker")
"""What web processes and workers are made of."""

METRICS_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
"""What tells prometheus_client, before it is imported, where the processes of one machine count together."""

WORKER_ENDS_WITHIN = ENDS_WITHIN.total_seconds() + 5
"""Seconds: the longest request to Lumail, and the note of its answer."""

_port = click.option(
    "--port", type=click.IntRange(1, 65535), help="Where webhooks are taken. Default: PORT, else 8000."
)
_web = click.option(
    "--web",
    "processes",
    type=click.IntRange(1, 64),
    default=WEB_PROCESSES,
    show_default=f"2, below {MANY_CORES} cores 1",
    help="Web processes.",
)


@click.command()
@_port
@_web
@click.option("--workers", type=click.IntRange(1, 64), default=WORKERS, show_default=True, help="Worker processes.")
@installation_options
def up(said: Said, port: int | None, processes: int, workers: int) -> None:
    """Run the gateway: web, workers and a private Redis in one.

    With --sandbox, Lumail is a stand-in that runs beside it, and missing secrets are made up.

    Ends with Ctrl-C or SIGTERM, after what was begun is finished. Reads the file `.env` beside the configuration.

    SIGHUP has files and secrets read again, and replaces the processes one by one, if there is no terminal whose end it
    tells. A socket that a service manager passes (LISTEN_FDS) is used in the place of --port.

    \b
    Examples:
      lumail-gateway up --sandbox
      lumail-gateway up --port 8080 --web 4 --workers 2
    """
    passed = web_processes.passed(os.environ)
    config, environ = _read(said, port, passed)
    configure_logs()
    with only_one(config.data) as lock:
        if config.sandbox_url is not None:
            _sandbox_listens_at(config.sandbox_url, tried=True)
        listener = _listening(config, passed)
        warn_beyond_loopback(config)
        prepare(config)
        first_admin.make(config)
        _forget_metrics(config)
        url = local_url(config.host, config.port)

        def working(config: Config, env: Mapping[str, str]) -> list[Child]:
            return [
                Child(f"worker-{number}", ["gateway.cli", "worker"], env, WORKER_ENDS_WITHIN, is_ours=True)
                for number in range(1, workers + 1)
            ]

        def answering(config: Config, env: Mapping[str, str]) -> list[Child]:
            children = web_processes.children(listener, processes, env)
            return [replace(one, ready=lambda: _answers(f"{url}/healthz")) for one in children]

        def children(config: Config, environ: Mapping[str, str]) -> list[Child]:
            env = _child_env(config, environ)
            return [*working(config, env), *answering(config, env)]

        env = _child_env(config, environ)
        stages = [_first(config, env), working(config, env), answering(config, env)]
        again = reload_of(Started(config, lambda: _read(said, port, passed), children))
        sign_in = first_admin.sign_in_lines(config, url, _program())  # here, since a password's hash takes much memory
        _share(env)
        with noted(config, url):
            supervisor.run(stages, lock, started=lambda: _greet(config, said, sign_in), reload=again)


@click.command()
@_port
@_web
@installation_options
def web(said: Said, port: int | None, processes: int) -> None:
    """Run the web processes alone.

    Redis is that of REDIS_URL, else the private one of the data folder, if `up` runs it.

    \b
    Example:
      lumail-gateway web --port 8080 --web 4
    """
    passed = web_processes.passed(os.environ)
    config, environ = _read(said, port, passed, beside=True)
    configure_logs()
    listener = _listening(config, passed)
    warn_beyond_loopback(config)
    prepare(config)

    def children(config: Config, environ: Mapping[str, str]) -> list[Child]:
        return web_processes.children(listener, processes, _child_env(config, environ))

    again = reload_of(Started(config, lambda: _read(said, port, passed, beside=True), children))
    _share(_child_env(config, environ))
    supervisor.run([children(config, environ)], reload=again)


@click.command()
@installation_options
def worker(said: Said) -> None:
    """Run one worker alone, which delivers to Lumail.

    `python worker.py` is the same.

    Redis is that of REDIS_URL, else the private one of the data folder, if `up` runs it.

    \b
    Example:
      lumail-gateway worker
    """
    config, environ = _read(said, beside=True)
    if METRICS_VARIABLE not in os.environ:
        # That variable counts at the import, which is past: so begin again, as `up` begins a worker.
        os.execve(sys.executable, _command_line("worker"), _child_env(config, environ))  # noqa: S606 - ours
    configure_logs()
    import_module("gateway.worker").work(config)


@click.command()
@click.option(
    "--port", type=click.IntRange(0, 65535), help="Default: the port after the gateway's; 0 takes a free one."
)
@installation_options
def sandbox(said: Said, port: int | None) -> None:
    """Run Lumail's stand-in alone.

    It has the API at /api/v1, a page at / that shows what arrived, and faults on demand at POST /faults.

    Any bearer token is an organization of its own there. What arrives is kept in the data folder.

    \b
    Example:
      lumail-gateway sandbox --port 8001
    """
    config, _ = _read(Said(said.file, said.data, sandbox=True))
    host, usual = _sandbox_listens_at(config.sandbox_url or "")
    settings = _sandbox_settings(config)

    def tell(url: str) -> None:
        click.echo(f"Lumail's stand-in: {url}/api/v1, and what arrived: {url}/")

    serve(create_sandbox(settings), host=host, port=usual if port is None else port, ready=tell)


def _sandbox_settings(config: Config) -> SandboxSettings:
    plans = [destination.requests_per_minute for destination in config.destinations.values()]
    return SandboxSettings(folder=config.data / "lumail", requests_per_minute=max(plans))


def _read(
    said: Said, port: int | None = None, passed: socket.socket | None = None, *, beside: bool = False
) -> tuple[Config, Mapping[str, str]]:
    """The configuration and the environment that it came from; `beside` an `up --sandbox`, with its stand-in.

    A socket that was `passed` says where webhooks are taken.
    """
    host = None
    if passed is not None:
        host, port = passed.getsockname()[:2]
    flags = said.flags(host=host, port=port)
    environ = with_dotenv(flags, os.environ)
    if beside and said.sandbox:
        found = running.find(data_folder(said, environ) / SANDBOX)
        environ |= {} if found is None else {STAND_IN: found.environ[STAND_IN]}
    return configured(flags, environ), environ


def _child_env(config: Config, environ: Mapping[str, str]) -> dict[str, str]:
    """What a process of this installation is started with."""
    folder = config.data / METRICS_FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    return {**child_environ(config, environ), METRICS_VARIABLE: str(folder)}


def _share(env: Mapping[str, str]) -> None:
    """Children that are forked find everything imported; prometheus_client asks for its folder as it is imported."""
    if FORKS:
        os.environ[METRICS_VARIABLE] = env[METRICS_VARIABLE]
        share(SHARED)


def _forget_metrics(config: Config) -> None:
    """Counters begin anew with the installation; while it runs they outlive each of its processes."""
    for file in (config.data / METRICS_FOLDER).glob("*.db"):
        file.unlink(missing_ok=True)


def _command_line(*command: str) -> list[str]:
    return [sys.executable, "-m", "gateway.cli", *command]


def _first(config: Config, env: Mapping[str, str]) -> list[Child]:
    """What the others need: the private Redis unless one is configured, and the sandbox."""
    children = []
    if config.redis_url is None and private_redis.binary() is not None:
        argv = private_redis.command(config.data)
        children.append(Child("redis", argv, env, ready=lambda: private_redis.running_url(config.data) is not None))
    if config.sandbox_url is not None:
        page = f"{config.sandbox_url.removesuffix('/api/v1')}/"
        host, port = _sandbox_listens_at(config.sandbox_url)
        settings = _sandbox_settings(config)
        # Not through the command, whose imports would take 50 MB more.
        argv = [sys.executable, "-m", "gateway.lumail.sandbox", str(settings.folder), host, str(port)]
        argv.append(str(settings.requests_per_minute))
        children.append(Child("sandbox", argv, env, ready=lambda: _answers(page)))
    return children


def _answers(url: str) -> bool:
    try:
        with new_session() as session:
            return session.get(url, timeout=1).ok
    except requests.RequestException:
        return False


def _sandbox_listens_at(url: str, *, tried: bool = False) -> tuple[str, int]:
    """Host and port of the sandbox; `tried`: raise CommandError where the port is taken."""
    parts = urlsplit(url)
    host, port = parts.hostname or "127.0.0.1", parts.port or 80
    if tried:
        web_processes.listen(host, port).close()
    return host, port


def _is_without_redis(config: Config) -> bool:
    return config.redis_url is None and private_redis.binary() is None


def _listening(config: Config, passed: socket.socket | None) -> socket.socket:
    if passed is None:
        return web_processes.listen(config.host, config.port)
    log.info("web.listens", host=config.host, port=config.port, passed=True)
    return passed


def warn_beyond_loopback(config: Config) -> None:
    """Whoever connects is taken for the sender, and the headers of a proxy for anybody's words."""
    if config.trusted_proxies == 0 and not _is_loopback(config.host):
        log.warning(
            "web.no_proxy_trusted",
            host=config.host,
            why="it listens beyond this machine and trusts no proxy: all who come through one count as one sender, "
            "who may have 32 slow bodies at once and whose failed sign-ins slow everybody down",
            advice="put a proxy with TLS in front and set trusted_proxies",
        )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _greet(config: Config, said: Said, sign_in: Sequence[str]) -> None:
    """What somebody who has just started it wants to know."""
    lines = [
        "",
        "The gateway runs" + (", and Lumail is a stand-in: nothing leaves this machine." if config.sandbox else "."),
    ]
    lines += ["", "Webhooks are taken at"]
    width = max(len(name) for name in (*config.sources, ""))
    lines += [f"  {name:{width}}  {config.public_url.rstrip('/')}/webhooks/{name}" for name in config.sources]
    lines += ["The desk", *(f"  {line}" for line in sign_in)]
    next_line = "status"
    if config.sandbox_url is not None:
        lines += ["What arrives at Lumail's stand-in", f"  {config.sandbox_url.removesuffix('/api/v1')}/"]
        lines += ["Secrets that were made up", f"  {_short(config.data / 'secrets.env')}"]
        next_line = f"send {next(iter(config.sources), 'SOURCE')}"
    else:
        lines += ["Secrets are those that the configuration names", f"  {_short(config.file)}"]
    if _is_without_redis(config):
        lines += [
            "There is no Redis here, so workers look every second for what is due. Faster:",
            f"  {private_redis.ADVICE}",
        ]
    where = "" if said.data is None else f" --data {said.data}"
    click.echo("\n".join([*lines, "", "Now type, in another terminal:", f"  {_program()} {next_line}{where}", ""]))
    sys.stdout.flush()


def _program() -> str:
    """What to type for this program here: its name where that is found, else its place."""
    name = "lumail-gateway"
    beside = Path(sys.executable).with_name(name)
    return name if shutil.which(name) or not beside.exists() else _short(beside)


def _short(path: Path) -> str:
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)
