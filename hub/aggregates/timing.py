"""When a limit or schedule may still be said: its end lies ahead, within two years (R20)."""

from datetime import timedelta
from typing import Final

from documents.codes import ReasonCode
from documents.values import Instant, Interval
from hub.errors import Rejected

HORIZON: Final = timedelta(days=731)
"""Two years, the longer ones."""
TIME: Final = "%Y-%m-%dT%H:%MZ"


def check_interval(interval: Interval, now: Instant) -> None:
    """Raise Rejected (A04) unless the end is after start and now, and within the horizon. A past start is normal."""
    start, end = interval.start.strftime(TIME), interval.end.strftime(TIME)
    if interval.end <= interval.start:
        raise Rejected(
            ReasonCode.TIME_INTERVAL_INCORRECT, f"It runs from {start} to {end}. Let it end after its start."
        )
    if interval.end <= now:
        raise Rejected(
            ReasonCode.TIME_INTERVAL_INCORRECT, f"It ended at {end}, which has passed. Send what still lies ahead."
        )
    if interval.end > now + HORIZON:
        latest = (now + HORIZON).strftime(TIME)
        raise Rejected(
            ReasonCode.TIME_INTERVAL_INCORRECT, f"It ends at {end}, more than two years ahead. End it by {latest}."
        )


def check_not_ended(end: Instant | None, now: Instant) -> None:
    """Raise Rejected (A04) when what would be updated or cancelled has ended."""
    if end is not None and end <= now:
        raise Rejected(
            ReasonCode.TIME_INTERVAL_INCORRECT,
            f"What you sent before ended at {end.strftime(TIME)} and can no longer be changed. Use a new mRID.",
        )
