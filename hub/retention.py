"""Letting raw documents go, by age or by who sent them (floor 6): the log is told first, then they are deleted.

Cut off in between, the log names documents that are still there, which is no fault; the next erasure takes them.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Final

import structlog

from documents.values import Identifier
from hub.commands import ErasePayloads
from hub.errors import Unavailable
from hub.ports import Clock, Payloads

AT_ONCE: Final = 1000
"""Documents in one event of the log."""
LOOK_S: Final = 3600.0
BY: Final = "retention"
"""Who erases what has come to its age, as the log keeps it."""

Submit = Callable[[ErasePayloads], Awaitable[object]]
"""Commits the command; durable when it returns."""

log = structlog.get_logger("hub.retention")


class Retention:
    """See the charter."""

    def __init__(self, payloads: Payloads, submit: Submit, clock: Clock) -> None:
        self._payloads, self._submit, self._clock = payloads, submit, clock

    async def erase(self, *, before: datetime | None, participant: Identifier | None, why: str, by: str) -> int:
        """Erase what fits, and record it with who and why; returns how many documents. Raises Unavailable."""
        erased = 0
        while found := await self._payloads.erasable(before=before, sender=participant, limit=AT_ONCE):
            digests = tuple(each.digest for each in found)
            await self._submit(ErasePayloads(digests=digests, before=before, participant=participant, why=why, by=by))
            erased += await self._payloads.erase(digests)
        return erased

    async def keep(self, days: int) -> None:
        """Erase what is older than so many days, again and again; 0 keeps everything."""
        while True:
            if days:
                await self._erase_old(days)
            await self._clock.sleep(LOOK_S)

    async def _erase_old(self, days: int) -> None:
        before, why = self._clock.now() - timedelta(days=days), f"older than {days} days (hub.keep_payloads_days)"
        try:
            erased = await self.erase(before=before, participant=None, why=why, by=BY)
        except Unavailable as error:
            log.warning("retention.skipped", error=str(error))
            return
        if erased:
            log.info("payloads.erased", documents=erased, days=days)
