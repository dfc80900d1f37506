"""Long work beside the loop, one piece at a time (floor 5).

Python runs one thread at a time however many there are, and each that is at work makes the loop wait longer for its
turn: with a thread for every document, a limit crawled through a hub that had many plans to read.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

T = TypeVar("T")
_BULK: Final = ThreadPoolExecutor(1, thread_name_prefix="aside")
_URGENT: Final = ThreadPoolExecutor(1, thread_name_prefix="aside.urgent")


async def aside(work: Callable[[], T], *, urgent: bool = False) -> T:
    """What the work comes to, in its turn and in another thread; what is urgent waits for nothing that is not."""
    return await asyncio.get_running_loop().run_in_executor(_URGENT if urgent else _BULK, work)
