"""How much work something is, told by counting and not by a clock: the same on every machine, however busy it is."""

import gc
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any


def steps_of(work: Callable[[], object]) -> int:
    """Instructions of Python that `work` takes; what the libraries in C do within one of them counts as that one.

    No garbage is collected meanwhile: its finalisers, and whoever times the collector, are not the work.
    """
    counted = 0

    def count(frame: FrameType, event: str, _: Any) -> Any:  # Any: as the interpreter has it
        nonlocal counted
        frame.f_trace_opcodes = True
        counted += event == "opcode"
        return count

    outer, collected = sys.gettrace(), gc.isenabled()
    gc.disable()
    sys.settrace(count)
    try:
        work()
    finally:
        sys.settrace(outer)
        if collected:
            gc.enable()
    return counted
