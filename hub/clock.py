"""Time for the loops (floor 5): the machine's clock, and one that a test moves by hand.

Both are a `hub.ports.Clock`. Core code never sees them: it is given an instant.
"""

import asyncio
import heapq
import time
from datetime import UTC, datetime, timedelta
from itertools import count

ORIGIN = datetime(2026, 1, 15, 12, tzinfo=UTC)
"""Where a `ManualClock` starts unless told otherwise: a winter noon, far from any change of local time."""


class SystemClock:
    """The clock of this machine."""

    def now(self) -> datetime:
        """The present instant, aware UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds since some fixed moment; never goes back."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait; nothing at all for zero or less, but others get their turn."""
        await asyncio.sleep(seconds)


class ManualClock:
    """A clock that stands still until `advance`: sleepers wake in the order of their time, at their time."""

    def __init__(self, now: datetime = ORIGIN) -> None:
        self._start = now
        self._elapsed_s = 0.0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._tickets = count()

    def now(self) -> datetime:
        """The instant the clock was moved to, aware UTC."""
        return self._start + timedelta(seconds=self._elapsed_s)

    def monotonic(self) -> float:
        """Seconds moved so far."""
        return self._elapsed_s

    async def sleep(self, seconds: float) -> None:
        """Wait until the clock was moved by `seconds`."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        wake = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._elapsed_s + seconds, next(self._tickets), wake))
        await wake

    @property
    def sleeping(self) -> int:
        """How many sleepers wait, so that a test can tell that a loop has come to rest."""
        return sum(not wake.done() for _, _, wake in self._sleepers)

    async def advance(self, seconds: float) -> None:
        """Move the clock; every sleeper due wakes and runs at its own time before the clock moves on.

        Raises:
            ValueError: `seconds` is negative.
        """
        if seconds < 0:
            raise ValueError(f"A clock cannot be moved back by {-seconds} s. Move it forward.")
        # Whoever was about to sleep does so at the present time, not at the one moved to.
        await _settle()
        target_s = self._elapsed_s + seconds
        while self._sleepers and self._sleepers[0][0] <= target_s:
            self._elapsed_s, _, wake = heapq.heappop(self._sleepers)
            if not wake.done():
                wake.set_result(None)
                await _settle()
        self._elapsed_s = target_s
        await _settle()


async def _settle(turns: int = 5) -> None:
    """Let woken tasks take their next steps, so that a loop that sleeps again is seen by the same `advance`."""
    for _ in range(turns):
        await asyncio.sleep(0)
