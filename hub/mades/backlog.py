"""How many messages wait to be delivered, and when that is too many to take new ones (E-STORE-FULL; floor 6).

The store is asked at most once a second; between two looks every message taken counts as one more.
"""

from typing import Final

import structlog

from hub.mades.errors import MadesError
from hub.ports import Clock, Outbox

LOOK_S: Final = 1.0
WARN_AT: Final = 0.8
"""From this part of the most on, the operator is warned: once, until it has been less again."""

log = structlog.get_logger("hub.mades.backlog")


class Backlog:
    """`most` messages may wait to be delivered; `waiting` is how many did at the last look."""

    def __init__(self, outbox: Outbox, clock: Clock, *, most: int) -> None:
        self._outbox, self._clock, self.most = outbox, clock, most
        self._looked: float | None = None
        self._has_warned = False
        self.waiting = 0

    async def look(self) -> int:
        """Count what waits, and warn when it is nearly too much. Raises Unavailable."""
        self.waiting, self._looked = await self._outbox.waiting(), self._clock.monotonic()
        is_much = self.waiting >= WARN_AT * self.most
        if is_much and not self._has_warned:
            log.warning("messages.waiting", waiting=self.waiting, most=self.most)
        self._has_warned = is_much
        return self.waiting

    async def admit(self) -> None:
        """Let one more message in.

        Raises:
            MadesError: E-STORE-FULL; as many messages wait as may.
            Unavailable: the store does not answer.
        """
        if self._looked is None or self._clock.monotonic() - self._looked >= LOOK_S:
            await self.look()
        if self.waiting >= self.most:
            found = f"{self.waiting} messages wait to be delivered, {self.most} may. Send it again later."
            raise MadesError("E-STORE-FULL", found)
        self.waiting += 1
