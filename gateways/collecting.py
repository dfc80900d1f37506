"""Which limits clients were answered, noted once each, so that the hub learns that they were collected (R29).

Nobody waits for the note: the answer has left by then. What is not stored yet when the gateway ends is noted last.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from documents.values import Mrid
from gateways.commands import Collect
from hub.desk import Desk
from hub.errors import Unavailable
from hub.ports import Clock

REMEMBERED_MAX: Final = 100_000
"""Limits that are known to be noted; the brain knows all of them, this only spares it the question."""
RETRY_S: Final = 5.0


class Collecting:
    """The loop from answers to notes of one gateway; `cause` names it in the log."""

    def __init__(self, desk: Desk, *, cause: str, clock: Clock) -> None:
        self._desk, self._cause, self._clock = desk, cause, clock
        self._answered: dict[tuple[Mrid, int], None] = {}
        self._noted: set[tuple[Mrid, int]] = set()
        self._bell = asyncio.Event()

    def answered(self, limits: Sequence[tuple[Mrid, int]]) -> None:
        """A client was answered these (mrid, revision)."""
        fresh = [limit for limit in limits if limit not in self._noted]
        if fresh:
            self._answered.update(dict.fromkeys(fresh))
            self._bell.set()

    async def run(self) -> None:
        """Note what is answered, until cancelled."""
        while True:
            await self._bell.wait()
            self._bell.clear()
            try:
                await self._note()
            except Unavailable:
                self._bell.set()
                await self._clock.sleep(RETRY_S)

    async def last(self) -> None:
        """Note what was answered just before the end; the hub is told after the next start."""
        with suppress(Unavailable):
            await self._note()

    async def _note(self) -> None:
        limits = tuple(self._answered)
        if not limits:
            return
        await self._desk.submit(Collect(limits=limits), cause=self._cause)
        if len(self._noted) > REMEMBERED_MAX:
            self._noted.clear()
        self._noted.update(limits)
        for limit in limits:
            del self._answered[limit]
