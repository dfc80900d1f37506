"""Waiting for rows: bells that wake, feeds that look, cursors that remember (floor 6; R32, R33).

A ring is a hint, the query is the truth: take the bell, look, wait the rest, look again: no change is slept through.
One future per waiter in a set per (view, audience); a client that goes away is forgotten at once.
"""

import asyncio
import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from typing import Final
from weakref import WeakValueDictionary

from msgspec import Struct

from documents.values import Identifier
from hub.ports import Clock, Item, RowReader, Scope

WAKE_AT_ONCE: Final = 256
"""Waiters woken in one turn of the loop; more would hold up everybody else."""


class BadCursor(ValueError):
    """Not a cursor of this feed. The message is for the client."""


class Cursor(Struct, frozen=True):
    """A place in a feed: everything up to `sequence` was seen, under `version` of the view (R32). Opaque to clients."""

    view: str
    version: int
    sequence: int

    def encode(self) -> str:
        """Text for a client, safe in a URL."""
        return urlsafe_b64encode(f"{self.view}:{self.version}:{self.sequence}".encode()).decode().rstrip("=")

    @classmethod
    def decode(cls, text: str, *, view: str) -> "Cursor":
        """Read a cursor of `view`. Raises BadCursor."""
        try:
            raw = urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4)).decode("ascii")
            found, version, sequence = raw.split(":")
            cursor = cls(found, int(version), int(sequence))
        except (ValueError, binascii.Error) as error:
            raise BadCursor("This is no cursor. Give one exactly as an earlier answer gave it, or none.") from error
        if cursor.view != view or cursor.version < 1 or cursor.sequence < 0 or cursor.encode() != text:
            raise BadCursor("This cursor belongs to another feed. Give one that an answer of this feed gave, or none.")
        return cursor


class Bell:
    """One waiter's bell; it stays rung."""

    def __init__(self) -> None:
        self._rung: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @property
    def is_rung(self) -> bool:
        """Whether something has changed since it was taken."""
        return self._rung.done()

    def ring(self) -> None:
        """Wake its waiter."""
        if not self._rung.done():
            self._rung.set_result(None)

    async def wait_at_most(self, seconds: float, clock: Clock) -> None:
        """Return when rung or when the time has passed."""
        timer = asyncio.create_task(self._ring_after(seconds, clock), name="bell-timer")
        try:
            # Shielded: a waiter that goes away must not cancel a future that `ring` may be about to set.
            await asyncio.shield(self._rung)
        finally:
            timer.cancel()

    async def _ring_after(self, seconds: float, clock: Clock) -> None:
        await clock.sleep(seconds)
        self.ring()


class Bells:
    """All who wait in this process, by (view, audience)."""

    def __init__(self) -> None:
        self._hung: dict[tuple[str, Identifier], set[Bell]] = {}
        self.is_closed = False

    def __len__(self) -> int:
        """How many wait."""
        return sum(len(bells) for bells in self._hung.values())

    @contextmanager
    def take(self, view: str, audience: Identifier) -> Iterator[Bell]:
        """Hang up a bell for as long as the block lasts."""
        key, bell = (view, audience), Bell()
        if self.is_closed:
            bell.ring()
        self._hung.setdefault(key, set()).add(bell)
        try:
            yield bell
        finally:
            self._take_down(key, bell)

    def ring(self, changed: Iterable[tuple[str, Identifier]]) -> None:
        """Wake who waits for these, a few at a time."""
        woken = [bell for key in changed for bell in self._hung.pop(key, ())]
        _wake(iter(woken))

    def close(self) -> None:
        """Wake everybody and let nobody wait again: the process is stopping."""
        self.is_closed = True
        self.ring(list(self._hung))

    def _take_down(self, key: tuple[str, Identifier], bell: Bell) -> None:
        bells = self._hung.get(key)
        if bells is not None:
            bells.discard(bell)
            if not bells:
                del self._hung[key]


@dataclass(eq=False, slots=True, weakref_slot=True)
class _Look:
    """Looks at one place of a feed: how many were asked for, and up to which one `items` is the answer."""

    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    asked: int = 0
    answered: int = 0
    items: Sequence[Item] = ()


class Feed:
    """Rows of a scope as they come. Many who look at the same place at the same time share one look at the store."""

    def __init__(self, rows: RowReader, bells: Bells, clock: Clock) -> None:
        self._rows, self._bells, self._clock = rows, bells, clock
        self._looks: WeakValueDictionary[tuple[Identifier, str, int, int], _Look] = WeakValueDictionary()

    @property
    def is_closed(self) -> bool:
        """Whether the process stops: nobody waits any more."""
        return self._bells.is_closed

    async def wait(self, scope: Scope, view: str, *, after: int, timeout_s: float, limit: int = 1000) -> Sequence[Item]:
        """Items with sequence > `after`, or none once `timeout_s` has passed or the process stops."""
        deadline = self._clock.monotonic() + timeout_s
        while True:
            with self._bells.take(view, scope.audience) as bell:
                items = await self._look(scope, view, after, limit)
                remaining_s = deadline - self._clock.monotonic()
                if items or remaining_s <= 0 or self._bells.is_closed:
                    return items
                await bell.wait_at_most(remaining_s, self._clock)

    async def _look(self, scope: Scope, view: str, after: int, limit: int) -> Sequence[Item]:
        """What is there now: of a look that began after this one was asked for, whoever asked for it."""
        look = self._looks.setdefault((scope.audience, view, after, limit), _Look())
        look.asked += 1
        mine = look.asked
        async with look.turn:
            if look.answered < mine:
                asked = look.asked
                look.items = await self._rows.feed(scope, view, after=after, limit=limit)
                look.answered = asked
            return look.items


def _wake(bells: Iterator[Bell]) -> None:
    chunk = list(islice(bells, WAKE_AT_ONCE))
    for bell in chunk:
        bell.ring()
    if len(chunk) == WAKE_AT_ONCE:
        asyncio.get_running_loop().call_soon(_wake, bells)
