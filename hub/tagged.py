"""Events to bytes and back by the tag `Name.v1` that each carries: how logs of the platform are written (floor 2)."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final, Generic, TypeVar, get_args

import msgspec

from hub.errors import UnknownEvent

E = TypeVar("E")
Lift = Callable[[dict[str, Any]], dict[str, Any]]  # values of an old shape
_ENCODER: Final = msgspec.msgpack.Encoder()


class Tagged(Generic[E]):
    """The events of one core. `union` is the union of their structs, `advice` what to do about one that is not among
    them, `lifts` make those of an old topic (decoded to builtins) to those of the next version.
    """

    def __init__(
        self,
        union: Any,  # a type form
        *,
        advice: str = "Install a newer version.",
        lifts: Mapping[str, Lift] = MappingProxyType({}),
    ) -> None:
        self._advice, self._lifts = advice, lifts
        self._decoders: dict[str, msgspec.msgpack.Decoder[E]] = {
            tag_of(kind): msgspec.msgpack.Decoder(kind) for kind in get_args(union)
        }

    def encode(self, event: E) -> tuple[str, bytes]:
        """Topic (the tag) and state (MessagePack) of an event."""
        return tag_of(event), _ENCODER.encode(event)

    def decode(self, topic: str, state: bytes) -> E:
        """The event, lifted to the present version. Raises UnknownEvent."""
        if topic in self._lifts:
            topic, state = self._lifted(topic, state)
        decoder = self._decoders.get(topic)
        if decoder is None:
            raise UnknownEvent(f"The log holds {topic}, which this version cannot read. {self._advice}")
        try:
            return decoder.decode(state)
        except msgspec.ValidationError as error:
            raise UnknownEvent(f"The log holds a {topic} this version cannot read: {error}.") from error

    def _lifted(self, topic: str, state: bytes) -> tuple[str, bytes]:
        content = msgspec.msgpack.decode(state)
        while topic in self._lifts:
            content = self._lifts[topic](content)
            topic = content["type"]
        return topic, _ENCODER.encode(content)


def tag_of(event: Any) -> str:  # Any: a tagged struct, or its type
    """The tag of an event, or of a type of events."""
    return str(event.__struct_config__.tag)
