"""Limits from the DSO's document to each AGR's copy (R14-R22)."""

from datetime import timedelta

import msgspec
import pytest

from documents.model import Fault
from documents.values import Interval, Reason
from hub.commands import AnnounceLimit, ForeseenSeries, UnforeseenSeries, OrderLimit
from hub.rows import AGR_LIMITS, OPERATOR_LIMITS
from hub.ports import OPERATOR
from hub.values import Action, AssetOrder, Direction, LimitKind
from tests.hub_world import (
    ALPHA,
    BRAVO,
    CHARLIE,
    NOON,
    NORTH,
    SOUTH,
    World,
    asset,
    codes_of,
    curve,
    flat,
    span,
    texts_of,
    verdict_of,
    watts_of,
)


@pytest.fixture
def world() -> World:
    """Alpha and Bravo have producers on North's grid, Charlie a consumer; South has one of Alpha's."""
    world = World()
    world.claim(NORTH, "n1", "n2")
    world.claim(SOUTH, "s1")
    world.register(ALPHA, "a1", "n1", produces=3000)
    world.register(ALPHA, "a2", "n2", produces=1000, consumes=500)
    world.register(BRAVO, "b1", "n1", produces=4000)
    world.register(CHARLIE, "c1", "n2", consumes=800)
    world.register(ALPHA, "far", "s1", produces=1000)
    return world


def test_r14_r16_a_limit_is_divided_and_each_agr_gets_its_own_document(world: World) -> None:
    events = world.announce(NORTH, "limit", 1, ["a1", "a2", "b1"], 4000)

    assert codes_of(events) == ["A01"]
    assert watts_of(world.copy(ALPHA)) == {"a1": 1500, "a2": 500}
    assert watts_of(world.copy(BRAVO)) == {"b1": 2000}
    assert world.feed(AGR_LIMITS, CHARLIE) == []
    (row,) = world.feed(AGR_LIMITS, ALPHA)
    assert row.send is not None and row.valid == span() and row.issued == NOON
    assert (row.send.business_type, row.send.urgent, row.send.document) == ("TPS-FORESEEN", True, row.key)
    assert row.send.expires == span().end
