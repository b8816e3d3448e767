"""What a log line looks like: one line on stderr, for a program as JSON, for a person at a terminal in colour.

Everything goes one way, the standard library's loggers too (RQ, granian, SQLAlchemy). From INFO on nothing of ours is
dropped; of the libraries that tell each step, only what is below WARNING. A traceback is the plain one, without the
variables of its frames: no payload, e-mail address or secret is ever logged (write its id, its kind or its count), and
a frame's variables would be all of them.
"""

import logging
import sys
from typing import Any

import structlog
from structlog.typing import Processor

LEVEL = logging.INFO

TALKATIVE = ("alembic", "granian", "_granian", "rq", "urllib3", "werkzeug")
"""Libraries that tell what they do at INFO; only their warnings are news."""

EVERY_LINE: list[Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.StackInfoRenderer(),
]


def configure_logs(json: bool | None = None) -> None:
    """To be called once a process, first thing. None: JSON unless stderr is a terminal."""
    as_json = not sys.stderr.isatty() if json is None else json
    rendered: list[Processor] = [*EVERY_LINE, *(_for_programs() if as_json else _for_people())]
    structlog.configure(
        processors=rendered,
        wrapper_class=structlog.make_filtering_bound_logger(LEVEL),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[_named, *EVERY_LINE],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *rendered[len(EVERY_LINE) :]],
        )
    )
    logging.basicConfig(level=LEVEL, handlers=[handler], force=True)
    logging.captureWarnings(True)
    for name in TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)


def _for_programs() -> list[Processor]:
    return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(ensure_ascii=False)]


def _for_people() -> list[Processor]:
    # Not the default, which shows each frame's variables where rich is installed.
    return [structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]


def _named(_: Any, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """A line of the standard library's tells which logger wrote it."""
    event["logger"] = event["_record"].name
    return event
