"""Transit: what is on its way to a receiver is bounded by its bytes (decision 015)."""

import pytest

from hub.clock import ManualClock
from hub.mades.endpoint.transit import PATIENCE_S, TRANSIT_BYTES, Transit

HUB, NORTH = "A01:hub", "A10:north"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def transit(clock: ManualClock) -> Transit:
    return Transit(clock)


def test_a_receiver_is_full_from_so_many_bytes_on_until_some_are_acknowledged(transit: Transit) -> None:
    transit.put(HUB, "m1", TRANSIT_BYTES - 1)
    assert transit.full() == []

    transit.put(HUB, "m2", 1)
    transit.put(NORTH, "m3", 1)
    assert transit.full() == [HUB]

    assert transit.take(HUB, ["m2"])
    assert transit.full() == []


def test_only_its_receiver_makes_room_and_only_once(transit: Transit) -> None:
    transit.put(HUB, "m1", TRANSIT_BYTES)

    assert not transit.take(NORTH, ["m1"])
    assert not transit.take(HUB, ["m2"])
    assert transit.full() == [HUB]
    assert transit.take(HUB, ["m2", "m1"])
    assert not transit.take(HUB, ["m1"])


def test_a_message_that_is_sent_again_counts_once(transit: Transit) -> None:
    for _ in range(3):
        transit.put(HUB, "m1", TRANSIT_BYTES // 2)

    assert transit.full() == []


async def test_what_is_never_acknowledged_is_counted_for_a_while_only(transit: Transit, clock: ManualClock) -> None:
    transit.put(HUB, "m1", TRANSIT_BYTES)
    await clock.advance(PATIENCE_S - 1)
    transit.put(NORTH, "m2", TRANSIT_BYTES)
    assert transit.full() == [HUB, NORTH]

    await clock.advance(1)
    assert transit.full() == [NORTH]


def test_a_road_made_anew_is_empty(transit: Transit) -> None:
    transit.put(HUB, "m1", TRANSIT_BYTES)
    transit.clear()

    assert transit.full() == []


@pytest.mark.parametrize(
    ("sizes", "fit"),
    [
        ([], 4),
        ([1] * 64, 64),
        ([TRANSIT_BYTES // 10] * 64, 10),
        ([TRANSIT_BYTES * 2, 1], 1),
        ([TRANSIT_BYTES * 2, *[1] * 64], 64),
    ],
)
def test_as_many_leave_together_as_fit_were_each_as_long_as_the_longest_of_the_last(
    transit: Transit, sizes: list[int], fit: int
) -> None:
    for number, size in enumerate(sizes):
        transit.put(HUB, f"m{number}", size)

    assert transit.fitting(64) == fit
