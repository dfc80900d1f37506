"""What a gateway knows at one position of its log: tables of rows (floor 3, pure).

There is a way back to where a batch began.
"""

from collections.abc import Mapping
from typing import TypeVar

from msgspec import Struct

S = TypeVar("S", bound=Struct)


class Tables:
    """Current rows by (view, key), those nobody is shown included.

    The desk takes one savepoint per batch and returns to no other, so each savepoint starts the journal anew.
    """

    def __init__(self) -> None:
        self._tables: dict[str, dict[str, Struct]] = {}
        self._journal: list[tuple[str, str, Struct | None]] = []
        self._start = 0

    def get(self, view: str, key: str, kind: type[S]) -> S | None:
        """The current row of a key."""
        row = self._tables.get(view, {}).get(key)
        if row is not None and not isinstance(row, kind):
            raise TypeError(f"{view} holds {type(row).__name__}, not {kind.__name__}")
        return row

    def all(self, view: str, kind: type[S]) -> Mapping[str, S]:  # names the type of what the view holds
        """All current rows of a view."""
        return self._tables.get(view, {})  # type: ignore[return-value] # one view holds one kind of rows

    def put(self, view: str, key: str, row: Struct | None) -> None:
        """Set or (None) forget a row."""
        table = self._tables.setdefault(view, {})
        self._journal.append((view, key, table.get(key)))
        if row is None:
            table.pop(key, None)
        else:
            table[key] = row

    def savepoint(self) -> int:
        """Remember the present state; an earlier savepoint is given up."""
        self._start += len(self._journal)
        self._journal.clear()
        return self._start

    def rollback(self, savepoint: int) -> None:
        """Return to the last savepoint. Raises ValueError for any other."""
        if savepoint != self._start:
            raise ValueError(f"Savepoint {savepoint} is gone; the last one is {self._start}.")
        for view, key, before in reversed(self._journal):
            if before is None:
                self._tables[view].pop(key, None)
            else:
                self._tables[view][key] = before
        self._journal.clear()
