"""How far a token was answered: known at once, stored soon, told again rather than lost."""

import asyncio
from collections.abc import Mapping

import pytest

from gateways.positions import RETRY_S, Positions
from hub.clock import ManualClock
from hub.errors import Unavailable
from tests.mades_components import pass_time


class Shelf:
    """A token store that can be away, and that counts how often it is written to."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], int] = {}
        self.writes = 0
        self.is_away = False
        self.gate = asyncio.Event()
        self.gate.set()

    async def positions(self, fingerprint: str) -> Mapping[str, int]:
        return {view: sequence for (token, view), sequence in self.kept.items() if token == fingerprint}

    async def set_positions(self, positions: Mapping[tuple[str, str], int]) -> None:
        await self.gate.wait()
        if self.is_away:
            raise Unavailable("The database is away.")
        self.writes += 1
        self.kept.update(positions)


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


async def test_a_position_counts_before_it_is_stored_and_after(shelf: Shelf, clock: ManualClock) -> None:
    positions = Positions(shelf, clock)
    assert await positions.of("one", "limits") is None

    positions.note("one", "limits", 7)
    assert (await positions.of("one", "limits"), shelf.kept) == (7, {})

    await positions.store()
    assert (await positions.of("one", "limits"), shelf.kept) == (7, {("one", "limits"): 7})
    assert (await positions.of("one", "schedules"), await positions.of("two", "limits")) == (None, None)


async def test_a_position_never_goes_back(shelf: Shelf, clock: ManualClock) -> None:
    shelf.kept["one", "limits"] = 9
    positions = Positions(shelf, clock)

    positions.note("one", "limits", 4)
    positions.note("one", "limits", 3)
    assert await positions.of("one", "limits") == 9

    positions.note("one", "limits", 12)
    assert await positions.of("one", "limits") == 12


async def test_what_is_noted_while_the_store_writes_is_written_next(shelf: Shelf, clock: ManualClock) -> None:
    positions = Positions(shelf, clock)
    running = asyncio.create_task(positions.run())
    shelf.gate.clear()
    positions.note("one", "limits", 1)
    await pass_time(clock, 0.1)
    for number in range(2, 100):
        positions.note("one", "limits", number)
        positions.note(f"token {number}", "limits", 1)

    shelf.gate.set()
    await pass_time(clock, 0.1)
    running.cancel()

    assert shelf.writes == 2
    assert shelf.kept == {("one", "limits"): 99, **{(f"token {number}", "limits"): 1 for number in range(2, 100)}}


async def test_an_outage_of_the_store_delays_what_was_noted_and_loses_none(shelf: Shelf, clock: ManualClock) -> None:
    positions, shelf.is_away = Positions(shelf, clock), True
    running = asyncio.create_task(positions.run())
    positions.note("one", "limits", 5)
    await pass_time(clock, 3 * RETRY_S)
    assert await positions.of("one", "limits") == 5

    shelf.is_away = False
    await pass_time(clock, 2 * RETRY_S)
    running.cancel()

    assert shelf.kept == {("one", "limits"): 5}
