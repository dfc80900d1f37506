"""How long the plan or limit of one asset becomes in a document (451-6): what the sender of many must know beforehand.

A document holds 16 MiB at most (documents.xml). What is written here takes fifteen bytes for each tag, so that it stays
below the most tags too.
"""

from collections.abc import Sequence
from typing import Final

from documents.codes import CurveType
from documents.curves import slot_count
from documents.values import Period

STEPS_WRITTEN_OUT: Final = 1_000
"""A plan of more steps is written as curve A03, where only changes count; the mapping's A01 is for everything usual."""
SERIES_BYTES: Final = 1_000
"""A series without its Periods, at most."""
PERIOD_BYTES: Final = 320
"""A Period without its Points, at most."""
POINT_BYTES: Final = 110
"""A Point with a position below a million and a terawatt in watts, at most."""
LONGEST_BYTES: Final = 15 * 2**20
"""Longest series that is taken, as `longest` counts: it fits into a document of its own, with the header."""


def curve_of(periods: Sequence[Period]) -> CurveType:
    """The curve the hub writes a plan with."""
    steps = sum(slot_count(period.interval, period.resolution) for period in periods)
    return CurveType.FIXED_BLOCKS if steps <= STEPS_WRITTEN_OUT else CurveType.VARIABLE_BLOCKS


def longest(periods: Sequence[Period]) -> int:
    """Bytes that the series of a plan takes at most, as the hub writes it."""
    if curve_of(periods) is CurveType.FIXED_BLOCKS:
        points = sum(slot_count(period.interval, period.resolution) for period in periods)
    else:
        points = sum(len(period.points) for period in periods)
    return SERIES_BYTES + len(periods) * PERIOD_BYTES + points * POINT_BYTES


def longest_changes(periods: Sequence[Period]) -> int:
    """Bytes that the series of a limit takes at most: its curve, A03, has a Point where the power changes."""
    points = sum(len(period.points) for period in periods)
    return SERIES_BYTES + len(periods) * PERIOD_BYTES + points * POINT_BYTES
