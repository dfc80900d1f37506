"""How often one token may ask, or one address try: a bucket that fills steadily and empties by one each time."""

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
        level = self._level(key)
        self._buckets.pop(key, None)
        self._buckets[key] = (level - 1 if level >= 1 else level, self._clock.monotonic())
        if len(self._buckets) > REMEMBERED:
            del self._buckets[next(iter(self._buckets))]
        return self._until_one(level)

    def pause_s(self, key: str) -> float:
        """Seconds until there is one to take; 0.0 when there is. Takes none."""
        return self._until_one(self._level(key))

    def _level(self, key: str) -> float:
        now = self._clock.monotonic()
        level, at = self._buckets.get(key, (float(self._burst), now))
        return min(float(self._burst), level + (now - at) * self._per_s)

    def _until_one(self, level: float) -> float:
        return 0.0 if level >= 1 else (1 - level) / self._per_s
