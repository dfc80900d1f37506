"""The bound of long polls: an aiohttp server whose polls wait for one bell, and nothing else; a process of its own.

It says on which port it listens. `GET /changes` waits until somebody rings by `POST /ring`; `GET /waiting` counts.
"""

import asyncio
import sys

from aiohttp import web

from hub.web.sockets import allow_many_sockets
from tests.bench.order import say

ITEM = {
    "mrid": "f" * 32,
    "revision": 1,
    "kind": "foreseen",
    "points": [{"position": n, "quantity": n} for n in range(8)],
}


class Bell:
    """Everybody waits for the same ring."""

    def __init__(self) -> None:
        self.waiting = 0
        self._ring = asyncio.Event()

    async def changes(self, _: web.Request) -> web.Response:
        self.waiting += 1
        try:
            await self._ring.wait()
        finally:
            self.waiting -= 1
        return web.json_response({"items": [ITEM], "next": "1"})

    async def ring(self, _: web.Request) -> web.Response:
        self._ring.set()
        self._ring = asyncio.Event()
        return web.json_response({})

    async def count(self, _: web.Request) -> web.Response:
        return web.json_response(self.waiting)


async def main() -> None:
    allow_many_sockets()
    bell, app = Bell(), web.Application()
    app.add_routes(
        [
            web.get("/changes", bell.changes),
            web.post("/ring", bell.ring),
            web.get("/waiting", bell.count),
        ]
    )
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=1024).start()
    say(runner.addresses[0][1])
    await asyncio.to_thread(sys.stdin.readline)
    await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(main())
