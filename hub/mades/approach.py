"""The road of a component that works already while its broker does not answer yet (floor 5).

A component that is started during an outage of the broker takes what its users write; it leaves once there is a road.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from hub.errors import Unavailable
from hub.ports import Clock, Delivery, Publication, Queue, Refused, Transport

PAUSE_S: Final = 2.0

log = structlog.get_logger("hub.mades.approach")


class Approach:
    """A Transport (hub.ports) from the beginning on; `attempt` or `run` make it lead somewhere.

    `connect` raises Unavailable while nobody answers, and Refused when the broker does not let the component in.
    `trouble` says why there is no road yet.
    """

    def __init__(self, connect: Callable[[], Awaitable[Transport]], *, clock: Clock) -> None:
        self._connect, self._clock = connect, clock
        self._road: Transport | None = None
        self._there = asyncio.Event()
        self._callbacks: list[Callable[[], None]] = []
        self.trouble: str | None = None

    async def attempt(self) -> None:
        """Try once. Raises Refused."""
        try:
            self._road = await self._connect()
        except Unavailable as error:
            self.trouble = str(error)
            log.warning("broker.unavailable", retry_s=PAUSE_S, error=str(error))
            return
        self.trouble = None
        self._there.set()
        for callback in self._callbacks:
            self._road.on_connected(callback)
            callback()

    async def run(self) -> None:
        """Try until there is a road. One who is refused meanwhile may be let in later."""
        while self._road is None:
            await self._clock.sleep(PAUSE_S)
            try:
                await self.attempt()
            except Refused as error:
                self.trouble = str(error)
                log.error("broker.refuses", retry_s=PAUSE_S, error=str(error))
            except Exception:  # ours or the library's; whoever stops trying never comes back
                log.exception("broker.not_connected", retry_s=PAUSE_S)

    @property
    def volatile(self) -> bool:
        """Whether the broker forgets its messages when it stops (R31); one that is away is not asked yet."""
        return self._road is not None and self._road.volatile

    @property
    def connected(self) -> bool:
        """Whether the connection stands at this moment."""
        return self._road is not None and self._road.connected

    def on_connected(self, callback: Callable[[], None]) -> None:
        """Call this each time the connection to the broker is made anew, also the first when it comes late."""
        self._callbacks.append(callback)
        if self._road is not None:
            self._road.on_connected(callback)

    async def publish(self, message: Publication) -> None:
        """Hand over to the broker and wait for its confirm. Raises Unroutable, Refused, Unavailable."""
        if self._road is None:
            raise Unavailable("The broker is not connected.")
        await self._road.publish(message)

    async def consume(self, queue: Queue, handler: Callable[[Delivery], Awaitable[None]], *, prefetch: int) -> None:
        """Deliver this component's queue to `handler` until closed. Raises Unavailable."""
        await self._there.wait()
        assert self._road is not None
        await self._road.consume(queue, handler, prefetch=prefetch)

    async def close(self) -> None:
        """Stop consuming and leave."""
        if self._road is not None:
            await self._road.close()
