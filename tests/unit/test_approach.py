"""A component whose broker does not answer yet: what it takes meanwhile, and what happens once there is a road."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from hub.clock import ManualClock
from hub.errors import Unavailable
from hub.mades.approach import PAUSE_S, Approach
from hub.mades.memory import MemoryNetwork
from hub.mades.message import BusinessType
from hub.ports import MessageState, Refused, Transport
from tests.mades_components import HUB, NORTH, PARTIES, Component, pass_time


class World:
    """A hub and a DSO; the DSO's broker answers its first attempts with `answers`, then lets it in."""

    def __init__(self, *, volatile: bool = False) -> None:
        self.clock = ManualClock()
        self.network = MemoryNetwork(self.clock, volatile=volatile)
        self.network.provision(PARTIES, hub=HUB)
        self.hub, self.north = Component(HUB, self.clock), Component(NORTH, self.clock)
        self.answers: list[Exception] = []
        self.approach = Approach(self._connect, clock=self.clock)
        self._tasks: list[asyncio.Task[None]] = []

    async def _connect(self) -> Transport:
        if self.answers:
            raise self.answers.pop(0)
        return self.network.attach(NORTH)

    async def begin(self, *answers: Exception) -> None:
        self.answers = list(answers)
        self.hub.start(self.network.attach(HUB))
        await self.approach.attempt()
        self._tasks.append(asyncio.create_task(self.approach.run()))
        self.north.start(self.approach)

    async def end(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.hub.stop()
        await self.north.stop()


@pytest.fixture
async def worlds() -> AsyncIterator[Callable[..., World]]:
    made: list[World] = []

    def make(*, volatile: bool = False) -> World:
        made.append(World(volatile=volatile))
        return made[-1]

    yield make
    for world in made:
        await world.end()


AWAY = Unavailable("No broker answers.")


@pytest.mark.parametrize("volatile", [False, True])
async def test_what_is_written_while_the_broker_is_away_leaves_when_it_answers(
    worlds: Callable[..., World], volatile: bool
) -> None:
    world = worlds(volatile=volatile)
    await world.begin(AWAY, AWAY, AWAY)
    await world.north.submit(HUB, "points", BusinessType.POINTS)
    await pass_time(world.clock, 2 * PAUSE_S)
    assert (world.approach.trouble, world.approach.volatile) == ("No broker answers.", False)
    assert await world.north.state("points") is MessageState.ACCEPTED

    await pass_time(world.clock, 5 * PAUSE_S)

    assert (world.approach.trouble, world.approach.volatile) == (None, volatile)
    assert await world.north.state("points") is MessageState.RECEIVED


async def test_what_others_sent_meanwhile_is_taken_in(worlds: Callable[..., World]) -> None:
    world = worlds()
    await world.begin(AWAY, AWAY)
    await world.hub.submit(NORTH, "assets", BusinessType.ASSETS)
    await pass_time(world.clock, PAUSE_S / 2)
    assert world.north.effects == []

    await pass_time(world.clock, 2 * PAUSE_S)

    assert world.north.effects == ["assets"]


async def test_one_who_is_refused_at_the_first_attempt_is_told_so(worlds: Callable[..., World]) -> None:
    with pytest.raises(Refused, match="certificate"):
        await worlds().begin(Refused("Not with this certificate."))


@pytest.mark.parametrize("fault", [Refused("Not yet."), ValueError("a fault of the library")])
async def test_one_who_is_refused_later_goes_on_asking(worlds: Callable[..., World], fault: Exception) -> None:
    world = worlds()
    await world.begin(AWAY, fault)
    await world.north.submit(HUB, "points", BusinessType.POINTS)

    await pass_time(world.clock, 6 * PAUSE_S)

    assert world.approach.trouble is None
    assert world.hub.effects == ["points"]


async def test_each_new_connection_is_told_however_early_one_asked(worlds: Callable[..., World]) -> None:
    world, told = worlds(), list[str]()
    world.approach.on_connected(lambda: told.append("before"))
    await world.begin(AWAY)
    await pass_time(world.clock, 2 * PAUSE_S)
    world.approach.on_connected(lambda: told.append("after"))
    assert told == ["before"]

    world.network.restart()

    assert told == ["before", "before", "after"]
