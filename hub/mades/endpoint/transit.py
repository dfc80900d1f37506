"""How much bulk may be on its way to a receiver: what it has not acknowledged yet, counted in bytes of documents.

A receiver acknowledges what it has committed, so that who sends goes as fast as who takes in. Whatever was sent beyond
that would not arrive sooner; it would keep every process on the way busy and make limits wait for all of them
(docs/decisions/015). Urgent messages are not counted and not held.
"""

from collections import deque
from collections.abc import Iterable
from typing import Final

from hub.ports import Clock

TRANSIT_BYTES: Final = 256 * 1024
"""To one receiver: plans of a day for two dozen assets, in one document or in many. One alone may be longer."""
PATIENCE_S: Final = 60.0
"""After that a message is counted no more: its receiver is away or the acknowledgement is lost, and others go on."""
_REMEMBERED: Final = 64
_UNKNOWN_BYTES: Final = TRANSIT_BYTES // 4
"""How long the next document is thought to be before any has left."""


class Transit:
    """Bulk messages that were sent and not acknowledged, by receiver."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._sent: dict[str, dict[str, tuple[int, float]]] = {}
        self._sizes = deque([_UNKNOWN_BYTES], maxlen=_REMEMBERED)

    def fitting(self, at_most: int) -> int:
        """How many may leave next, one or more, were each as long as the longest of those that left last."""
        return min(at_most, max(1, TRANSIT_BYTES // max(1, *self._sizes)))

    def full(self) -> list[str]:
        """Receivers to whom enough is on its way."""
        self._forget()
        return [
            receiver
            for receiver, messages in self._sent.items()
            if sum(size for size, _ in messages.values()) >= TRANSIT_BYTES
        ]

    def put(self, receiver: str, message_id: str, size: int) -> None:
        """This one leaves now, with a document of so many bytes."""
        self._sent.setdefault(receiver, {})[message_id] = size, self._clock.monotonic()
        self._sizes.append(size)

    def take(self, receiver: str, message_ids: Iterable[str]) -> bool:
        """These are not on their way any more: acknowledged, or not sent; returns whether any of them was."""
        messages = self._sent.get(receiver, {})
        taken = [messages.pop(message_id, None) for message_id in message_ids]
        return any(taken)

    def clear(self) -> None:
        """The road was made anew: what was on it may be lost, and is sent again then."""
        self._sent.clear()

    def _forget(self) -> None:
        since = self._clock.monotonic() - PATIENCE_S
        self._sent = {
            receiver: waiting
            for receiver, messages in self._sent.items()
            if (waiting := {key: (size, at) for key, (size, at) in messages.items() if at > since})
        }
