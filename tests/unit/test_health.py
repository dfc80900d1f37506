"""Probes and measures of a process (ARCHITECTURE 9, NF3)."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import ClientSession, web

from hub.settings import Http
from hub.web.health import Health, Measure, listening


class Process:
    """Something that has trouble and numbers."""

    def __init__(self) -> None:
        self.trouble: str | None = None
        self.commits = 3

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[ClientSession]:
        health = Health(trouble=lambda: self.trouble, measures=self.measures)
        app = web.Application()
        app.add_routes(health.routes())
        async with listening(app, Http(port=0)) as port, ClientSession(f"http://127.0.0.1:{port}") as session:
            yield session

    def measures(self) -> list[Measure]:
        return [
            Measure("commits_total", "Batches committed.", self.commits, counts=True),
            Measure("waits", "Waits for rows.", 2),
        ]


async def get(session: ClientSession, path: str) -> tuple[int, str]:
    async with session.get(path) as response:
        return response.status, await response.text()


async def test_a_process_in_trouble_lives_but_is_not_ready_and_says_why() -> None:
    process = Process()
    async with process.serving() as session:
        assert await get(session, "/health/ready") == (200, "ready\n")

        process.trouble = "no broker"

        assert await get(session, "/health/live") == (200, "live\n")
        assert await get(session, "/health/ready") == (503, "no broker\n")


async def test_measures_are_asked_for_at_each_look_and_name_nobody() -> None:
    process = Process()
    async with process.serving() as session:
        process.commits += 1

        status, text = await get(session, "/metrics")

    lines = [line for line in text.splitlines() if not line.startswith("#")]
    assert status == 200
    assert lines == ["tps_commits_total 4.0", "tps_waits 2.0"]
    assert "{" not in text
