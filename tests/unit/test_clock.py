"""The clocks: one that runs and one that is moved."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from hub.clock import ManualClock, SystemClock


async def test_a_moved_clock_wakes_its_sleepers_in_their_order_and_at_their_time() -> None:
    clock = ManualClock(datetime(2026, 3, 29, tzinfo=UTC))
    woken: list[tuple[str, float]] = []

    async def sleeper(name: str, seconds: float) -> None:
        await clock.sleep(seconds)
        woken.append((name, clock.monotonic()))

    async with asyncio.TaskGroup() as group:
        for name, seconds in (("late", 20.0), ("early", 5.0), ("never mind", 0.0)):
            group.create_task(sleeper(name, seconds), name=name)
        await clock.advance(10)
        assert woken == [("never mind", 0.0), ("early", 5.0)]
        assert clock.sleeping == 1
        await clock.advance(10)

    assert woken[-1] == ("late", 20.0)
    assert clock.now() == datetime(2026, 3, 29, tzinfo=UTC) + timedelta(seconds=20)


async def test_a_loop_that_sleeps_again_beats_as_often_as_time_passes() -> None:
    clock = ManualClock()
    beats: list[float] = []

    async def beat() -> None:
        while True:
            await clock.sleep(2)
            beats.append(clock.monotonic())

    task = asyncio.create_task(beat(), name="beat")
    await clock.advance(0)
    await clock.advance(7)
    task.cancel()

    assert beats == [2.0, 4.0, 6.0]


async def test_a_cancelled_sleeper_disturbs_nobody() -> None:
    clock = ManualClock()
    task = asyncio.create_task(clock.sleep(5), name="cancelled")
    await clock.advance(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    await clock.advance(10)

    assert clock.sleeping == 0


async def test_a_clock_cannot_be_moved_back() -> None:
    with pytest.raises(ValueError, match="cannot be moved back"):
        await ManualClock().advance(-1)


async def test_the_clock_of_the_machine_is_aware_and_does_not_go_back() -> None:
    clock = SystemClock()
    before = clock.monotonic()

    await clock.sleep(0)

    assert clock.monotonic() >= before
    assert clock.now().utcoffset() == timedelta(0)
