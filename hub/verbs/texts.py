"""What people give on the command line: a line of words, an instant, a position in a log; each refused early (2)."""

from datetime import UTC, datetime
from typing import Final

import click

from documents.values import Instant

POSITION_MAX: Final = 2**63 - 1
"""The database counts no further."""
POSITION: Final = click.IntRange(1, POSITION_MAX)
DAYS_MAX: Final = 36_500
"""A hundred years: further from now than anybody means, and never beyond the calendar."""


class Words(click.ParamType[str]):
    """One line of text that everybody can read later, in the log too; not blank, unless nothing is said at all."""

    name = "text"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The words. Ends with 2 when there are none, or what no terminal and no log should hold."""
        text = str(value)
        if not text.isprintable():
            self.fail("It holds a line break or what cannot be printed. Give one line of text.", param, ctx)
        if text and not text.strip():
            self.fail("It is blank. Say it in words.", param, ctx)
        return text


class Said(Words):
    """Words that must be there."""

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The words. Ends with 2 when there are none."""
        return super().convert(value or " ", param, ctx)


class UtcTime(click.ParamType[Instant]):
    """An instant as people write it: ISO 8601, in UTC where no offset is given."""

    name = "time"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Instant:
        """The aware instant. Ends with 2 when it is none."""
        try:
            found = datetime.fromisoformat(str(value))
            return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
        except (ValueError, OverflowError):
            self.fail(f"{value!r} is no time. Give one such as 2026-11-24T14:05:00Z.", param, ctx)
