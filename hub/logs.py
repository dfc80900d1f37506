"""Logs: one line per finished unit of work, to stderr (floor 7).

JSON for machines, colour for people. Never a payload: bytes become their length, keys that could hold a secret or a
document are blanked, long text is cut, tracebacks carry no local variables (STYLE.md section 8, NF3).
"""

import logging
import sys
from collections.abc import Mapping
from typing import Literal, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

Level = Literal["debug", "info", "warning", "error"]
Format = Literal["auto", "json", "console"]

BLANKED = frozenset(
    {"authorization", "body", "content", "password", "payload", "private_key", "secret", "token", "xml"}
)
"""Keys whose value is never written, at any depth."""

TEXT_LIMIT = 500
"""Characters of one value; more would be a document in disguise."""

CHATTY = ("aiormq", "aio_pika", "asyncio", "aiohttp.access")
"""Libraries that tell every step; only their warnings matter."""


def configure(level: Level = "info", format: Format = "auto", stream: TextIO | None = None) -> None:  # noqa: A002 - the setting is called log.format
    """Send our log lines and those of the libraries to `stream` (stderr), rendered as `format` says."""
    stream = stream or sys.stderr
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
        structlog.processors.format_exc_info,
        without_payload,
    ]
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.PositionalArgumentsFormatter(), *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _renderer(format, stream)],
        )
    )
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    logging.captureWarnings(capture=True)
    for name in CHATTY:
        logging.getLogger(name).setLevel(max(logging.WARNING, logging.getLogger().level))


def without_payload(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """The event with everything blanked, cut or measured that must not be written."""
    return {key: value if key == "exception" else _printable(key, value) for key, value in event.items()}


def _printable(key: str, value: object) -> object:
    if key.lower() in BLANKED:
        return "(not logged)"
    match value:
        case bytes() | bytearray() | memoryview():
            return f"({len(value)} bytes)"
        case str() if len(value) > TEXT_LIMIT:
            return f"{value[:TEXT_LIMIT]}... ({len(value)} characters)"
        case Mapping():
            return {inner: _printable(str(inner), item) for inner, item in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_printable(key, item) for item in value]
        case _:
            return value


def _renderer(format_: Format, stream: TextIO) -> Processor:
    if format_ == "console" or (format_ == "auto" and stream.isatty()):
        # The default traceback of structlog prints local variables when `rich` is installed: payloads.
        return structlog.dev.ConsoleRenderer(
            colors=stream.isatty(), exception_formatter=structlog.dev.plain_traceback, timestamp_key="at"
        )
    return structlog.processors.JSONRenderer(sort_keys=False)
