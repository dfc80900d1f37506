"""How much work something is, told by counting and not by a clock: the same on every machine, however busy it is."""

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any


def steps_of(work: Callable[[], object]) -> int:
    """Instructions of Python that `work` takes; what the libraries in C do within one of them counts as that one."""
    counted = 0

    def count(frame: FrameType, event: str, _: Any) -> Any:  # Any: as the interpreter has it
        nonlocal counted
        frame.f_trace_opcodes = True
        counted += event == "opcode"
        return count

    outer = sys.gettrace()
    sys.settrace(count)
    try:
        work()
    finally:
        sys.settrace(outer)
    return counted
