"""The one fact that every log can hold, whosever it is: its database was brought back from a backup."""

from typing import Final

from msgspec import Struct

from documents.values import Instant

STREAM: Final = "store"
"""Where these events stand in a log."""


class StoreRestored(Struct, frozen=True, kw_only=True, tag="StoreRestored.v1"):
    """The operator restored a backup: what was in the store when it was `made`, and nothing after.

    `head` and `chain` (hexadecimal, None of an empty log) are where the log of the backup ended.
    """

    made: Instant
    head: int
    chain: str | None
    why: str
    by: str
