"""Whatever the network does and however often the hub dies: nothing is lost or happens twice, and all agree in the end.

Bare participants and a real hub on twins in memory, in virtual time. Hypothesis chooses who sends what, the faults, and
when the hub is killed. Then the faults end, and what every participant was told must add up to what the hub holds (R10,
R12, R19, R26).
"""

import asyncio
from collections import Counter
from datetime import timedelta
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from documents.model import AcknowledgementMarketDocument, RefMarketDocument, UnavailabilityMarketDocument
from hub import app
from hub.clock import ORIGIN, ManualClock
from hub.desk import Desk
from hub.events import DocumentAnswered
from hub.feed import Bells
from hub.mades.memory import Faults
from hub.ports import Scope
from hub.rows import AGR_LIMITS, DSO_ASSETS, AgrLimit, DsoAsset
from hub.values import Role
from tests.system import MARKET, Member, System
from tests.thoroughness import examples
from tests.unit.test_app import ALPHA, BRAVO, NORTH, POINT, assets, limit, points

ODDS = st.sampled_from([0.0, 0.1, 0.3])
FAULTS = st.builds(Faults, drop=ODDS, lose_confirm=ODDS, duplicate=ODDS, reorder=ODDS, delay=ODDS)
STEPS = st.lists(
    st.tuples(st.sampled_from(["alpha", "bravo", "limit", "limit", "kill", "wait"]), st.integers(1, 4)),
    min_size=3,
    max_size=12,
)


class Play:
    """A market day in which everything goes wrong."""

    def __init__(self, system: System, members: tuple[Member, Member, Member]) -> None:
        self.system = system
        self.north, self.alpha, self.bravo = members
        self.sent: list[tuple[Member, str]] = []
        self.revisions: Counter[str] = Counter()

    async def act(self, action: str, number: int) -> None:
        match action:
            case "alpha":
                await self.send(self.alpha, assets(self.alpha, {f"a{number}": 1000 * number}))
            case "bravo":
                process = "A38" if number == 1 else "A36"
                await self.send(self.bravo, assets(self.bravo, {f"b{number}": 500 * number}, process=process))
            case "limit":
                mrid = f"limit{number:027d}"
                self.revisions[mrid] += 1
                document = limit(self.north, 1500, "a1", "b2", mrid=mrid, revision=self.revisions[mrid])
                await self.send(self.north, document)
            case "kill":
                await self.system.kill_hub()
            case _:
                await self.pass_time(5)

    async def send(self, member: Member, document: Any) -> None:  # any document
        age = timedelta(seconds=len(self.sent))
        document = msgspec.structs.replace(document, created=ORIGIN + age)
        self.sent.append((member, document.mrid))
        await member.send(document)
        for _ in range(len(self.sent)):
            await asyncio.sleep(0)

    async def pass_time(self, seconds: int) -> None:
        for _ in range(seconds):
            await self.system.clock.advance(1)
            for _ in range(30):
                await asyncio.sleep(0)

    def answered(self) -> bool:
        return all(
            any(answer.received.mrid == mrid for answer in member.all(AcknowledgementMarketDocument))
            for member, mrid in self.sent
        )


async def day(steps: list[tuple[str, int]], faults: Faults, seed: int) -> None:
    async with System.running(seed=seed) as system:
        members = (
            await system.join(NORTH, Role.DSO),
            await system.join(ALPHA, Role.AGR),
            await system.join(BRAVO, Role.AGR),
        )
        play = Play(system, members)
        await members[0].ask(points(members[0], POINT))
        await members[1].ask(assets(members[1], {"a1": 1000}))
        await members[2].ask(assets(members[2], {"b2": 2000}))

        system.network.faults = faults
        for step in steps:
            await play.act(*step)
        system.network.faults = Faults()
        for _ in range(60):
            await play.pass_time(5)
            if play.answered() and system.network.idle:
                break
        await play.pass_time(5)

        assert play.answered()
        await everything_adds_up(system, play)


async def everything_adds_up(system: System, play: Play) -> None:
    store = system.hub_store
    events = [system.hub.brain.decode(event.topic, event.state) async for event in store.log.read()]
    verdicts = Counter(
        (event.origin.sender, event.origin.mrid, event.origin.revision)
        for event in events
        if isinstance(event, DocumentAnswered)
    )
    assert set(verdicts.values()) <= {1}

    fresh = app.brain_of(MARKET)
    await Desk(fresh, store.log, store.commit, clock=ManualClock(), bells=Bells()).start()
    assert fresh.contents() == system.hub.brain.contents()

    assert told_assets(play.north) == await held_assets(system, play.north)
    for agr in (play.alpha, play.bravo):
        assert told_limits(agr) == await held_limits(system, agr)


def told_assets(dso: Member) -> dict[str, tuple[int | None, int | None]]:
    """What a DSO knows of its assets when it takes its lists in the order of their creation (R10)."""
    known: dict[str, tuple[int | None, int | None]] = {}
    for document in sorted(dso.all(RefMarketDocument), key=lambda document: document.created):
        for series in document.series:
            known.pop(series.resource, None)
            if not series.cancelled:
                known[series.resource] = (series.max_production, series.max_consumption)
    return known


async def held_assets(system: System, dso: Member) -> dict[str, tuple[int | None, int | None]]:
    items = await system.hub_store.rows.list(Scope(dso.id), DSO_ASSETS)
    rows = [msgspec.msgpack.decode(item.payload or b"", type=DsoAsset) for item in items]
    return {r.resource: (r.capability.max_production or None, r.capability.max_consumption or None) for r in rows}


def told_limits(agr: Member) -> dict[str, tuple[int, bool, int]]:
    """An AGR's limits at the highest revision it was told, whatever order they came in (R19)."""
    copies = sorted(agr.all(UnavailabilityMarketDocument), key=lambda document: document.revision)
    return {copy.mrid: (copy.revision, copy.status == "A09", len(copy.series)) for copy in copies}


async def held_limits(system: System, agr: Member) -> dict[str, tuple[int, bool, int]]:
    items = await system.hub_store.rows.list(Scope(agr.id), AGR_LIMITS)
    rows = [msgspec.msgpack.decode(item.payload or b"", type=AgrLimit) for item in items]
    return {row.mrid: (row.revision, row.cancelled, len(row.shares)) for row in rows}


@settings(max_examples=examples(15))
@given(steps=STEPS, faults=FAULTS, seed=st.integers(0, 2**16))
def test_under_faults_and_kills_nothing_is_lost_nothing_doubles_and_all_agree(
    steps: list[tuple[str, int]], faults: Faults, seed: int
) -> None:
    asyncio.run(day(steps, faults, seed))
