"""A picture that follows its rows is the one that would be made of them anew (F3)."""

from collections.abc import Sequence

import msgspec
import pytest
from msgspec import Struct

from documents.packing import packed
from documents.values import Identifier, Interval
from hub.ports import OPERATOR, Item
from hub.rows import (
    LIMIT_CONTENTS,
    OPERATOR_ASSETS,
    OPERATOR_LIMITS,
    OPERATOR_SCHEDULES,
    LimitContent,
    OperatorAsset,
    OperatorLimit,
    OperatorSchedule,
)
from hub.values import Action, AssetOrder, AssetShare, Capability, Direction, LimitKind
from hub.web.picture import Pictures
from hub.web.snapshot import Snapshot
from tests.hub_world import ALPHA, NOON, NORTH, SOUTH, asset, flat, point, span

HEAT, CELL = asset("heat"), asset("cell")
HOUR, DAY = span(0, 1), span(-1, 23)
LIMIT = f"{NORTH}/limit"


def item(view: str, key: str, payload: Struct | None) -> Item:
    packed = msgspec.msgpack.encode(payload) if payload else None
    return Item(view=view, audience=OPERATOR, key=key, sequence=1, payload=packed, valid=HOUR, issued=NOON, position=1)


def held(resource: Identifier, dso: Identifier = NORTH) -> Item:
    can = Capability(0, 1000)
    row = OperatorAsset(resource=resource, operator=ALPHA, point=point("p"), dso=dso, capability=can)
    return item(OPERATOR_ASSETS, resource, row)


def plan(resource: Identifier, watts: int, over: Interval = HOUR) -> Item:
    periods = flat(-watts, over)
    row = OperatorSchedule(operator=ALPHA, mrid="plan", revision=1, resource=resource, curve=packed(periods))
    return item(OPERATOR_SCHEDULES, f"{ALPHA}/plan/{resource}", row)


def limit(watts: int, *named: Identifier) -> Sequence[Item]:
    shares = tuple(AssetShare(one, 1000, flat(watts, HOUR)) for one in named)
    return set_limit(LimitKind.FORESEEN, shares=shares)


def set_limit(
    kind: LimitKind, *, cancelled: bool = False, shares: tuple[AssetShare, ...] = (), **said: object
) -> Sequence[Item]:
    common = {"dso": NORTH, "mrid": "limit", "revision": 1, "kind": kind, "direction": Direction.CONSUMPTION}
    content = LimitContent(**common, interval=HOUR, shares=shares, **said)  # type: ignore[arg-type] # fields by name
    row = OperatorLimit(**common, interval=HOUR, cancelled=cancelled, resources=())  # type: ignore[arg-type] # the same
    return [item(LIMIT_CONTENTS, LIMIT, content), item(OPERATOR_LIMITS, LIMIT, row)]


CHANGES: dict[str, Sequence[Item]] = {
    "a plan is revised": [plan(HEAT, 700)],
    "a plan fits": [plan(HEAT, 100)],
    "a plan is withdrawn": [item(OPERATOR_SCHEDULES, f"{ALPHA}/plan/{HEAT}", None)],
    "a plan comes": [plan(CELL, 900)],
    "a plan lies elsewhere": [plan(HEAT, 700, span(40, 41))],
    "an asset leaves": [item(OPERATOR_ASSETS, HEAT, None)],
    "an asset moves": [held(HEAT, SOUTH)],
    "a limit is revised": limit(50, HEAT, CELL),
    "a limit is cancelled": set_limit(LimitKind.FORESEEN, cancelled=True),
    "a limit becomes an order": set_limit(LimitKind.UNFORESEEN, orders=(AssetOrder(HEAT, Action.HOLD),)),
}


@pytest.mark.parametrize("change", CHANGES)
async def test_a_picture_follows_its_rows(change: str) -> None:
    snapshot, pictures = Snapshot(), Pictures()
    for each in (held(HEAT), held(CELL), plan(HEAT, 500), *limit(300, HEAT, CELL)):
        snapshot.take(each)
    before = await pictures.of(snapshot, DAY)

    for each in CHANGES[change]:
        snapshot.take(each)
    followed, anew = await pictures.of(snapshot, DAY), await Pictures().of(snapshot, DAY)

    assert followed == anew
    assert followed != before


async def test_while_nothing_changes_the_picture_is_the_same_one() -> None:
    snapshot, pictures = Snapshot(), Pictures()
    snapshot.take(held(HEAT))

    assert await pictures.of(snapshot, DAY) is await pictures.of(snapshot, DAY)


async def test_rows_that_were_read_anew_make_another_picture_though_they_are_as_many() -> None:
    first, second, pictures = Snapshot(), Snapshot(), Pictures()
    first.take(held(HEAT))
    second.take(held(CELL))

    assert list((await pictures.of(first, DAY)).board.assets) == [HEAT]
    assert list((await pictures.of(second, DAY)).board.assets) == [CELL]
