"""Python's collector of cycles, kept away from the replay of a log, and from what it leaves.

A replay keeps nearly all it makes and makes no cycles, so that a walk through it finds nothing: a second of standing
still for each 200,000 events of plans, again and again while the process lives.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

MANY: Final = 100_000
"""Containers that are left before they are set aside: with those of a short replay the collector goes on as ever."""


@contextmanager
def uncollected() -> Iterator[None]:
    """Without the collector for the block; much that is left after it is never walked. It still goes when unused.

    Setting aside takes in all the process holds, so what is garbage in cycles just then stays: that of one start.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if gc.get_count()[0] > MANY:
            gc.freeze()
        if was_enabled:
            gc.enable()
