"""The whole product as users run it, for the benches: REST clients outside, every part a process of its own.

Directory, hub, one gateway for each participant, PostgreSQL with fsync, RabbitMQ with quorum queues and TLS: the parts
of `tps demo --broker rabbitmq` with another cast. Every asset hangs on the grid of the one DSO.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any, Final

import aiohttp
import msgspec
from msgspec import Struct
from stdnum import ean
from stdnum.eu import eic

from documents import identifiers
from gateways.demo import processes
from gateways.demo.cast import NORTH, Player
from gateways.demo.founding import keys_in
from hub.directory_service import bootstrap
from hub.directory_service.plan import Sections
from hub.settings import GatewaySettings, load
from hub.store.postgres import PostgresStore
from tests.bench import measures
from tests.fault.books import opened_books

RATED_W: Final = 100_000_000
"""Of every asset, so that a total of `n * w` on one asset of each of n operators gives each of them w."""
WAIT_S: Final = 300
LOOK_S: Final = 0.2
PAGE: Final = 1000
MOST: Final = 10_000
"""Items of one write."""
OPEN: Final[Sections] = {"http": {"rate_per_s": 1e6, "burst": 1_000_000, "polls_max": 20_000}}
"""A bench has one token for each participant, and asks as often as it can."""
_ASSETS: Final = 57131400000000000
_POINTS: Final = 57131500000000000


class Answer(Struct, frozen=True):
    """What a gateway said; `retry_after_s` is 0 where it did not say."""

    status: int
    body: Any  # JSON
    retry_after_s: float = 0.0


class Page(Struct, frozen=True):
    """What a list or a feed has, and where it goes on; None: nowhere."""

    items: list[Any]  # JSON
    next: str | None


class Client:
    """A participant's own system: an HTTP client with its token."""

    def __init__(self, session: aiohttp.ClientSession, player: Player, *, url: str, token: str) -> None:
        self.name, self.id, self.url = player.name, player.id, url
        self.headers = {"Authorization": f"Bearer {token}"}
        self._session = session

    async def send(self, method: str, path: str, body: Any = None, *, wait_s: int | None = None) -> Answer:  # JSON
        """One write, answered as soon as it is stored, or within `wait_s` with the hub's verdict; never repeated."""
        headers = self.headers | {"Content-Type": "application/json"}
        if wait_s is not None:
            headers["Prefer"] = f"wait={wait_s}"
        data = None if body is None else msgspec.json.encode(body)
        async with self._session.request(method, self.url + path, data=data, headers=headers) as answer:
            pause = float(answer.headers.get("Retry-After", 0))
            return Answer(answer.status, msgspec.json.decode(await answer.read()), pause)

    async def write(self, method: str, path: str, body: Any) -> None:  # JSON
        """A write that the hub accepts. Raises RuntimeError: it did not."""
        answer = await self.send(method, path, body, wait_s=WAIT_S)
        if answer.status not in {200, 201}:
            raise RuntimeError(f"{self.name} {method} {path}: {answer.status} {str(answer.body)[:500]}")

    async def page(self, path: str, **query: str | int) -> Page:
        """A page of a list, or one long poll of a feed. Raises RuntimeError: no 200."""
        async with self._session.get(self.url + path, params={"limit": PAGE, **query}, headers=self.headers) as answer:
            raw = await answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{self.name} GET {path}: {answer.status} {raw[:500]!r}")
        return msgspec.json.decode(raw, type=Page)

    async def follow(self, path: str, after: str = "0") -> AsyncIterator[list[Any]]:  # JSON
        """The items of each answer of a feed with something in it, by long poll, for ever."""
        while True:
            page = await self.page(path, after=after, timeout=60)
            after = page.next or after
            if page.items:
                yield page.items


class Product(Struct, frozen=True):
    """The running platform: who can be talked to, who runs as which process, and where it keeps its data."""

    dso: Client
    agrs: Sequence[Client]
    processes: Mapping[str, int]
    hub_url: str
    folder: Path

    async def register(self, assets: Mapping[str, Sequence[int]]) -> None:
        """Let AGRs, by name, register assets by their numbers; accepted when this returns."""
        numbers = [number for each in assets.values() for number in each]
        for some in batched(numbers):
            points = [{"id": point(number)} for number in some]
            await self.dso.write("PUT", "/connection-points", {"connectionPoints": points})
        for agr in self.agrs:
            for some in batched(assets.get(agr.name, ())):
                await agr.write("PUT", "/assets", {"assets": [registration(number) for number in some]})

    async def settled(self) -> None:
        """Wait until nobody has a message on its way; what was measured before costs nothing after this.

        The hub is looked at last, and everybody again until nothing was found: one message leads to others.
        """
        names = (self.dso.name, *(agr.name for agr in self.agrs), "hub")
        while any([await self._is_busy(name) for name in names]):  # noqa: ASYNC110 # a table has no way to tell us
            await asyncio.sleep(LOOK_S)

    async def _is_busy(self, name: str) -> bool:
        async with opened_books(self.folder, [name]) as books:
            return bool(await books.unfinished())

    async def store(self, client: Client) -> PostgresStore:
        """The store of a participant's gateway, to look into; `async with` closes it."""
        file = bootstrap.member(self.folder, client.name) / bootstrap.SETTINGS
        url = load(GatewaySettings, file, {}).database.url.reveal()
        return await PostgresStore.open(url, component=identifiers.party(client.id))

    def cpu_ms(self) -> dict[str, float]:
        """CPU of each kind of process until now, in ms; all AGRs' gateways are one kind, we ourselves `clients`."""
        return self._by_kind(measures.cpu_ms) | {"clients": 1000 * time.process_time()}

    def memory_mb(self) -> dict[str, float]:
        """Peak resident memory of each kind of process; of PostgreSQL what it has now, shared pages counted once."""
        return self._by_kind(measures.memory_mb) | {
            "postgresql": measures.shared_memory_mb(self.processes["postgresql"])
        }

    def _by_kind(self, measure: "measures.OfProcess") -> dict[str, float]:
        agrs = {agr.name for agr in self.agrs}
        found: dict[str, float] = {}
        for name, pid in self.processes.items():
            kind = "agrs" if name in agrs else "dso" if name == self.dso.name else name
            found[kind] = found.get(kind, 0.0) + measure(pid)
        return found


def players(agrs: int) -> tuple[Player, ...]:
    """A DSO and so many aggregators; the first is the balance responsible party of the others."""
    ids = [_eic(number) for number in range(agrs)]
    first = Player(name="agr0", id=ids[0], role="BRP", port=0)
    others = (Player(name=f"agr{n}", id=ids[n], role="AGR", port=0, brp=first.id) for n in range(1, agrs))
    return (NORTH, first, *others)


@asynccontextmanager
async def product(folder: Path, *, agrs: int, gateways: Sections = OPEN) -> AsyncIterator[Product]:
    """The platform for as long as the block lasts, with so many aggregators and nothing registered yet.

    `gateways` are settings of each gateway.

    Raises:
        Unavailable: no RabbitMQ can be had, or a part does not start.
    """
    cast = players(agrs)
    running = processes.running(folder, keys_in(folder, cast), base_port=0, players=cast, gateways=gateways)
    connector, patience = aiohttp.TCPConnector(limit=0), aiohttp.ClientTimeout(total=WAIT_S + 60)
    async with running as parts, aiohttp.ClientSession(connector=connector, timeout=patience) as session:
        where = parts.platform
        dso, *others = (
            Client(session, each, url=where.urls[each.name], token=where.tokens[each.name]) for each in cast
        )
        pids = {name: child.pid for name, child in parts.children.items()} | {"postgresql": parts.postgres_pid}
        if broker := measures.named("beam.smp"):
            pids["broker"] = broker
        yield Product(dso, others, pids, where.hub_url, folder)


def asset(number: int) -> str:
    """The id of an asset (GSRN)."""
    return _gsrn(_ASSETS + number)


def point(number: int) -> str:
    """The id of the connection point of the asset with this number (GSRN)."""
    return _gsrn(_POINTS + number)


def batched(numbers: Sequence[int]) -> Iterator[Sequence[int]]:
    """As many at a time as one write may hold."""
    return (numbers[first : first + MOST] for first in range(0, len(numbers), MOST))


def registration(number: int) -> dict[str, Any]:
    """An asset as its AGR registers it."""
    return {"id": asset(number), "connectionPoint": point(number), "maxConsumption": RATED_W, "name": f"Asset {number}"}


def _gsrn(bare: int) -> str:
    return f"{bare}{ean.calc_check_digit(str(bare))}"


def _eic(number: int) -> str:
    """The `number`th code whose check character is one: a dash is none."""
    bare = (f"45X-AGR-B{each:03d}---" for each in count())
    valid = (code + digit for code in bare if (digit := eic.calc_check_digit(code)) != "-")
    return next(code for found, code in enumerate(valid) if found == number)
