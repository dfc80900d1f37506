"""Two message boxes on a network in memory, their stores outliving their processes, under a clock that tests move."""

import asyncio

from documents.values import Identifier
from hub.clock import ManualClock
from hub.mades.box.interface import ReceivedMessage
from hub.mades.box.operations import Operations
from hub.mades.box.running import MessageBox
from hub.mades.memory import Faults, MemoryNetwork
from hub.ports import MessageState
from hub.store.memory import MemoryStore
from tests.keyring import seals_of
from tests.mades_components import HUB, NORTH, PARTIES, pass_time

MOST = 1000
HUB_CODE, NORTH_CODE = Identifier(HUB), Identifier(NORTH)


class Box:
    """A message box whose store outlives its process."""

    def __init__(self, code: Identifier, world: "World") -> None:
        self.code, self.world = code, world
        self.store = MemoryStore(component=code)
        self.most = MOST
        self.box: MessageBox | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def operations(self) -> Operations:
        assert self.box is not None
        return self.box.operations

    async def start(self) -> None:
        self.box = MessageBox(
            self.code,
            party=PARTIES[self.code],
            hub=HUB_CODE,
            store=self.store,
            transport=self.world.network.attach(self.code),
            seals=seals_of(self.code),
            clock=self.world.clock,
            most_waiting=self.most,
            party_of=PARTIES.get if self.code == HUB else None,
        )
        self._task = asyncio.create_task(self.box.run(), name=f"{self.code}.box")
        await pass_time(self.world.clock, 0.1, step_s=0.1)

    async def kill(self) -> None:
        """End the process wherever it is."""
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def received(self, business_type: str = "*") -> ReceivedMessage:
        message = (await self.operations.receive_message(business_type)).received_message
        assert message is not None
        return message

    async def state(self, message_id: str) -> MessageState:
        return (await self.operations.check_message_status(message_id)).state


class World:
    """The box of the hub and that of a DSO, on a network in memory."""

    def __init__(self, *, seed: int = 0, faults: Faults | None = None) -> None:
        self.clock = ManualClock()
        self.network = MemoryNetwork(self.clock, seed=seed, faults=faults)
        self.network.provision(PARTIES, hub=HUB)
        self.hub, self.north = Box(HUB_CODE, self), Box(NORTH_CODE, self)

    async def run(self, seconds: float = 2.0) -> None:
        await pass_time(self.clock, seconds)
