"""Nothing is lost or doubled when any process of the platform, or the broker, is killed at any step of a message.

The victim is frozen (SIGSTOP) when an outbox shows a message at the wanted step, and killed (SIGKILL) if it still does:
a crash at that step and at no other. Meanwhile everybody writes. TPS_TEST_CRASHES is the number of rounds (default 1).
"""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import cycle, islice
from pathlib import Path

import pytest

from hub.errors import Unavailable
from tests.demo_process import demo
from tests.fault.books import SEEN
from tests.fault.load import STREAMS
from tests.fault.processes import Site, site
from tests.fixtures_broker import unavailable

ROUNDS = int(os.environ.get("TPS_TEST_CRASHES", "1"))
STEPS_OF = {"hub": 3, "north": 2, "alpha": 2, "broker": 1}
"""How many of the steps each victim is killed at, in one round."""
BREATH_S = 1.0
NO_BROKER = "No RabbitMQ can be started"

pytestmark = pytest.mark.slow


def victims() -> list[tuple[str, str | None]]:
    """Whom to kill when, each at other steps than in the round before."""
    steps = {name: cycle(SEEN) for name in STEPS_OF}
    plan: list[tuple[str, str | None]] = []
    for _ in range(ROUNDS):
        turns = [[(name, step) for step in islice(steps[name], number)] for name, number in STEPS_OF.items()]
        longest = max(map(len, turns))
        plan += [turn[position] for position in range(longest) for turn in turns if position < len(turn)]
        plan.append(("directory", None))
    return plan


@pytest.mark.timeout(120 + 180 * ROUNDS)
async def test_nothing_is_lost_or_doubled_whoever_is_killed_at_whatever_step(tmp_path: Path) -> None:
    async with _site_or_skip(tmp_path) as platform:
        async with platform.load.running():
            for name, step in victims():
                await platform.kill(name, step)
            await asyncio.sleep(BREATH_S)

        assert await platform.settled() == {}
        assert {each.stream for each in platform.clients.judged} >= STREAMS


@pytest.mark.timeout(300)
def test_the_sample_day_is_right_over_separate_processes_and_a_real_broker(tmp_path: Path) -> None:
    with demo(tmp_path, "--broker", "rabbitmq", "--once", "--port", "0") as process:
        code = process.end()

    if NO_BROKER in process.text:
        unavailable(process.text)
    assert code == 0, process.text
    assert "WRONG" not in process.text
    assert process.text.count("as it must be") == 10


@asynccontextmanager
async def _site_or_skip(folder: Path) -> AsyncIterator[Site]:
    try:
        async with site(folder) as platform:
            yield platform
    except Unavailable as error:
        if NO_BROKER not in str(error):
            raise
        unavailable(str(error))
