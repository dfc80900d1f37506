"""Running sums of parts: what comes is added, what goes is taken off, and the rest is not looked at again (F3)."""

from collections.abc import Sequence
from operator import add, sub
from typing import Final

from msgspec import Struct

from documents.values import Identifier
from hub.implications.grid import NONE, Slots, flat
from hub.implications.parts import Part
from hub.values import Direction

AT_ONCE: Final = 32


class Balance(Struct, frozen=True):
    """One limit in one direction against the plans of its assets, in watts by quarter-hour.

    `allowed` is the sum of the parts of its registered assets, NONE where the limit does not hold; `scheduled` what
    they plan; `excess` how far plans leave their own parts; `margin` what assets without a plan may use.
    """

    side: Direction
    allowed: Slots
    scheduled: Slots
    excess: Slots
    margin: Slots


class Account:
    """Parts of one limit in one direction, by asset, and their sums. An asset has one part at most."""

    def __init__(self, count: int) -> None:
        self.parts: dict[Identifier, Part] = {}
        self._whole = 0
        self._holders = self._allowed = self._scheduled = self._excess = self._margin = flat(count, 0)

    def put(self, parts: Sequence[Part]) -> None:
        """Add parts of assets that have none here: many at once cost less than one by one."""
        self.parts.update((part.resource, part) for part in parts)
        cut = [part.allowed for part in parts if not part.is_whole]
        self._whole += len(parts) - len(cut)
        self._holders = summed([self._holders, *map(_holds, cut)])
        self._allowed = summed([self._allowed, *map(_positive, parts)])
        self._scheduled = summed([self._scheduled, *(part.scheduled for part in parts)])
        self._excess = summed([self._excess, *(part.excess for part in parts if part.excess)])
        self._margin = summed([self._margin, *(part.margin for part in parts if part.margin)])

    def take(self, resource: Identifier) -> None:
        """Take off the part of an asset, if it has one."""
        part = self.parts.pop(resource, None)
        if part is None:
            return
        self._whole -= part.is_whole
        if not part.is_whole:
            self._holders = list(map(sub, self._holders, _holds(part.allowed)))
        self._allowed = list(map(sub, self._allowed, _positive(part)))
        self._scheduled = list(map(sub, self._scheduled, part.scheduled))
        if part.excess:
            self._excess = list(map(sub, self._excess, part.excess))
        if part.margin:
            self._margin = list(map(sub, self._margin, part.margin))

    def balance(self, side: Direction) -> Balance:
        """The sums as they are."""
        allowed = self._allowed
        if not self._whole:
            allowed = [most if held else NONE for most, held in zip(allowed, self._holders, strict=True)]
        return Balance(side, allowed, self._scheduled, self._excess, self._margin)


def summed(columns: Sequence[Slots]) -> Slots:
    """The sum of one column or more, a few at a time: what was just read is still at hand then."""
    found = columns[0]
    for first in range(1, len(columns), AT_ONCE):
        some = columns[first : first + AT_ONCE]
        found = list(map(add, found, some[0])) if len(some) == 1 else list(map(sum, zip(found, *some, strict=True)))
    return found


def _holds(allowed: Slots) -> Slots:
    return [int(most >= 0) for most in allowed]


def _positive(part: Part) -> Slots:
    return part.allowed if part.is_whole else [max(most, 0) for most in part.allowed]
