"""A stream of writes by everybody over REST, each repeated under its key until it is judged; and what must come of it.

Every write can be told from every other wherever it arrives: a limit by its start, a plan by asset and start, an asset
by its id. So "nothing lost, nothing doubled" is a comparison of two collections.
"""

import asyncio
import hashlib
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Final

from stdnum import ean

from gateways.demo.cast import (
    AGRS,
    ALPHA,
    ASSETS,
    BATTERY,
    BRAVO,
    CHARLIE,
    COOLER,
    DSOS,
    FLEET,
    HEAT_PUMP,
    NORTH,
    PLANT,
    POINTS,
    SOUTH,
    DemoAsset,
    Player,
)
from tests.fault.clients import JSON, Clients

PAUSE_S: Final = 0.1
"""Between two writes of a stream."""
STREAMS: Final = {"north limits", "south limits", "alpha assets", *(f"{agr.name} schedules" for agr in AGRS)}
"""Who writes what while the load is running, each one after the other."""
FEEDS: Final = (
    *((agr, "/limits/changes") for agr in AGRS),
    *((dso, path) for dso in DSOS for path in ("/assets/changes", "/schedules/changes")),
)
SLOT: Final = timedelta(minutes=15)
_ASSET_PREFIX: Final = 57131320000000000
_ALL: Final = tuple(asset for assets in ASSETS.values() for asset in assets)

Limit = tuple[str, str, int]
"""Kind, start and revision of a limit."""
Plan = tuple[str, str]
"""Asset and start of a plan."""


class Load:
    """Who writes what; `limits`, `plans` and `assets` are what everybody must have been told, by participant."""

    def __init__(self, clients: Clients, *, ahead: timedelta = timedelta(days=1), first_asset: int = 0) -> None:
        """`ahead` of now begins what is written, `first_asset` numbers alpha's: what comes before is another load's."""
        self._clients, self._first_asset = clients, first_asset
        self._from = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) + ahead
        self._stopping = asyncio.Event()
        self.limits: dict[str, Counter[Limit]] = {agr.name: Counter() for agr in AGRS}
        self.plans: dict[str, Counter[Plan]] = {dso.name: Counter() for dso in DSOS}
        self.assets: dict[str, Counter[str]] = {dso.name: Counter() for dso in DSOS}

    async def prepare(self) -> None:
        """Points and assets of the cast, known to everybody."""
        for dso in DSOS:
            points = [{"id": point, "voltageKv": "10"} for point in POINTS[dso.name]]
            await self._clients.write(dso, "PUT", "/connection-points", {"connectionPoints": points})
        for agr in AGRS:
            await self._clients.write(
                agr, "PUT", "/assets", {"assets": [_registration(asset) for asset in ASSETS[agr.name]]}
            )
        for asset in _ALL:
            self.assets[_grid_of(asset)][asset.id] += 1

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Everybody writes and follows feeds for as long as the block lasts; after it all writes are judged."""
        plans = [self._plan_of(agr) for agr in AGRS]
        async with asyncio.TaskGroup() as tasks:
            for stream in (self._foreseen, self._unforeseen, self._registration, *plans):
                tasks.create_task(self._repeat(stream))
            for who, path in FEEDS:
                tasks.create_task(self._clients.follow(who, path, self._stopping))
            try:
                yield
            finally:
                self._stopping.set()

    async def _repeat(self, stream: Callable[[int], Awaitable[None]]) -> None:
        for number in count():
            await stream(number)
            try:
                async with asyncio.timeout(PAUSE_S):
                    await self._stopping.wait()
                    return
            except TimeoutError:
                pass

    async def _foreseen(self, number: int) -> None:
        """North limits three assets of three AGRs, and every other time lets one go in a second revision."""
        mrid, start = self._mrid(f"foreseen{number}"), self._slot(number)
        body = _foreseen(start, [HEAT_PUMP, BATTERY, COOLER], 700_000)
        await self._clients.write(NORTH, "POST", "/limits/foreseen", {"mrid": mrid, **body})
        self._expect(AGRS, "foreseen", start, 1)
        if number % 2:
            body = _foreseen(start, [HEAT_PUMP, BATTERY], 900_000)
            await self._clients.write(NORTH, "PUT", f"/limits/foreseen/{mrid}", body)
            self._expect(AGRS, "foreseen", start, 2)

    async def _unforeseen(self, number: int) -> None:
        """South stops two assets of two AGRs."""
        start = self._slot(number)
        body = {
            "mrid": self._mrid(f"unforeseen{number}"),
            "direction": "both",
            "start": _z(start),
            "expectedEnd": _z(start + 4 * SLOT),
            "orders": [{"asset": FLEET.id, "action": "STOP"}, {"asset": PLANT.id, "action": "STOP"}],
            "reason": "B18",
        }
        await self._clients.write(SOUTH, "POST", "/limits/unforeseen", body)
        self._expect((BRAVO, CHARLIE), "unforeseen", start, 1)

    async def _registration(self, number: int) -> None:
        """Alpha registers an asset that nobody has seen before."""
        bare = str(_ASSET_PREFIX + self._first_asset + number)
        asset = DemoAsset(name=f"Heat pump {number}", id=bare + ean.calc_check_digit(bare), point="", consumes=10_000)
        body = {"connectionPoint": POINTS[NORTH.name][0], "maxConsumption": asset.consumes, "name": asset.name}
        await self._clients.write(ALPHA, "PUT", f"/assets/{asset.id}", body)
        self.assets[NORTH.name][asset.id] += 1

    def _plan_of(self, agr: Player) -> Callable[[int], Awaitable[None]]:
        async def plan(number: int) -> None:
            """An AGR plans a quarter of an hour of its first asset."""
            asset, start = ASSETS[agr.name][0], self._slot(number)
            points = [{"position": 1, "quantity": 1000 if asset.produces else -1000}]
            period = {"start": _z(start), "end": _z(start + SLOT), "resolution": "PT15M", "points": points}
            body = {"mrid": self._mrid(f"{agr.name}{number}"), "series": [{"asset": asset.id, "periods": [period]}]}
            await self._clients.write(agr, "POST", "/schedules", body)
            self.plans[_grid_of(asset)][asset.id, _z(start)] += 1

        return plan

    def _expect(self, agrs: tuple[Player, ...], kind: str, start: datetime, revision: int) -> None:
        for agr in agrs:
            self.limits[agr.name][kind, _z(start), revision] += 1

    def _slot(self, number: int) -> datetime:
        return self._from + number * SLOT

    def _mrid(self, name: str) -> str:
        return hashlib.sha256(f"{self._clients.run}/{name}".encode()).hexdigest()[:32]


def limits_in(items: list[JSON]) -> Counter[Limit]:
    """The limits of a feed."""
    return Counter((item["kind"], item["start"], item["revision"]) for item in items)


def plans_in(items: list[JSON]) -> Counter[Plan]:
    """The plans of a feed."""
    return Counter((item["asset"], period["start"]) for item in items for period in item["periods"])


def assets_in(items: list[JSON]) -> Counter[str]:
    """The assets of a feed."""
    return Counter(item["id"] for item in items)


def _grid_of(asset: DemoAsset) -> str:
    return next(name for name, points in POINTS.items() if asset.point in points)


def _registration(asset: DemoAsset) -> dict[str, JSON]:
    return {
        "id": asset.id,
        "connectionPoint": asset.point,
        "maxProduction": asset.produces,
        "maxConsumption": asset.consumes,
        "name": asset.name,
    }


def _foreseen(start: datetime, assets: list[DemoAsset], quantity: int) -> dict[str, JSON]:
    period = {
        "start": _z(start),
        "end": _z(start + 4 * SLOT),
        "resolution": "PT15M",
        "points": [{"position": 1, "quantity": quantity}],
    }
    return {"direction": "consumption", "series": [{"assets": [each.id for each in assets], "periods": [period]}]}


def _z(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")
