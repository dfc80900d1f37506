"""What travels between the components of an acceptance test: kept as it arrives, counted while it is on its way."""

from collections import Counter
from collections.abc import Callable
from typing import Any

from msgspec import Struct

from documents import registry
from documents.model import Document
from documents.values import Identifier
from hub.mades.errors import MadesError
from hub.mades.message import InternalType, Message
from hub.ports import Delivery, Publication, Queue, Transport
from tests.keyring import opened


class Arrival(Struct, frozen=True):
    """A message that a component took off the road, once for each message id."""

    message: Message

    @property
    def document(self) -> Document:
        """What it carries."""
        return registry.read(self.message.content)


class Traffic:
    """What is on its way between all components, as their taps have seen it.

    `work` is under way this moment.
    """

    def __init__(self) -> None:
        self.work: set[object] = set()
        self._is_cut = False
        self._afloat: Counter[str] = Counter()

    def __repr__(self) -> str:
        return f"{len(self.work)} in work, waiting {dict(+self._afloat)}"

    def afloat(self, code: str) -> int:
        """How many messages the broker has for this component, or has handed to it and not had back."""
        return 0 if self._is_cut else self._afloat[code]

    def set_out(self, code: str) -> None:
        """A message leaves for this component."""
        self._afloat[code] += 1

    def ended(self, code: str) -> None:
        """One has arrived for good, or was never taken."""
        self._afloat[code] = max(0, self._afloat[code] - 1)

    def cut(self, *, forgets: bool) -> None:
        """The broker is gone, and maybe with what it held; nothing moves."""
        self._is_cut = True
        if forgets:
            self._afloat.clear()

    def mend(self) -> None:
        """The broker is back."""
        self._is_cut = False


class _Tapped:
    """A delivery whose end is counted. Implements hub.ports.Delivery."""

    def __init__(self, delivery: Delivery, ended: Callable[[], None]) -> None:
        self._delivery, self._ended = delivery, ended
        self.body, self.user_id, self.properties = delivery.body, delivery.user_id, delivery.properties
        self.give_back = delivery.give_back

    async def settle(self) -> None:
        """As on the road; who is killed meanwhile has told the broker already."""
        try:
            await self._delivery.settle()
        finally:
            self._ended()

    async def refuse(self) -> None:
        """As on the road."""
        try:
            await self._delivery.refuse()
        finally:
            self._ended()


class Tap:
    """A road that keeps what its component takes from it. Implements hub.ports.Transport."""

    def __init__(self, road: Transport, code: Identifier, arrived: list[Arrival], traffic: Traffic) -> None:
        self._road, self._code, self._arrived, self._traffic = road, code, arrived, traffic

    @property
    def is_connected(self) -> bool:
        """Whether the broker hears it at this moment; the network in memory always does."""
        return self._road.connected

    @property
    def volatile(self) -> bool:
        """As the road says."""
        return self._road.volatile

    @property
    def connected(self) -> bool:
        """As the road says."""
        return self._road.connected

    def on_connected(self, callback: Callable[[], None]) -> None:
        """As on the road."""
        self._road.on_connected(callback)

    async def publish(self, message: Publication) -> None:
        """As on the road."""
        work = object()
        self._traffic.work.add(work)
        self._traffic.set_out(message.receiver)
        try:
            await self._road.publish(message)
        except BaseException:
            self._traffic.ended(message.receiver)
            raise
        finally:
            self._traffic.work.discard(work)

    async def consume(self, queue: Queue, handler: Callable[[Delivery], Any], *, prefetch: int) -> None:
        """Keep each business message, then hand it on."""

        async def tapped(delivery: Delivery) -> None:
            kept = self._kept(delivery)

            def ended() -> None:
                self._traffic.ended(self._code)
                if not kept:  # from somebody new: its endpoint has asked the directory meanwhile
                    self._kept(delivery)

            self._traffic.work.add(delivery)
            try:
                await handler(_Tapped(delivery, ended))
            finally:
                self._traffic.work.discard(delivery)

        await self._road.consume(queue, tapped, prefetch=prefetch)

    async def close(self) -> None:
        """As on the road."""
        await self._road.close()

    def _kept(self, delivery: Delivery) -> bool:
        """Whether it could be opened; it is kept unless it is here already."""
        try:
            message = opened(delivery.body, by=self._code)
        except MadesError:
            return False
        known = {arrival.message.message_id for arrival in self._arrived}
        if message.internal_type is InternalType.STANDARD and message.message_id not in known:
            self._arrived.append(Arrival(message))
        return True
