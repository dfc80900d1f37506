"""Curves as they are kept in memory: packed, in a seventh of what their Periods take (MessagePack).

A plan of a day in quarters of an hour is 96 Points; there are millions of plans, and few are looked at again.
"""

from typing import Final

import msgspec
from msgspec import Struct

from documents.values import Interval, Period


class _Stretch(Struct):
    """A Period without its curve."""

    interval: Interval


_encoder: Final = msgspec.msgpack.Encoder()
_curves: Final = msgspec.msgpack.Decoder(tuple[Period, ...])
_stretches: Final = msgspec.msgpack.Decoder(tuple[_Stretch, ...])


def packed(periods: tuple[Period, ...]) -> bytes:
    """Periods as they are kept; equal ones give equal bytes."""
    return _encoder.encode(periods)


def unpacked(kept: bytes | msgspec.Raw) -> tuple[Period, ...]:
    """The Periods that were packed."""
    return _curves.decode(kept)


def intervals(kept: bytes | msgspec.Raw) -> list[Interval]:
    """When each of the Periods is, without making their Points."""
    return [stretch.interval for stretch in _stretches.decode(kept)]
