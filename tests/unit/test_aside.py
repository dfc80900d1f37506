"""Long work beside the loop is done one piece at a time, and never before what is urgent."""

import asyncio
from threading import Event

from hub.aside import aside


async def test_urgent_work_waits_for_nothing_else_and_other_work_for_its_turn() -> None:
    is_at_work, may_end, begun = Event(), Event(), list[str]()

    def long() -> None:
        begun.append("long")
        is_at_work.set()
        may_end.wait()

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(aside(long))
        tasks.create_task(aside(lambda: begun.append("next")))
        await aside(lambda: begun.append("urgent"), urgent=True)
        await asyncio.to_thread(is_at_work.wait)
        found = set(begun)
        may_end.set()

    assert found == {"long", "urgent"}
    assert begun[-1] == "next"
