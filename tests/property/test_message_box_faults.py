"""Whatever the network loses, doubles or delays, and whoever is killed: each conversation is confirmed exactly once.

A business application at north sends, one at the hub receives and confirms; both may crash anywhere and try again, as
applications do. Hypothesis chooses the faults and what happens when; then the faults end, and everything must arrive.
"""

import asyncio
from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from hub.mades.box.interface import SentMessage
from hub.mades.memory import Faults
from hub.ports import MessageState
from tests.box_world import Box, World
from tests.mades_components import HUB
from tests.thoroughness import examples

ODDS = st.sampled_from([0.0, 0.1, 0.4])
ACTIONS = st.sampled_from(["send", "send again", "receive", "receive and confirm", "confirm again", "kill", "wait"])
STEPS = st.lists(st.tuples(ACTIONS, st.booleans(), st.integers(0, 20)), min_size=4, max_size=20)
"""What happens, to whom if it matters, and how many turns the tasks take afterwards."""
MOST_KILLS = 8
"""Of one box: each may hand back the same message, and the broker buries it after ten times."""


class Applications:
    """Both applications, and what they know for certain."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.sent: dict[str, str] = {}
        self.confirmed: list[str] = []
        self.kills: Counter[str] = Counter()

    async def act(self, action: str, is_hub: bool, turns: int) -> None:
        box = self.world.hub if is_hub else self.world.north
        match action:
            case "send":
                await self.send(f"c-{len(self.sent)}")
            case "send again":
                await self.send(f"c-{max(0, len(self.sent) - 1)}")
            case "receive":
                await self.world.hub.operations.receive_message()
            case "receive and confirm":
                await self.confirm()
            case "confirm again":
                for message_id in self.confirmed[-1:]:
                    await self.world.hub.operations.confirm_receive_message(message_id)
            case "kill" if self.kills[box.code] < MOST_KILLS:
                await self.kill(box)
            case _:
                await self.world.run(2)
        for _ in range(turns):
            await asyncio.sleep(0)

    async def send(self, conversation: str) -> None:
        message = SentMessage(receiver_code=HUB, business_type="TPS-POINTS", content=conversation.encode())
        message_id = await self.world.north.operations.send_message(message, conversation_id=conversation)
        assert self.sent.setdefault(conversation, message_id) == message_id

    async def confirm(self) -> bool:
        message = (await self.world.hub.operations.receive_message()).received_message
        if message is None:
            return False
        assert message.content is not None
        assert self.sent[message.content.decode()] == message.message_id
        await self.world.hub.operations.confirm_receive_message(message.message_id)
        self.confirmed.append(message.message_id)
        return True

    async def kill(self, box: Box) -> None:
        self.kills[box.code] += 1
        await box.kill()
        await box.start()


async def scenario(seed: int, faults: Faults, steps: list[tuple[str, bool, int]]) -> None:
    world = World(seed=seed, faults=faults)
    await world.hub.start()
    await world.north.start()
    applications = Applications(world)
    for step in steps:
        await applications.act(*step)

    world.network.faults = Faults()
    for _ in range(60):
        await world.run(2)
        while await applications.confirm():
            pass
        states = [await world.north.state(message_id) for message_id in applications.sent.values()]
        if all(state is MessageState.RECEIVED for state in states):
            break
    await world.hub.kill()
    await world.north.kill()

    assert set(states) <= {MessageState.RECEIVED}
    assert sorted(applications.confirmed) == sorted(applications.sent.values())
    assert world.network.dead == []


@settings(max_examples=examples(40))
@given(
    seed=st.integers(0, 10_000),
    faults=st.builds(Faults, drop=ODDS, lose_confirm=ODDS, duplicate=ODDS, reorder=ODDS, delay=ODDS),
    steps=STEPS,
)
def test_every_conversation_is_confirmed_exactly_once(
    seed: int, faults: Faults, steps: list[tuple[str, bool, int]]
) -> None:
    asyncio.run(scenario(seed, faults, steps))
