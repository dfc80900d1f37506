"""The road between components: what is published, delivered, refused (floor 2)."""

from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import Protocol

from msgspec import Struct

from documents.values import Instant


class Queue(StrEnum):
    """The two queues of an endpoint (R28)."""

    URGENT = "urgent"
    BULK = "bulk"


class Unroutable(Exception):
    """No queue takes this message: the receiver is unknown to the broker."""


class Refused(Exception):
    """The broker refuses this message from us (access, size, user id); trying again is useless."""


class Properties(Struct, frozen=True, kw_only=True):
    """What stands beside the body of a delivery and mirrors its manifest; None where nothing is said.

    Nothing of it is proven. `ttl_s` is the time to live that the broker was told, counted from the publication;
    `timestamp` is when sender or broker say that it was made.
    """

    content_type: str | None = None
    message_id: str | None = None
    internal_type: str | None = None
    correlation_id: str | None = None
    business_type: str | None = None
    sender: str | None = None
    receiver: str | None = None
    ttl_s: float | None = None
    timestamp: Instant | None = None


class Delivery(Protocol):
    """A message handed over by the broker, to be settled exactly once."""

    @property
    def body(self) -> bytes:
        """The opaque MADES message."""

    @property
    def user_id(self) -> str | None:
        """The sender as the broker authenticated it."""

    @property
    def properties(self) -> Properties:
        """What its sender told the broker of it."""

    async def settle(self) -> None:
        """Done: the broker forgets it."""

    async def give_back(self) -> None:
        """Not now: the broker delivers it again."""

    async def refuse(self) -> None:
        """Never: to the dead letters."""


class Publication(Struct, frozen=True, kw_only=True):
    """What is given to the broker: the opaque body and the properties that mirror it for routing.

    `ttl_s` is what is left of its life, by the clock of its sender.
    """

    message_id: str
    internal_type: str
    sender: str
    receiver: str
    business_type: str
    urgent: bool
    ttl_s: float
    body: bytes
    correlation_id: str | None = None


class Transport(Protocol):
    """The road to the broker, as one component."""

    @property
    def volatile(self) -> bool:
        """Whether the broker forgets its messages when it stops (R31)."""

    @property
    def connected(self) -> bool:
        """Whether the connection stands at this moment."""

    def on_connected(self, callback: Callable[[], None]) -> None:
        """Call this each time the connection to the broker is made anew."""

    async def publish(self, message: "Publication") -> None:
        """Hand over to the broker and wait for its confirm.

        Raises Unroutable, Refused, Unavailable (outcome unknown: send again).
        """

    async def consume(self, queue: Queue, handler: Callable[[Delivery], Awaitable[None]], *, prefetch: int) -> None:
        """Deliver this component's queue to `handler` until closed; survives reconnects."""

    async def close(self) -> None:
        """Stop consuming and leave."""
