"""Long work shows how far it is to people, and nothing to programs."""

import io
import sys

import pytest

from hub.verbs.progress import progress


class Terminal(io.StringIO):
    """A stderr that somebody looks at."""

    def isatty(self) -> bool:
        return True


def shown(stderr: io.StringIO, total: int | None, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(sys, "stderr", stderr)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    with progress("Records", total, done=10) as reached:
        reached(20)
        reached(40)
    return stderr.getvalue()


def test_on_a_terminal_the_work_and_how_much_of_it_is_done_are_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    words = shown(Terminal(), 80, monkeypatch)

    assert "Records" in words
    assert "40/80" in words


def test_work_without_a_known_end_is_shown_too(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "40/?" in shown(Terminal(), None, monkeypatch)


def test_elsewhere_it_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    assert shown(io.StringIO(), 80, monkeypatch) == ""
