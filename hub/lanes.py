"""The two lanes before a desk: urgent first, but never ahead of an earlier command of the same cause (R28; floor 6).

Bounded: who submits waits for room, so that the broker keeps the rest. Knows nothing of what a command means.
"""

import asyncio
from collections import Counter, deque
from dataclasses import dataclass
from typing import Any, Final

from msgspec import Struct

from hub.errors import Mismatch, Unavailable
from hub.ports import IdempotencyKey, InboxEntry

LANE_MAX: Final = 1024
"""Commands in each lane that are not finished yet."""


class Outcome(Struct, frozen=True):
    """What a command came to: its events (none for a message taken in before) and the position of the log after it."""

    events: tuple[Any, ...]  # any events of the desk's brain
    position: int


@dataclass(eq=False, slots=True, kw_only=True)
class Request:
    """A command on its way, with everything its batch must store and the one who waits for it."""

    command: Any  # a command of the desk's brain
    cause: str
    waiter: "asyncio.Future[Outcome]"
    inbox: InboxEntry | None = None
    payload: bytes | None = None
    key: IdempotencyKey | None = None
    is_set_aside: bool = False

    @property
    def message(self) -> tuple[str, str] | None:
        """Identity of the message it came with."""
        return (self.inbox.sender, self.inbox.message_id) if self.inbox else None

    @property
    def size(self) -> int:
        """Bytes of the document it came with: what deciding it costs grows with them."""
        return len(self.payload or b"")

    def resolve(self, outcome: Outcome) -> None:
        """Tell the waiter, unless it has left."""
        if not self.waiter.done():
            self.waiter.set_result(outcome)

    def fail(self, error: Exception) -> None:
        """Tell the waiter that it failed, unless it has left."""
        if not self.waiter.done():
            self.waiter.set_exception(error)

    def repeat(self, digest: str, outcome: Outcome) -> None:
        """Its message was taken in before, with this digest: no repeat has an effect, another content is none."""
        if self.inbox and self.inbox.digest != digest:
            self.fail(Mismatch(f"Message {self.inbox.message_id} was taken in with another content."))
        else:
            self.resolve(outcome)

    def follow(self, digest: str, first: "asyncio.Future[Outcome]") -> None:
        """Share the fate of the first delivery of the same message, which has this digest."""
        if first.cancelled():
            self.fail(Unavailable("The first delivery of this message was given up. Send it again."))
        elif error := first.exception():
            self.fail(Unavailable(f"The first delivery of this message failed: {type(error).__name__}. Send it again."))
        else:
            self.repeat(digest, Outcome((), first.result().position))


class Lanes:
    """Two bounded queues. `close` lets `take` end once both are empty."""

    def __init__(self) -> None:
        self._urgent: deque[Request] = deque()
        self._bulk: deque[Request] = deque()
        self._room = {True: asyncio.Semaphore(LANE_MAX), False: asyncio.Semaphore(LANE_MAX)}
        self._bulk_causes: Counter[str] = Counter()
        self._work = asyncio.Event()
        self.is_closed = False

    def __len__(self) -> int:
        """Commands nobody has taken yet."""
        return len(self._urgent) + len(self._bulk)

    async def put(self, request: Request, *, urgent: bool) -> Outcome:
        """Queue a request and wait for its outcome. An urgent one stays behind a bulk one of the same cause."""
        is_urgent = urgent and not self._bulk_causes[request.cause]
        self._count(request.cause, 0 if is_urgent else 1)
        try:
            async with self._room[is_urgent]:
                (self._urgent if is_urgent else self._bulk).append(request)
                self._work.set()
                return await request.waiter
        finally:
            self._count(request.cause, 0 if is_urgent else -1)

    async def take(self, at_most: int, most_bytes: int) -> list[Request]:
        """Wait for work, urgent first: so many commands, or fewer that came with so many bytes; none: closed and empty.

        One is taken however long it is.
        """
        while not len(self) and not self.is_closed:
            self._work.clear()
            await self._work.wait()
        taken: list[Request] = []
        for lane in (self._urgent, self._bulk):
            while lane and len(taken) < at_most and (not taken or most_bytes >= lane[0].size):
                taken.append(lane.popleft())
                most_bytes -= taken[-1].size
        return taken

    def close(self) -> None:
        """No more will come."""
        self.is_closed = True
        self._work.set()

    def abandon(self, error: Exception) -> None:
        """Fail everything still queued."""
        for lane in (self._urgent, self._bulk):
            while lane:
                lane.popleft().fail(error)

    def _count(self, cause: str, change: int) -> None:
        self._bulk_causes[cause] += change
        if self._bulk_causes[cause] <= 0:
            del self._bulk_causes[cause]
