"""Curves as they are kept and passed on: packed, in a seventh of the memory of their Periods (MessagePack).

A plan of a day in quarters of an hour is 96 Points; there are millions of plans, and few are looked at again. What is
packed is encoded once: in an event, a row or a state it lies as it is.
"""

from typing import Any, Final

import msgspec
from msgspec import Raw, Struct

from documents.values import Interval, Period


class _Stretch(Struct):
    """A Period without its curve."""

    interval: Interval


_encoder: Final = msgspec.msgpack.Encoder()
_curves: Final = msgspec.msgpack.Decoder(tuple[Period, ...])
_stretches: Final = msgspec.msgpack.Decoder(tuple[_Stretch, ...])


def packed(periods: tuple[Period, ...]) -> Raw:
    """Periods as they are kept; equal ones give equal bytes."""
    return Raw(_encoder.encode(periods))


NOTHING: Final = packed(())
"""No Period at all."""


class Curved:
    """What has its Periods packed, in `curve`. Look at them as seldom as possible: each look unpacks them."""

    __slots__ = ()
    curve: Raw

    @property
    def periods(self) -> tuple[Period, ...]:
        """All of it, made anew."""
        return _curves.decode(self.curve)

    @property
    def intervals(self) -> list[Interval]:
        """When each of the Periods is; their Points are not made for that."""
        return [stretch.interval for stretch in _stretches.decode(self.curve)]


def plain(said: Struct) -> Any:  # builtins
    """Something with all that is packed in it unpacked, e.g. for JSON; instants stay what they are."""
    return msgspec.msgpack.decode(_encoder.encode(said))
