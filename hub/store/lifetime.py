"""Children that end with us, even when we are killed (Linux)."""

import signal
import sys
from collections.abc import Callable
from functools import partial


def die_with_parent(how: signal.Signals) -> Callable[[], object] | None:
    """What a child runs before its program (`preexec_fn`): it is sent `how` when the thread that started it ends.

    None where there is no such thing.
    """
    return partial(_prctl, 1, how) if _prctl else None


def _load_prctl() -> Callable[[int, int], int] | None:
    """Loaded before any fork: a child must not take locks."""
    if not sys.platform.startswith("linux"):
        return None
    import ctypes  # noqa: PLC0415 # needed on Linux only

    prctl: Callable[[int, int], int] = ctypes.CDLL(None).prctl
    return prctl


_prctl = _load_prctl()
