"""Marker words that must not turn up where they do not belong (R38): for rows, documents, REST bodies, headers and
logs.

Every participant has a word nobody else has, and everything it names carries it: its id, its name, its assets, points,
document mRIDs and texts. What an audience gets may hold others' words only inside ids that it may know: what it sent
itself, for a DSO the assets on its grid, for an AGR the assets it operates with their points. All else is a leak.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from documents.packing import plain
from documents.values import Identifier
from hub.ports import OPERATOR, Row


class Leak(AssertionError):
    """A foreign word reached an audience."""


class Canary:
    """Watches audiences. `known` grows with what each may know.

    `words` names each participant's word, `secrets` further texts that belong to somebody, such as a total's digits.
    """

    def __init__(self, words: Mapping[Identifier, str], secrets: Mapping[str, Identifier] | None = None) -> None:
        self.owners = {word: owner for owner, word in words.items()} | dict(secrets or {})
        self.known: dict[Identifier, set[str]] = {}

    def may_know(self, audience: Identifier, *texts: str) -> None:
        """Let an audience see these; ids with and without their coding scheme."""
        marked = {text for text in texts if any(word in text for word in self.owners)}
        codes = {text[4:] for text in marked if text[3:4] == ":"}
        self.known.setdefault(audience, set()).update(marked, codes)

    def has_said(self, audience: Identifier, said: Any) -> None:  # any struct, or its builtins
        """Let an audience see every text in something it sent."""
        self.may_know(audience, *_texts(plain(said)))

    def leaks(self, audience: Identifier, text: str) -> list[str]:
        """Foreign words in a text for this audience, once everything it may know is taken out."""
        # The longest first, so that a short id inside a longer one leaves no rest.
        for known in sorted(self.known.get(audience, ()), key=len, reverse=True):
            text = text.replace(known, "")
        return [word for word, owner in self.owners.items() if owner != audience and word in text]

    def check(self, audience: Identifier, told: str | bytes | Any, what: str = "") -> None:  # text or any struct
        """Raise Leak when anything told to an audience holds a foreign word."""
        found = self.leaks(audience, as_text(told))
        if found:
            raise Leak(f"{what or type(told).__name__} for {audience} holds {', '.join(found)}: {as_text(told)}")

    def check_rows(self, rows: Iterable[Row]) -> None:
        """Raise Leak for the first row that tells its audience of others. The operator of the platform may see all."""
        for row in rows:
            if row.audience != OPERATOR:
                self.check(row.audience, row, f"a row of {row.view}")


def as_text(told: str | bytes | Any) -> str:  # text or any struct
    """Everything there is to read in it: keys, values and all."""
    if isinstance(told, str):
        return told
    if isinstance(told, bytes):
        return told.decode("utf-8", "replace")
    return msgspec.json.encode(plain(told)).decode()


def _texts(said: Any) -> Iterable[str]:  # builtins
    match said:
        case str():
            yield said
        case dict():
            for key, value in said.items():
                yield from _texts(key)
                yield from _texts(value)
        case list() | tuple():
            for value in said:
                yield from _texts(value)
