"""How often one token may ask: a bucket that fills steadily and empties by one per request."""

from typing import Final

from hub.ports import Clock

REMEMBERED: Final = 10_000
"""Buckets kept; beyond it the fullest (longest unused) are forgotten, which gives nobody more than a full one."""


class Rates:
    """One bucket per key, `burst` deep, filled with `per_s`."""

    def __init__(self, *, per_s: float, burst: int, clock: Clock) -> None:
        self._per_s, self._burst, self._clock = per_s, burst, clock
        self._buckets: dict[str, tuple[float, float]] = {}

    def take(self, key: str) -> float:
        """Take one; 0.0 when there was one, else the seconds until there is."""
        now = self._clock.monotonic()
        level, at = self._buckets.pop(key, (float(self._burst), now))
        level = min(float(self._burst), level + (now - at) * self._per_s)
        pause_s = 0.0 if level >= 1 else (1 - level) / self._per_s
        self._buckets[key] = (level - 1 if level >= 1 else level, now)
        if len(self._buckets) > REMEMBERED:
            del self._buckets[next(iter(self._buckets))]
        return pause_s
