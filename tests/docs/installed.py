"""The gateway as docs/install.md and docs/quickstart-live.md set it up: a wheel, a service, the command of the page.

Lumail is the stand-in; all else is as the pages have it, with folders of the test in place of theirs.
"""

import json
import os
import re
import shlex
import subprocess
import sys
import sysconfig
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import requests

from tests.cli.tryout import ROOT, two_free_ports
from tests.waiting import eventually

INSTALL = (ROOT / "docs" / "install.md").read_text()
QUICK_START = (ROOT / "docs" / "quickstart-live.md").read_text()
SECRETS = {
    "GATEWAY_SECRET_KEY": "0123456789abcdef0123456789abcdef",
    "LUMAIL_API_TOKEN": "lum_of_nobody_in_particular",
    "STRIPE_WEBHOOK_SECRET": "whsec_0123456789abcdef0123456789abcdef",
}

IN_ONE_PROCESS = """
import json, sys
from click.testing import CliRunner
from gateway.cli import main
typed = json.loads(sys.stdin.read())
done = [CliRunner().invoke(main, words, input="y\\n", prog_name="lumail-gateway") for words in typed]
print(json.dumps([[one.exit_code, one.stdout, one.stderr] for one in done]))
"""
"""Of the installed gateway; a process for each command would take a second for each."""


def block(page: str, heading: str, language: str) -> str:
    """The first block of a language under a heading."""
    return page.split(f"\n{heading}\n")[1].split(f"```{language}\n")[1].split("```")[0]


@dataclass(frozen=True)
class Typed:
    status: int
    stdout: str
    stderr: str


@dataclass(frozen=True)
class Installed:
    """A running gateway, installed from the wheel.

    `script` is the command of docs/install.md, `lumail` where the stand-in is.
    """

    folder: Path
    lumail: str

    @property
    def script(self) -> Path:
        return self.folder / "lumail-gateway"

    def here(self, text: str) -> str:
        """What a page says, in this folder and as this user."""
        return _here(text, self.folder)

    def type_all(self, lines: Sequence[str]) -> list[Typed]:
        """Each line as the terminal has it, without the name of the program."""
        env = {**os.environ, "GATEWAY_CONFIG": str(self.folder / "etc" / "gateway.yaml")}
        env |= {"GATEWAY_DATA": str(self.folder / "data")}
        done = subprocess.run(
            [self.folder / "venv" / "bin" / "python", "-c", IN_ONE_PROCESS],
            input=json.dumps([shlex.split(line) for line in lines]),
            env=env,
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=True,
        )
        return [Typed(*one) for one in json.loads(done.stdout)]


def _here(text: str, folder: Path) -> str:
    places = {
        "/opt/lumail-gateway/.venv": folder / "venv",
        "/etc/lumail-gateway": folder / "etc",
        "/var/lib/lumail-gateway": folder / "data",
        "runuser -u lumail-gateway --": "env",
    }
    for place, instead in places.items():
        text = text.replace(place, str(instead))
    return text


def _install(folder: Path) -> None:
    """As `pip install --no-deps` does; what the lock file names is lent by the environment that runs the tests."""
    python = folder / "venv" / "bin" / "python"
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    [wheel] = folder.glob("*.whl")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder / "venv")], check=True)
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run([*pip, str(wheel)], check=True, capture_output=True)
    [packages] = (folder / "venv").glob("lib/python*/site-packages")
    (packages / "lent.pth").write_text(sysconfig.get_path("purelib") + "\n")


def _configure(folder: Path, port: int) -> None:
    etc = folder / "etc"
    etc.mkdir()
    written = block(QUICK_START, "## 1. One source, one destination", "yaml")
    token = "    api_token: ${LUMAIL_API_TOKEN}\n"
    assert token in written
    lumail = f"    base_url: http://127.0.0.1:{port + 1}/api/v1\n"
    (etc / "gateway.yaml").write_text(written.replace(token, token + lumail))
    secrets = re.findall(r"^([A-Z_]+)=", block(QUICK_START, "## 2. The secrets", "sh"), flags=re.MULTILINE)
    (etc / ".env").write_text("".join(f"{name}={SECRETS[name]}\n" for name in secrets))
    script = folder / "lumail-gateway"
    script.write_text(_here(block(INSTALL, "## The command", "sh"), folder))
    script.chmod(0o755)


@contextmanager
def _kept_running(line: Sequence[str], env: Mapping[str, str], log: Path) -> Iterator[None]:
    with log.open("wb") as out:
        process = subprocess.Popen(line, env=env, stdout=out, stderr=out, cwd=log.parent)
    try:
        yield
    finally:
        children = psutil.Process(process.pid).children() if process.poll() is None else []
        process.terminate()
        process.wait(40)
        psutil.wait_procs(children, timeout=5)


def _answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=1).ok
    except requests.RequestException:
        return False


@contextmanager
def installed(folder: Path) -> Iterator[Installed]:
    port = two_free_ports()
    _install(folder)
    _configure(folder, port)
    env = {name: value for name, value in os.environ.items() if not name.startswith(("GATEWAY_", "PROMETHEUS_"))}
    env["PORT"] = str(port)
    stand_in = [str(folder / "venv" / "bin" / "python"), "-m", "gateway.lumail.sandbox", str(folder / "lumail")]
    unit = block(INSTALL, "## As a service", "ini")
    [service] = re.findall(r"^ExecStart=(.+)$", unit, flags=re.MULTILINE)
    with (
        _kept_running([*stand_in, "127.0.0.1", str(port + 1), "700"], env, folder / "lumail.log"),
        _kept_running(shlex.split(_here(service, folder)), env, folder / "up.log"),
    ):
        eventually(lambda: _answers(f"http://127.0.0.1:{port}/readyz"), within=180, what="the service is ready")
        yield Installed(folder, f"http://127.0.0.1:{port + 1}")
