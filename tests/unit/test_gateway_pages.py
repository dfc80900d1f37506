"""A participant's charts at its own gateway: its token opens them, and only its own rows are in them (F3, R36)."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from aiohttp import ClientSession, CookieJar
from yarl import URL

from gateways import pages
from hub.store.memory import MemoryStore
from tests.gateway_world import A1, A2, A3, ALPHA, BRAVO, NORTH, P1, P2, Client, World, asset, period

DAY = ("2026-01-16T12:00:00Z", "2026-01-16T14:00:00Z")
WINDOW = {"from": "2026-01-16T00:00:00Z", "to": "2026-01-17T00:00:00Z"}
JSON = {"Content-Type": "application/json"}


class Page:
    """A browser's view of a gateway, without a browser."""

    def __init__(self, session: ClientSession, url: str) -> None:
        self.session, self.url = session, url

    async def login(self, token: str, **headers: str) -> int:
        body = json.dumps({"password": token})
        async with self.session.post("/ui/api/login", data=body, headers={**JSON, **headers}) as answer:
            return answer.status

    async def own(self, **query: str) -> Any:  # JSON
        async with self.session.get("/ui/api/own", params={**WINDOW, **query}) as answer:
            assert answer.status == 200, await answer.text()
            return await answer.json()

    async def status(self, path: str) -> int:
        url = URL(f"{self.url}{path}", encoded=True)
        async with self.session.get(url, allow_redirects=False) as answer:
            return answer.status


@asynccontextmanager
async def browsing(client: Client) -> AsyncIterator[Page]:
    async with ClientSession(client.gateway.url, cookie_jar=CookieJar(unsafe=True)) as session:
        yield Page(session, client.gateway.url)


@asynccontextmanager
async def logged_in(client: Client) -> AsyncIterator[Page]:
    async with browsing(client) as page:
        assert await page.login(client.token) == 204
        yield page


@asynccontextmanager
async def market() -> AsyncIterator[tuple[World, Client, Client, Client]]:
    """Alpha plans 8 and bravo 4 kW under a total of 9 kW; each has an asset of 10 kW, alpha another one."""
    async with World.running() as world:
        north, alpha, bravo = (
            await world.dso(NORTH, ui=True),
            await world.agr(ALPHA, ui=True),
            await world.agr(BRAVO, ui=True),
        )
        await north.write("PUT", "/connection-points", {"connectionPoints": [{"id": P1}, {"id": P2}]})
        await alpha.write("PUT", "/assets", {"assets": [asset(A1, P1, consumes=10_000), asset(A2, P2, produces=5_000)]})
        await bravo.write("PUT", "/assets", {"assets": [asset(A3, P1, consumes=10_000)]})
        for client, one, watts in ((alpha, A1, -8_000), (bravo, A3, -4_000)):
            series = [{"asset": one, "periods": [period(*DAY, watts, watts)]}]
            await client.write("POST", "/schedules", {"series": series})
        await world.system.beat()
        series = [{"assets": [A1, A3], "periods": [period(*DAY, 9_000, 9_000)]}]
        await north.write("POST", "/limits/foreseen", {"mrid": "limit", "direction": "consumption", "series": series})
        await world.system.beat()
        yield world, north, alpha, bravo


async def test_an_aggregator_sees_its_plans_against_its_own_shares() -> None:
    async with market() as (_, _, alpha, _), logged_in(alpha) as page:
        found = await page.own()

        (limit,) = found["limits"]
        (side,) = limit["sides"]
        assert [watts for _, _, watts in side["allowed"]] == [4_500]
        assert [watts for _, _, watts in side["excess"]] == [3_500]
        assert [(one["kind"], one["excessW"], one["excessWh"]) for one in found["findings"]] == [
            ("above", 3_500, 7_000.0)
        ]
        assert [(one["id"], one["maxConsumption"]) for one in found["assets"]] == [
            (f"A10:{A1}", 10_000),
            (f"A10:{A2}", 0),
        ]
        assert found["planned"] == [f"A10:{A1}"]


async def test_a_grid_operator_sees_its_total_against_the_sum_of_the_plans_on_its_grid() -> None:
    async with market() as (_, north, _, _), logged_in(north) as page:
        found = await page.own()

        (limit,) = found["limits"]
        (side,) = limit["sides"]
        assert limit["assets"] == [f"A10:{A1}", f"A10:{A3}"]
        assert [watts for _, _, watts in side["scheduled"]] == [12_000]
        assert [(one["excessW"], one["assets"]) for one in found["findings"]] == [(3_000, [f"A10:{A1}", f"A10:{A3}"])]


async def test_r36_nothing_of_another_participant_is_in_anybodys_charts() -> None:
    async with market() as (_, north, alpha, bravo):
        foreign = {
            alpha: ((A3, BRAVO, NORTH), {9_000, 12_000, 4_000}),
            bravo: ((A1, A2, ALPHA, NORTH), {9_000, 12_000, 8_000, 3_500}),
            north: ((ALPHA, BRAVO), {4_500, 3_500}),
        }
        for client, (words, watts) in foreign.items():
            async with logged_in(client) as page:
                found = await page.own()
                assert [word for word in words if word in json.dumps(found)] == []
                assert watts & set(numbers(found)) == set()


def numbers(told: Any) -> Iterator[float]:  # JSON
    """Every number in an answer."""
    if isinstance(told, dict | list):
        for each in told.values() if isinstance(told, dict) else told:
            yield from numbers(each)
    elif isinstance(told, int | float):
        yield told


async def test_r29_a_look_at_the_charts_collects_nothing() -> None:
    async with market() as (world, _, alpha, _), logged_in(alpha) as page:
        await page.own()
        await world.system.beat()

        assert isinstance(alpha.gateway.store, MemoryStore)
        told = [event.topic for event in alpha.gateway.store.log.events]
        assert told
        assert not [topic for topic in told if topic.startswith("Collected")]


async def test_without_a_session_nothing_but_the_files_and_the_login_is_answered() -> None:
    async with World.running() as world:
        alpha = await world.agr(ALPHA, ui=True)
        async with browsing(alpha) as page:
            assert [await page.status(f"/ui/api/{path}") for path in ("session", "own", "live")] == [401, 401, 401]
            paths = ("/ui", "/ui/", "/ui/app.js", "/ui/%2e%2e%2fpages.py", "/ui/%2fetc%2fpasswd")
            assert [await page.status(path) for path in paths] == [308, 200, 200, 404, 404]
            assert await page.login("no token") == 401
            assert await page.status("/assets") == 401


async def test_a_token_of_another_participant_opens_nothing() -> None:
    async with World.running() as world:
        alpha, bravo = await world.agr(ALPHA, ui=True), await world.agr(BRAVO, ui=True)
        async with browsing(alpha) as page:
            assert await page.login(bravo.token) == 401


async def test_the_cookie_of_the_charts_opens_no_other_door() -> None:
    async with World.running() as world:
        alpha = await world.agr(ALPHA, ui=True)
        async with logged_in(alpha) as page:
            assert await page.status("/assets") == 401


async def test_the_charts_are_off_unless_they_are_switched_on() -> None:
    async with World.running() as world:
        alpha = await world.agr(ALPHA)
        headers = {"Authorization": f"Bearer {alpha.token}"}
        async with ClientSession(alpha.gateway.url) as session, session.get("/ui/", headers=headers) as answer:
            assert answer.status == 404


@pytest.mark.parametrize("foreign", [{"Sec-Fetch-Site": "cross-site"}, {"Origin": "http://evil.example"}])
async def test_another_page_cannot_log_in(foreign: dict[str, str]) -> None:
    async with World.running() as world:
        alpha = await world.agr(ALPHA, ui=True)
        async with browsing(alpha) as page:
            assert await page.login(alpha.token, **foreign) == 403


async def test_a_session_ends_with_a_logout_with_its_time_and_with_its_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "LASTING", timedelta(seconds=30))
    async with World.running() as world:
        alpha = await world.agr(ALPHA, ui=True)
        async with logged_in(alpha) as page:
            (cookie,) = page.session.cookie_jar
            kept = {"Cookie": f"{cookie.key}={cookie.value}"}
            async with page.session.post("/ui/api/logout", data="{}", headers=JSON) as answer:
                assert answer.status == 204
            async with page.session.get("/ui/api/own", headers=kept) as answer:
                assert answer.status == 401
        async with logged_in(alpha) as page:
            await world.system.clock.advance(31)
            assert await page.status("/ui/api/own") == 401
        async with logged_in(alpha) as page:
            (token,) = await alpha.gateway.store.tokens.list()
            await alpha.gateway.store.tokens.revoke(token.fingerprint, now=world.system.clock.now())
            assert await page.status("/ui/api/own") == 401


async def test_every_answer_carries_a_policy_that_lets_the_pages_run_and_nothing_inline() -> None:
    async with World.running() as world:
        alpha = await world.agr(ALPHA, ui=True)
        async with logged_in(alpha) as page:
            for path in ("/ui/", "/ui/app.js", "/ui/api/session"):
                async with page.session.get(path) as answer:
                    assert "script-src 'self'" in answer.headers["Content-Security-Policy"]
                    assert "unsafe" not in answer.headers["Content-Security-Policy"]


async def test_the_stream_tells_of_a_new_limit_and_ends_with_the_session() -> None:
    async with market() as (_, north, alpha, _), logged_in(alpha) as page, page.session.get("/ui/api/live") as stream:
        assert b"event: hello" in await stream.content.readuntil(b"\n\n")
        series = [{"assets": [A1], "periods": [period(*DAY, 1_000, 1_000)]}]
        await north.write("POST", "/limits/foreseen", {"direction": "consumption", "series": series})

        told = b""
        async with asyncio.timeout(20):
            while b"limits" not in told:
                told += await stream.content.readuntil(b"\n\n")
            await page.session.post("/ui/api/logout", data="{}", headers=JSON)
            while await stream.content.read(1024):
                pass


@pytest.mark.parametrize(
    "query", [{"from": "yesterday"}, {"to": "9999-12-31T00:00:00Z"}, {"to": "2026-03-01T00:00:00Z"}]
)
async def test_a_span_that_cannot_be_shown_is_refused_in_words(query: dict[str, str]) -> None:
    async with World.running() as world:
        alpha = await world.agr(ALPHA, ui=True)
        async with logged_in(alpha) as page, page.session.get("/ui/api/own", params={**WINDOW, **query}) as answer:
            assert (answer.status, "detail" in await answer.json(content_type=None)) == (400, True)
