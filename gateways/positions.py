"""How far each token was answered on each feed (R33): known at once, stored right after the answer has left.

No answer waits for a commit of its own. A kill between both makes the next call without a cursor tell the last answer
again, never less; whoever needs more certainty sends `after`.
"""

import asyncio
from collections.abc import Mapping
from typing import Final, Protocol

import structlog

from hub.errors import Unavailable
from hub.ports import Clock

RETRY_S: Final = 1.0

log = structlog.get_logger("gateways.positions")


class Stored(Protocol):
    """What is needed of the token store. Both raise Unavailable."""

    async def positions(self, fingerprint: str) -> Mapping[str, int]:
        """Per view, the sequence this token was last answered up to."""

    async def set_positions(self, positions: Mapping[tuple[str, str], int]) -> None:
        """Remember sequences by (fingerprint, view); a position never goes back."""


class Positions:
    """Positions of all tokens of one gateway; `run` stores what was noted, many answers in one commit."""

    def __init__(self, stored: Stored, clock: Clock) -> None:
        self._stored, self._clock = stored, clock
        self._noted: dict[tuple[str, str], int] = {}
        self._changed = asyncio.Event()

    async def of(self, fingerprint: str, view: str) -> int | None:
        """Up to where this token was last answered; None: never. Raises Unavailable."""
        stored = (await self._stored.positions(fingerprint)).get(view)
        noted = self._noted.get((fingerprint, view))
        return stored if noted is None else max(noted, stored or 0)

    def note(self, fingerprint: str, view: str, position: int) -> None:
        """This token is being answered up to here."""
        place = fingerprint, view
        self._noted[place] = max(position, self._noted.get(place, 0))
        self._changed.set()

    async def run(self) -> None:
        """Store what is noted, until cancelled."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            try:
                await self.store()
            except Unavailable as error:
                log.warning("positions.not_stored", retry_s=RETRY_S, why=str(error))
                self._changed.set()
                await self._clock.sleep(RETRY_S)

    async def store(self) -> None:
        """Store what is noted now. Raises Unavailable; it stays noted then."""
        noted = dict(self._noted)
        if noted:
            await self._stored.set_positions(noted)
        for place, position in noted.items():
            if self._noted[place] == position:
                del self._noted[place]
