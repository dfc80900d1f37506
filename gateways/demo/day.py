"""The sample day, played over the public REST interfaces only: what each participant does, and must then have seen.

Every write has an Idempotency-Key and every document an mRID made from the date, so playing the same day twice, or on
after a kill, changes nothing. The expectations at the end are worked out by hand from the rules (R16 for the shares).
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import aiohttp
from msgspec import Struct

from documents.curves import local_day
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
    PLAYERS,
    POINTS,
    SOUTH,
    DemoAsset,
    Player,
)

ZONE: Final = ZoneInfo("Europe/Copenhagen")
PATIENCE_S: Final = 60
_POLL_S: Final = 10

Say = Callable[[str], None]


class Seen(Struct, frozen=True, kw_only=True):
    """One line of the closing table: what a participant saw, what the rules say it must see."""

    participant: str
    what: str
    expected: str
    found: str

    @property
    def right(self) -> bool:
        """Whether both agree."""
        return self.expected == self.found


class Client:
    """One participant's own system: an HTTP client with its token."""

    def __init__(self, session: aiohttp.ClientSession, player: Player, *, url: str, token: str, day: date) -> None:
        self._session, self.player, self._url, self._day = session, player, url, day
        self._headers = {"Authorization": f"Bearer {token}"}

    async def get(self, path: str, **query: str) -> Any:  # JSON
        """The JSON of a 200; anything else is a broken promise and ends the day."""
        async with self._session.get(self._url + path, params=query, headers=self._headers) as answer:
            return await self._json(answer, path)

    async def write(self, method: str, path: str, body: Any = None) -> Any:  # JSON both ways
        """Send and wait for the hub's verdict; harmless to repeat."""
        headers = {
            **self._headers,
            "Prefer": f"wait={PATIENCE_S}",
            "Idempotency-Key": f"{self._day.isoformat()}-{method}-{path}",
        }
        async with self._session.request(method, self._url + path, json=body, headers=headers) as answer:
            return await self._json(answer, path)

    async def until(self, path: str, enough: Callable[[list[Any]], bool]) -> list[Any]:
        """Follow a feed from its beginning by long poll until `enough` of it has come, or patience ends."""
        deadline = asyncio.get_running_loop().time() + PATIENCE_S
        items: list[Any] = []
        after = "0"
        while not enough(items) and asyncio.get_running_loop().time() < deadline:
            page = await self.get(path, after=after, timeout=str(_POLL_S))
            items += page["items"]
            after = page["next"]
        return items

    async def _json(self, answer: aiohttp.ClientResponse, path: str) -> Any:  # JSON
        if answer.status >= 300:
            raise RuntimeError(f"{self.player.name} {answer.method} {path}: {answer.status} {await answer.text()}")
        return await answer.json() if answer.content_type.endswith("json") else await answer.text()


class Day:
    """The day's script. `today` is a local date; limits and plans are for tomorrow."""

    def __init__(self, clients: Mapping[str, Client], today: date, say: Say) -> None:
        self._clients, self._say = clients, say
        self._today = today
        self._tomorrow = local_day(today + timedelta(days=1), ZONE)
        self.evening_limit = self._mrid("evening")
        self.fault = self._mrid("fault")

    async def play(self) -> list[Seen]:
        """All steps in order, then what everybody saw."""
        for step in (
            self._register_points,
            self._register_assets,
            self._assets_appear,
            self._send_schedules,
            self._schedules_arrive,
            self._announce_limit,
            self._update_limit,
            self._order_stop,
            self._prolong_stop,
            self._cancel_stop,
        ):
            await step()
        return await self._what_everybody_saw()

    async def _register_points(self) -> None:
        for dso in DSOS:
            points = [{"id": point, "voltageKv": "10"} for point in POINTS[dso.name]]
            await self._clients[dso.name].write("PUT", "/connection-points", {"connectionPoints": points})
            self._say(f"{dso.name} registered {len(points)} connection points")

    async def _register_assets(self) -> None:
        for agr in AGRS:
            assets = [_registration(asset) for asset in ASSETS[agr.name]]
            await self._clients[agr.name].write("PUT", "/assets", {"assets": assets})
            self._say(f"{agr.name} registered {len(assets)} assets")

    async def _assets_appear(self) -> None:
        for dso in DSOS:
            mine = _assets_at(dso)
            seen = await self._clients[dso.name].until("/assets/changes", _covers("id", {a.id for a in mine}))
            self._say(f"{dso.name} sees {len({item['id'] for item in seen})} assets on its grid, and no operator")

    async def _send_schedules(self) -> None:
        for agr in AGRS:
            series = [{"asset": a.id, "periods": [self._plan(a)]} for a in ASSETS[agr.name]]
            body = {"mrid": self._mrid(f"plan-{agr.name}"), "series": series}
            await self._clients[agr.name].write("POST", "/schedules", body)
            self._say(f"{agr.name} sent tomorrow's schedules of {len(series)} assets")

    async def _schedules_arrive(self) -> None:
        for dso in DSOS:
            wanted = {a.id for a in _assets_at(dso)}
            await self._clients[dso.name].until("/schedules/changes", _covers("asset", wanted))
            self._say(f"{dso.name} has the schedules of its {len(wanted)} assets")

    async def _announce_limit(self) -> None:
        body = {
            "mrid": self.evening_limit,
            "direction": "consumption",
            "series": [
                {
                    "assets": [HEAT_PUMP.id, BATTERY.id, COOLER.id],
                    "periods": [self._evening([(1, 700_000), (5, 350_000), (9, 100_000)])],
                }
            ],
        }
        await self._clients[NORTH.name].write("POST", "/limits/foreseen", body)
        self._say("north announced a limit of 700, 350 and 100 kW on three assets, tomorrow 17 to 20 h")
        for agr in AGRS:
            await self._limit(agr, self.evening_limit, revision=1)

    async def _update_limit(self) -> None:
        body = {
            "direction": "consumption",
            "series": [{"assets": [HEAT_PUMP.id, BATTERY.id], "periods": [self._evening([(1, 700_000)])]}],
        }
        await self._clients[NORTH.name].write("PUT", f"/limits/foreseen/{self.evening_limit}", body)
        self._say("north changed it: 700 kW all evening, without the cold store")
        for agr in AGRS:
            await self._limit(agr, self.evening_limit, revision=2)

    async def _order_stop(self) -> None:
        await self._clients[SOUTH.name].write("POST", "/limits/unforeseen", self._stop(hours=12))
        self._say("south ordered a stop of two assets after a fault, expected to end tomorrow at noon")
        for agr in (BRAVO, CHARLIE):
            await self._limit(agr, self.fault, revision=1)

    async def _prolong_stop(self) -> None:
        await self._clients[SOUTH.name].write("PUT", f"/limits/unforeseen/{self.fault}", self._stop(hours=18))
        self._say("south expects it to last until 18 h")
        for agr in (BRAVO, CHARLIE):
            await self._limit(agr, self.fault, revision=2)

    async def _cancel_stop(self) -> None:
        await self._clients[SOUTH.name].write("DELETE", f"/limits/unforeseen/{self.fault}")
        self._say("south ended it: the fault is mended")
        for agr in (BRAVO, CHARLIE):
            await self._limit(agr, self.fault, revision=3)

    async def _limit(self, agr: Player, source: str, *, revision: int) -> None:
        """Wait until this AGR's long poll has told it of its own copy; kinds tell the two limits of the day apart."""
        kind = "foreseen" if source == self.evening_limit else "unforeseen"
        items = await self._clients[agr.name].until(
            "/limits/changes", lambda seen: any(_is(item, kind, revision, self._tomorrow.start) for item in seen)
        )
        newest = [item for item in items if _is(item, kind, revision, self._tomorrow.start)]
        told = _told(newest[-1]) if newest else "nothing"
        self._say(f"  {agr.name}'s long poll: {told}")

    async def _what_everybody_saw(self) -> list[Seen]:
        lines = [await self._saw(dso, "assets on my grid", self._grid(dso), _names(_assets_at(dso))) for dso in DSOS]
        for agr in AGRS:
            lines += await self._saw_limits(agr)
        for dso in DSOS:
            lines.append(await self._saw(dso, "tomorrow's plans, kWh", self._energy(dso), self._planned_energy(dso)))
        return lines

    async def _saw(self, player: Player, what: str, found: Awaitable[str], expected: str) -> Seen:
        return Seen(participant=player.name, what=what, expected=expected, found=await found)

    async def _grid(self, dso: Player) -> str:
        page = await self._clients[dso.name].get("/assets", limit="1000")
        return _names([asset for asset in _ALL_ASSETS if asset.id in {item["id"] for item in page["items"]}])

    async def _energy(self, dso: Player) -> str:
        page = await self._clients[dso.name].get(
            "/schedules", **{"from": _z(self._tomorrow.start), "to": _z(self._tomorrow.end), "limit": "1000"}
        )
        return _join(f"{_name(item['asset'])} {_kwh(item['periods'])}" for item in page["items"])

    def _planned_energy(self, dso: Player) -> str:
        hours = (self._tomorrow.end - self._tomorrow.start) // timedelta(hours=1)
        return _join(f"{asset.name} {_planned(asset) * hours / 1000:+.0f}" for asset in _assets_at(dso))

    async def _saw_limits(self, agr: Player) -> list[Seen]:
        feed = await self._clients[agr.name].get("/limits/changes", after="0", timeout="0", limit="1000")
        of_the_day = [item for item in feed["items"] if _of_day(item, self._tomorrow.start)]
        numbers = [item["sequence"] for item in feed["items"]]
        gaps = "no gap" if numbers == list(range(1, len(numbers) + 1)) else f"gaps: {numbers}"
        return [
            Seen(participant=agr.name, what="limits told", expected=_EXPECTED[agr.name], found=_story(of_the_day)),
            Seen(participant=agr.name, what="feed", expected="no gap", found=gaps),
        ]

    def _plan(self, asset: DemoAsset) -> dict[str, Any]:
        """A flat plan for tomorrow in quarter-hours: 92, 96 or 100 of them."""
        quarters = (self._tomorrow.end - self._tomorrow.start) // timedelta(minutes=15)
        points = [{"position": n, "quantity": _planned(asset)} for n in range(1, quarters + 1)]
        return {
            "start": _z(self._tomorrow.start),
            "end": _z(self._tomorrow.end),
            "resolution": "PT15M",
            "points": points,
        }

    def _evening(self, points: list[tuple[int, int]]) -> dict[str, Any]:
        start = self._tomorrow.start + timedelta(hours=17)
        return {
            "start": _z(start),
            "end": _z(start + timedelta(hours=3)),
            "resolution": "PT15M",
            "points": [{"position": position, "quantity": quantity} for position, quantity in points],
        }

    def _stop(self, *, hours: int) -> dict[str, Any]:
        return {
            "mrid": self.fault,
            "direction": "both",
            "start": _z(self._tomorrow.start),
            "expectedEnd": _z(self._tomorrow.start + timedelta(hours=hours)),
            "orders": [{"asset": FLEET.id, "action": "STOP"}, {"asset": PLANT.id, "action": "STOP"}],
            "reason": "B18",
            "text": "Transformer fault",
        }

    def _mrid(self, name: str) -> str:
        return hashlib.sha256(f"{self._today.isoformat()}/{name}".encode()).hexdigest()[:32]


_ALL_ASSETS: Final = tuple(asset for assets in ASSETS.values() for asset in assets)

# R16 by hand. Weights 500, 1000 and 250 kW: 700 and 350 kW divide evenly; of 100 kW the floors are 28571, 57142 and
# 14285, and the two watts left go to the largest remainders, the battery (.857) and the cold store (.714).
# Without the cold store 700 kW is a third and two thirds: 233333.3 and 466666.7, the watt left goes to the battery.
_EXPECTED: Final = {
    ALPHA.name: "1: 200000 100000 28571 W; 2: 233333 W",
    BRAVO.name: "1: 400000 200000 57143 W; 2: 466667 W; 1: STOP; 2: STOP; 3: cancelled",
    CHARLIE.name: "1: 100000 50000 14286 W; 2: cancelled; 1: STOP; 2: STOP; 3: cancelled",
}


def clients(
    session: aiohttp.ClientSession, urls: Mapping[str, str], tokens: Mapping[str, str], today: date
) -> dict[str, Client]:
    """A client per participant of the cast."""
    return {
        player.name: Client(session, player, url=urls[player.name], token=tokens[player.name], day=today)
        for player in PLAYERS
    }


def _registration(asset: DemoAsset) -> dict[str, Any]:
    return {
        "id": asset.id,
        "connectionPoint": asset.point,
        "maxProduction": asset.produces,
        "maxConsumption": asset.consumes,
        "name": asset.name,
    }


def _assets_at(dso: Player) -> list[DemoAsset]:
    return [asset for asset in _ALL_ASSETS if asset.point in POINTS[dso.name]]


def _planned(asset: DemoAsset) -> int:
    """Plants produce at 80 %, the rest consumes at 60 %; + feeds the grid, - draws from it."""
    return asset.produces * 8 // 10 if asset.produces > asset.consumes else -asset.consumes * 6 // 10


def _covers(field: str, wanted: set[str]) -> Callable[[list[Any]], bool]:
    return lambda items: wanted <= {item[field] for item in items}


def _is(item: Any, kind: str, revision: int, tomorrow: datetime) -> bool:  # JSON
    return item["kind"] == kind and item["revision"] >= revision and _of_day(item, tomorrow)


def _of_day(item: Any, tomorrow: datetime) -> bool:  # JSON
    return tomorrow <= datetime.fromisoformat(item["start"]) < tomorrow + timedelta(days=1)


def _told(limit: Any) -> str:  # JSON
    if limit["status"] == "cancelled":
        return "cancelled"
    orders = [order["action"] for order in limit["orders"]]
    shares = [str(point["quantity"]) for s in limit["shares"] for p in s["periods"] for point in p["points"]]
    return " ".join(orders) if orders else " ".join(shares) + " W"


def _story(items: list[Any]) -> str:
    return "; ".join(f"{item['revision']}: {_told(item)}" for item in items)


def _name(asset: str) -> str:
    return next((known.name for known in _ALL_ASSETS if known.id == asset), asset)


def _names(assets: list[DemoAsset]) -> str:
    return _join(asset.name for asset in assets)


def _join(parts: Any) -> str:  # iterable of str
    return ", ".join(sorted(parts))


def _kwh(periods: Any) -> str:  # JSON
    """Energy of compact curves: each point lasts until the next one's position, the last to the end."""
    total = 0
    for period in periods:
        slots = (_instant(period["end"]) - _instant(period["start"])) // timedelta(minutes=15)
        points = period["points"]
        ends = [point["position"] for point in points[1:]] + [slots + 1]
        total += sum(point["quantity"] * (end - point["position"]) for point, end in zip(points, ends, strict=True))
    return f"{total / 4000:+.0f}"


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _z(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
