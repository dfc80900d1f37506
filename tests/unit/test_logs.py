"""Logs: one line per event, machine-readable where nobody watches, and never a payload."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from hub.logs import BLANKED, TEXT_LIMIT, Level, configure
from hub.settings import Secret


class Terminal(io.StringIO):
    """A stream that somebody watches."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()


def lines(stream: io.StringIO) -> list[dict[str, Any]]:  # Any: whatever was logged
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def logging_to(stream: io.StringIO, level: Level = "info") -> Any:  # Any: structlog's proxy
    configure(level, stream=stream)
    return structlog.get_logger("hub.desk")


def test_a_line_is_json_with_event_level_time_and_name() -> None:
    stream = io.StringIO()

    logging_to(stream).info("document.accepted", document="d1", events=3)

    (line,) = lines(stream)
    assert line.pop("at").endswith("Z")
    assert line == {"event": "document.accepted", "level": "info", "logger": "hub.desk", "document": "d1", "events": 3}


def test_a_terminal_gets_text_for_people() -> None:
    stream = Terminal()

    logging_to(stream).info("hub.ready", port=8080)

    assert "hub.ready" in stream.getvalue()
    assert not stream.getvalue().startswith("{")


def test_lines_of_libraries_look_like_ours() -> None:
    stream = io.StringIO()
    configure(stream=stream)

    logging.getLogger("aiohttp.server").warning("lost %s", "connection")

    assert [(line["event"], line["logger"]) for line in lines(stream)] == [("lost connection", "aiohttp.server")]


def test_what_is_below_the_level_is_not_written() -> None:
    stream = io.StringIO()
    log = logging_to(stream, "warning")

    log.info("quiet")
    logging.getLogger("aiormq").info("quiet")
    log.warning("loud")

    assert [line["event"] for line in lines(stream)] == ["loud"]


@pytest.mark.parametrize("key", sorted(BLANKED))
def test_a_key_that_could_hold_a_secret_or_a_document_is_blanked_at_any_depth(key: str) -> None:
    stream = io.StringIO()

    logging_to(stream).info("request", **{key: "canary", "headers": {key.title(): "canary"}, "list": [{key: "canary"}]})

    assert "canary" not in stream.getvalue()


def test_bytes_secrets_and_long_texts_are_not_written() -> None:
    stream = io.StringIO()

    logging_to(stream).info("sent", data=b"canary", key=Secret("canary"), text="x" * (TEXT_LIMIT + 1) + "canary")

    assert "canary" not in stream.getvalue()
    assert lines(stream)[0]["data"] == "(6 bytes)"


@pytest.mark.parametrize("stream", [io.StringIO(), Terminal()])
def test_a_traceback_names_the_error_but_no_local_variable(stream: io.StringIO) -> None:
    log = logging_to(stream)
    document = "canary"

    try:
        raise ValueError(f"document of {len(document)} characters")
    except ValueError:
        log.exception("crashed")

    assert "document of 6 characters" in stream.getvalue()
    assert "canary" not in stream.getvalue()
