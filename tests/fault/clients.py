"""Everybody's own systems: REST clients that repeat a write until it is judged, and follow their feeds."""

import asyncio
import hashlib
import time
from collections.abc import Mapping
from typing import Any, Final

import aiohttp
from msgspec import Struct

from gateways.demo.cast import Player
from gateways.demo.founding import Platform

JSON = Any
WAIT_S: Final = 5
POLL_S: Final = 5
PAUSE_S: Final = 0.1


class Judged(Struct, frozen=True):
    """A write with its verdict: when it came (monotonic), and seconds from the first attempt until then."""

    who: str
    path: str
    status: int
    at_s: float
    took_s: float
    text: str

    @property
    def stream(self) -> str:
        """Who writes what, one after the other."""
        return f"{self.who} {self.path.split('/')[1]}"


class Heard(Struct):
    """What a reader of a feed has been told, and its cursor."""

    items: list[JSON]
    after: str


class Clients:
    """One client for each participant; `judged` are all writes with their verdicts, in the order of these."""

    def __init__(self, session: aiohttp.ClientSession, platform: Platform) -> None:
        self._session, self._platform = session, platform
        self.run = hashlib.sha256(repr(time.time_ns()).encode()).hexdigest()[:12]
        self.judged: list[Judged] = []
        self._heard: dict[tuple[str, str], Heard] = {}

    async def write(self, who: Player, method: str, path: str, body: JSON = None) -> None:
        """Write until it is judged, however often the gateway is away meanwhile."""
        key = f"{self.run}-{method}-{path}-{hashlib.sha256(repr(body).encode()).hexdigest()[:16]}"
        begun = time.monotonic()
        while True:
            status, text = await self._once(who, method, path, body, key)
            if status in {200, 201, 409, 422, 502}:
                now = time.monotonic()
                self.judged.append(Judged(who.name, path, status, now, now - begun, text))
                return
            assert status in {0, 202, 503}, f"{who.name} {method} {path}: {status} {text}"
            if status != 202:
                await asyncio.sleep(PAUSE_S)

    async def feed(self, who: Player, path: str) -> list[JSON]:
        """All items of a feed, read on from where its reader stopped."""
        while True:
            page = await self._page(who, path, timeout_s=0)
            assert page is not None, f"{who.name} {path} does not answer"
            if not page["items"]:
                return self._heard[who.name, path].items

    async def follow(self, who: Player, path: str, stopping: asyncio.Event) -> None:
        """Long polls until told to stop, as everybody's systems have them."""
        while not stopping.is_set():
            if await self._page(who, path, timeout_s=POLL_S) is None:
                await asyncio.sleep(PAUSE_S)

    def cursor(self, who: Player, path: str) -> str:
        """Where the reader of a feed stopped."""
        return self._heard[who.name, path].after

    async def poll(self, who: Player, path: str, *, after: str, timeout_s: int) -> tuple[int, list[JSON]]:
        """One long poll, as it is: status and items; it is not repeated, and moves no cursor."""
        query = {"after": after, "timeout": str(timeout_s), "limit": "1000"}
        async with self._session.get(self._url(who, path), params=query, headers=self._token(who)) as answer:
            return answer.status, (await answer.json())["items"]

    async def repeats(self) -> int:
        """Messages that came again (E-DUPLICATE) at the hub and gateways since their present start."""
        urls = [self._platform.hub_url, *self._platform.urls.values()]
        return sum([await self._measure(url, "tps_messages_repeated_total") for url in urls])

    async def _page(self, who: Player, path: str, *, timeout_s: int) -> JSON:
        """What a feed has next, kept; None when the gateway is away."""
        heard = self._heard.setdefault((who.name, path), Heard([], "0"))
        query = {"after": heard.after, "timeout": str(timeout_s), "limit": "1000"}
        try:
            async with self._session.get(self._url(who, path), params=query, headers=self._token(who)) as answer:
                page = await answer.json() if answer.status == 200 else None
        except (aiohttp.ClientError, OSError, TimeoutError):
            return None
        if page is not None:
            heard.items += page["items"]
            heard.after = page["next"]
        return page

    async def _measure(self, url: str, name: str) -> int:
        async with self._session.get(f"{url}/metrics") as answer:
            lines = (await answer.text()).splitlines()
        return sum(int(float(line.split()[-1])) for line in lines if line.startswith(name))

    async def _once(self, who: Player, method: str, path: str, body: JSON, key: str) -> tuple[int, str]:
        """Status (0: no answer) and text."""
        headers = {**self._token(who), "Prefer": f"wait={WAIT_S}", "Idempotency-Key": key}
        try:
            async with self._session.request(method, self._url(who, path), json=body, headers=headers) as answer:
                return answer.status, await answer.text()
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            return 0, repr(error)

    def _url(self, who: Player, path: str) -> str:
        return self._platform.urls[who.name] + path

    def _token(self, who: Player) -> Mapping[str, str]:
        return {"Authorization": f"Bearer {self._platform.tokens[who.name]}"}
