"""Events to bytes and back by the tag `Name.v1` that each carries: how logs of the platform are written (floor 2)."""

from typing import Any, Final, Generic, TypeVar, get_args

import msgspec

from hub.errors import UnknownEvent

E = TypeVar("E")
_ENCODER: Final = msgspec.msgpack.Encoder()


class Tagged(Generic[E]):
    """The events of one core. `union` is the union of their structs, `advice` what to do about one that is not among
    them.
    """

    def __init__(self, union: Any, *, advice: str = "Install a newer version.") -> None:  # Any: a type form
        self._advice = advice
        self._decoders: dict[str, msgspec.msgpack.Decoder[E]] = {
            tag_of(kind): msgspec.msgpack.Decoder(kind) for kind in get_args(union)
        }

    def encode(self, event: E) -> tuple[str, bytes]:
        """Topic (the tag) and state (MessagePack) of an event."""
        return tag_of(event), _ENCODER.encode(event)

    def decode(self, topic: str, state: bytes) -> E:
        """The event. Raises UnknownEvent."""
        decoder = self._decoders.get(topic)
        if decoder is None:
            raise UnknownEvent(f"The log holds {topic}, which this version cannot read. {self._advice}")
        try:
            return decoder.decode(state)
        except msgspec.ValidationError as error:
            raise UnknownEvent(f"The log holds a {topic} this version cannot read: {error}.") from error


def tag_of(event: Any) -> str:  # Any: a tagged struct, or its type
    """The tag of an event, or of a type of events."""
    return str(event.__struct_config__.tag)
