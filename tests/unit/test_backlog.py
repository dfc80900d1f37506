"""How much may wait to be delivered: a warning in time, then no for new work, then yes again."""

from collections.abc import Sequence

import pytest
from structlog.testing import capture_logs

from hub.clock import ManualClock
from hub.mades.backlog import Backlog
from hub.mades.errors import MadesError
from hub.mades.message import BusinessType
from hub.ports import OutgoingMessage
from tests.mades_components import HUB, NORTH, Component


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def north(clock: ManualClock) -> Component:
    return Component(NORTH, clock)


async def submit(north: Component, *documents: str) -> None:
    for document in documents:
        await north.submit(HUB, document, BusinessType.POINTS)


async def deliver(north: Component, clock: ManualClock, count: int) -> Sequence[OutgoingMessage]:
    messages = await north.store.outbox.claim(urgent=False, limit=count, now=clock.now(), lease_s=30)
    for message in messages:
        await north.store.outbox.fail(message.message_id, component="broker", reason="E-EXPIRED", now=clock.now())
    return messages


async def test_as_many_as_may_wait_are_admitted_and_no_more(north: Component, clock: ManualClock) -> None:
    backlog = Backlog(north.store.outbox, clock, most=3)
    for document in ("d1", "d2", "d3"):
        await backlog.admit()
        await submit(north, document)

    with pytest.raises(MadesError, match="3 messages wait to be delivered, 3 may") as refused:
        await backlog.admit()

    assert refused.value.code == "E-STORE-FULL"


async def test_what_is_admitted_between_two_looks_counts(north: Component, clock: ManualClock) -> None:
    backlog = Backlog(north.store.outbox, clock, most=2)
    await backlog.admit()
    await backlog.admit()

    with pytest.raises(MadesError):
        await backlog.admit()


async def test_room_is_seen_within_a_second_of_a_delivery(north: Component, clock: ManualClock) -> None:
    backlog = Backlog(north.store.outbox, clock, most=1)
    await submit(north, "d1")
    with pytest.raises(MadesError):
        await backlog.admit()
    await deliver(north, clock, 1)

    await clock.advance(1)

    await backlog.admit()


async def test_the_operator_is_warned_once_at_80_percent_and_again_after_it_was_less(
    north: Component, clock: ManualClock
) -> None:
    backlog = Backlog(north.store.outbox, clock, most=5)
    await submit(north, "d1", "d2", "d3")
    with capture_logs() as lines:
        await backlog.look()
        await submit(north, "d4")
        await backlog.look()
        await backlog.look()
        await deliver(north, clock, 2)
        await backlog.look()
        await submit(north, "d5", "d6")
        await backlog.look()

    warnings = [(line["waiting"], line["most"]) for line in lines if line["event"] == "messages.waiting"]
    assert warnings == [(4, 5), (4, 5)]
