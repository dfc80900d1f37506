"""Probes and measures of a process (ARCHITECTURE 9, NF3)."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from aiohttp import ClientSession, web

from hub.mades.endpoint import EndpointStatus, Standing
from hub.settings import Http
from hub.web.exchange import exchange_measures
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


async def test_a_measure_with_reasons_is_one_family() -> None:
    process = Process()
    process.measures = lambda: [  # type: ignore[method-assign] # another process
        Measure("failed_total", "Failed.", 2, counts=True, reason="E-EXPIRED"),
        Measure("failed_total", "Failed.", 1, counts=True, reason="E-REVOKED"),
    ]
    async with process.serving() as session:
        _, text = await get(session, "/metrics")

    assert text.splitlines() == [
        "# HELP tps_failed_total Failed.",
        "# TYPE tps_failed_total counter",
        'tps_failed_total{reason="E-EXPIRED"} 2.0',
        'tps_failed_total{reason="E-REVOKED"} 1.0',
    ]


def status(**changes: object) -> EndpointStatus:
    """An endpoint that has done nothing, but for these."""
    nothing: dict[str, object] = {
        **dict.fromkeys(("sent", "received", "duplicates", "retried", "waiting_to_deliver", "waiting_to_receive"), 0),
        **{name: {} for name in ("failed", "refused", "dead")},
        "oldest_waiting_s": 0.0,
        "is_connected": True,
        "standing": None,
        "trouble": None,
    }
    return EndpointStatus(**(nothing | changes))  # type: ignore[arg-type] # fields by name


def test_nf3_a_reason_in_a_partners_own_words_is_told_as_other() -> None:
    failed = {"E-EXPIRED": 1, "A10:5790000000005 is closed": 2, "A01:45X-AGR-ALPHA--N": 3}

    told = [each for each in exchange_measures(status(failed=failed)) if each.name == "messages_failed_total"]

    assert [(each.reason, each.value) for each in told] == [("E-EXPIRED", 1), ("other", 5)]


def test_a_component_says_how_old_its_copy_is_and_when_its_certificates_end() -> None:
    standing = Standing(content_id=7, directory_age=timedelta(minutes=2), certificates_left=timedelta(days=30.5))

    told = {each.name: each.value for each in exchange_measures(status(standing=standing))}

    assert (told["directory_content_id"], told["directory_age_s"], told["certificate_days"]) == (7, 120, 30.5)
