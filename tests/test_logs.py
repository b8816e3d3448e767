"""What a log line looks like, in a process of its own."""

import json
import subprocess
import sys
from typing import Any


def logged(program: str) -> list[dict[str, Any]]:
    before = "import logging, structlog\nfrom gateway.runtime.logs import configure_logs\nconfigure_logs()\n"
    done = subprocess.run([sys.executable, "-c", before + program], stderr=subprocess.PIPE, text=True, check=True)
    return [json.loads(line) for line in done.stderr.splitlines()]


def told(line: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in line.items() if name != "timestamp"}


def test_where_no_person_reads_a_line_is_json_with_its_level_and_the_time_in_utc() -> None:
    (line,) = logged("structlog.get_logger().info('webhook.received', source='stripe', milliseconds=3)")
    assert line.pop("timestamp").endswith("Z")
    assert line == {"event": "webhook.received", "level": "info", "source": "stripe", "milliseconds": 3}


def test_lines_of_the_standard_library_look_the_same_and_tell_who_wrote_them() -> None:
    (line,) = logged("logging.getLogger('redis').warning('away for %s s', 3)")
    assert told(line) == {"event": "away for 3 s", "level": "warning", "logger": "redis"}


def test_warnings_are_logged() -> None:
    (line,) = logged("import warnings; warnings.warn('old', DeprecationWarning, stacklevel=1)\n")
    assert (line["level"], line["logger"]) == ("warning", "py.warnings")


def test_talkative_libraries_tell_warnings_only() -> None:
    program = "log = logging.getLogger('alembic.runtime.plugins')\nlog.info('setup')\nlog.warning('look')"
    assert [line["event"] for line in logged(program)] == ["look"]


def test_a_traceback_holds_no_variable_of_its_frames() -> None:
    program = """
def deliver(email):
    return 1 / 0

for log in (structlog.get_logger(), logging.getLogger('redis')):
    try:
        deliver('ana@' + 'example.com')
    except ZeroDivisionError:
        log.exception('failed')
"""
    lines = logged(program)
    assert ["ZeroDivisionError" in line["exception"] for line in lines] == [True, True]
    assert "ana@example.com" not in json.dumps(lines)


def test_for_a_person_neither() -> None:
    program = """
configure_logs(json=False)
email = 'ana@' + 'example.com'
try:
    1 / 0
except ZeroDivisionError:
    structlog.get_logger().exception('failed')
"""
    before = "import structlog\nfrom gateway.runtime.logs import configure_logs\n"
    done = subprocess.run([sys.executable, "-c", before + program], stderr=subprocess.PIPE, text=True, check=True)
    assert "ZeroDivisionError" in done.stderr
    assert "ana@example.com" not in done.stderr
