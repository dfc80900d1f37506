"""Waiting: for surroundings that do not answer, and for a bell that somebody may ring earlier."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from structlog.typing import FilteringBoundLogger

from hub.errors import Unavailable
from hub.ports import Clock

T = TypeVar("T")
FIRST_PAUSE_S: Final = 0.2
LONGEST_PAUSE_S: Final = 5.0


def pause_s(attempts: int, *, longest_s: float = LONGEST_PAUSE_S) -> float:
    """How long to wait after that many failures: doubling from 0.2 s to 5 s, or to `longest_s`."""
    return min(longest_s, FIRST_PAUSE_S * float(1 << min(attempts, 10)))


async def rest(clock: Clock, bell: asyncio.Event, seconds: float) -> None:
    """Wait until the bell rings, at most `seconds`."""
    sleeper = asyncio.create_task(_sleep(clock, seconds), name="endpoint.rest")
    ringing = asyncio.create_task(bell.wait(), name="endpoint.bell")
    try:
        await asyncio.wait((sleeper, ringing), return_when=asyncio.FIRST_COMPLETED)
    finally:
        sleeper.cancel()
        ringing.cancel()


async def until_available(clock: Clock, log: FilteringBoundLogger, work: Callable[[], Awaitable[T]], what: str) -> T:
    """Do the work as soon as our surroundings let us. Whatever waits meanwhile keeps its order."""
    attempts = 0
    while True:
        try:
            return await work()
        except Unavailable as error:
            log.warning("endpoint.waits", what=what, why=str(error), attempts=attempts)
            await clock.sleep(pause_s(attempts))
            attempts += 1


async def _sleep(clock: Clock, seconds: float) -> None:
    await clock.sleep(seconds)
