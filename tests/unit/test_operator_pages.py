"""The operator's pages over HTTP: who is let in, what is answered, now and of the past; nothing is ever sent (F3)."""

import asyncio
import hashlib
import json
import re
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp import ClientSession, CookieJar
from yarl import URL

from documents import identifiers, registry
from documents.packing import NOTHING
from documents.values import Identifier, Interval
from hub.app import operator_pages
from hub.clock import ORIGIN
from hub.errors import Unavailable
from hub.ports import OPERATOR, Item, Scope
from hub.rows import OPERATOR_SCHEDULES, OperatorSchedule
from hub.settings import Secret, Web
from hub.store.memory import MemoryRows
from hub.web import streams as streams_module
from hub.web.session import Sessions
from hub.web.snapshot import KEPT, Snapshot, snapshot_at
from hub.web.streams import HELLO, STREAMS_MOST, Streams
from tests.system import MARKET, Member, System
from tests.unit.test_app import ALPHA, NORTH, limit, played, schedule

PASSWORD = "correct horse battery"
HOME = "127.0.0.1"
HERE = {"Content-Type": "application/json"}
START, END = (ORIGIN + timedelta(hours=hours) for hours in (1, 5))


class Page:
    """A browser's view of the pages, without a browser."""

    def __init__(self, session: ClientSession, url: str) -> None:
        self.session, self.url = session, url

    async def get(self, path: str, **query: str) -> Any:  # JSON
        async with asyncio.timeout(20):
            while (answer := await self.session.get(path, params=query)).status == 503:  # noqa: ASYNC110 # as pages do
                await asyncio.sleep(0.01)
        assert answer.status == 200, await answer.text()
        return await answer.json()

    async def post(self, path: str, body: object, **headers: str) -> tuple[int, Any]:  # JSON
        async with self.session.post(path, data=json.dumps(body), headers={**HERE, **headers}) as answer:
            return answer.status, await answer.json(content_type=None) if answer.status != 204 else None

    async def until(self, path: str, holds: Any, **query: str) -> Any:  # a predicate of the JSON
        async with asyncio.timeout(20):
            while not holds(found := await self.get(path, **query)):  # noqa: ASYNC110 # as a person looks again
                await asyncio.sleep(0.01)
        return found


@asynccontextmanager
async def served(system: System, password: str = PASSWORD, *, session_h: float = 12.0) -> AsyncIterator[Page]:
    """The pages of the system's hub; nobody is logged in."""
    web = Web(password=Secret(password), port=0, session_h=session_h)
    pages = operator_pages(system.hub, MARKET, web, store=system.hub_store, clock=system.clock)
    jar = CookieJar(unsafe=True)  # takes cookies of a bare address too, as browsers do
    async with pages.running() as port, ClientSession(f"http://127.0.0.1:{port}", cookie_jar=jar) as session:
        yield Page(session, f"http://127.0.0.1:{port}")


@asynccontextmanager
async def logged_in(system: System, *, session_h: float = 12.0) -> AsyncIterator[Page]:
    """The same with a session."""
    async with served(system, session_h=session_h) as page:
        assert await page.post("/api/login", {"password": PASSWORD}) == (204, None)
        yield page


async def with_a_conflict(system: System) -> tuple[Member, Member, Member]:
    """North allows 2 kW on alpha's asset of 1 kW and bravo's of 3 kW; alpha plans 700 W, 200 W above its share."""
    north, alpha, bravo = await played(system)
    await alpha.ask(schedule(alpha, 700, "asset-a"))
    await system.clock.advance(60)
    await north.ask(limit(north, 2000, "asset-a", "asset-b", mrid="limit"))
    return north, alpha, bravo


# Who is let in.


async def test_nothing_is_answered_without_a_session() -> None:
    async with System.running() as system, served(system) as page:
        for path in (
            "session",
            "overview",
            "people",
            "agrs/x",
            "implications",
            "documents",
            "assets",
            "points",
            "live",
        ):
            async with page.session.get(f"/api/{path}") as answer:
                assert (path, answer.status) == (path, 401)
        assert (await page.post("/api/what-if", {"dso": "x"}))[0] == 401


async def test_a_wrong_password_opens_nothing_and_many_close_the_door_for_a_minute() -> None:
    async with System.running() as system, served(system) as page:
        answers = [(await page.post("/api/login", {"password": f"guess {number}"}))[0] for number in range(11)]
        assert answers == [401] * 10 + [429]
        assert (await page.post("/api/login", {"password": PASSWORD}))[0] == 429

        await system.clock.advance(61)

        assert (await page.post("/api/login", {"password": PASSWORD}))[0] == 204


async def test_the_cookie_is_out_of_reach_of_scripts_and_other_pages() -> None:
    async with System.running() as system, served(system) as page:
        body = json.dumps({"password": PASSWORD})
        async with page.session.post("/api/login", data=body, headers=HERE) as answer:
            (cookie,) = answer.headers.getall("Set-Cookie")

    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie


async def test_a_session_outlives_a_restart_but_not_another_password() -> None:
    async with System.running() as system:
        async with logged_in(system) as page:
            (cookie,) = page.session.cookie_jar

        async def knocks(password: str = PASSWORD) -> int:
            cookies = {cookie.key: cookie.value}
            async with served(system, password) as again, again.session.get("/api/people", cookies=cookies) as answer:
                return answer.status

        assert await knocks() == 200
        assert await knocks("another password") == 401


@pytest.mark.parametrize(
    "query",
    [
        "overview?at=0001-01-01T00:00:00Z",
        "overview?at=0001-01-01T00:00:00%2B14:00",
        "overview?at=9999-12-31T23:59:59Z",
        "implications?from=9999-12-31T00:00:00Z&to=9999-12-31T23:00:00Z",
        f"assets?limit={'9' * 5000}",
    ],
)
async def test_what_no_clock_and_no_table_holds_is_refused_in_words(query: str) -> None:
    async with System.running() as system, logged_in(system) as page:
        answer = await page.session.get(URL(f"{page.url}/api/{query}", encoded=True))

        assert (answer.status, "Give a" in (await answer.json())["detail"]) == (400, True)


def test_a_session_ends_after_its_hours() -> None:
    sessions = Sessions(PASSWORD, secret="of the hub", lasting=timedelta(hours=12))
    cookie = sessions.begin(PASSWORD, ORIGIN, HOME)

    assert cookie is not None
    assert sessions.is_valid(cookie, ORIGIN + timedelta(hours=11))
    assert not sessions.is_valid(cookie, ORIGIN + timedelta(hours=12))


def test_wrong_passwords_of_one_address_close_the_door_to_it_alone() -> None:
    sessions = Sessions(PASSWORD, secret="of the hub", lasting=timedelta(hours=12))
    for number in range(10):
        assert sessions.begin(f"guess {number}", ORIGIN, "192.0.2.1") is None

    assert sessions.is_besieged(ORIGIN, "192.0.2.1")
    assert not sessions.is_besieged(ORIGIN, HOME)


def test_wrong_passwords_of_many_addresses_close_the_door_to_all() -> None:
    sessions = Sessions(PASSWORD, secret="of the hub", lasting=timedelta(hours=12))
    for number in range(100):
        sessions.begin("a guess", ORIGIN, f"192.0.2.{number}")

    assert sessions.is_besieged(ORIGIN, HOME)
    assert not sessions.is_besieged(ORIGIN + timedelta(seconds=61), HOME)


async def test_guesses_that_come_at_once_are_counted_like_those_that_come_in_turn() -> None:
    async with System.running() as system, served(system) as page:
        answers = await asyncio.gather(*(page.post("/api/login", {"password": f"guess {n}"}) for n in range(20)))

    assert sorted(status for status, _ in answers) == [401] * 10 + [429] * 10


async def test_a_password_that_no_text_holds_is_wrong_and_no_fault() -> None:
    async with System.running() as system, served(system) as page:
        assert (await page.post("/api/login", {"password": "\ud800"}))[0] in {400, 401}


async def test_a_login_longer_than_any_password_is_not_read() -> None:
    async with System.running() as system, served(system) as page:
        status, told = await page.post("/api/login", {"password": "x" * 5000})

    assert (status, told["status"]) == (413, 413)


async def test_who_has_logged_out_is_out_though_the_cookie_was_kept() -> None:
    async with System.running() as system, logged_in(system) as page:
        (cookie,) = page.session.cookie_jar
        kept = {"Cookie": f"{cookie.key}={cookie.value}"}
        await page.post("/api/logout", {})

        async with page.session.get("/api/people", headers=kept) as answer:
            assert answer.status == 401


async def test_one_logout_leaves_the_other_sessions() -> None:
    async with System.running() as system, logged_in(system) as page:
        (cookie,) = page.session.cookie_jar
        kept = {"Cookie": f"{cookie.key}={cookie.value}"}
        assert (await page.post("/api/login", {"password": PASSWORD}))[0] == 204
        await page.post("/api/logout", {})

        async with page.session.get("/api/people", headers=kept) as answer:
            assert answer.status == 200


async def test_the_stream_of_a_session_ends_with_a_logout() -> None:
    async with System.running() as system, logged_in(system) as page, page.session.get("/api/live") as stream:
        assert b"event: hello" in await stream.content.readuntil(b"\n\n")
        await page.post("/api/logout", {})

        async with asyncio.timeout(20):
            while await stream.content.read(1024):
                pass


async def test_the_stream_of_a_session_ends_with_its_hours() -> None:
    async with System.running() as system, logged_in(system, session_h=0.01) as page:
        north, *_ = await played(system)
        async with page.session.get("/api/live") as stream:
            assert b"event: hello" in await stream.content.readuntil(b"\n\n")
            await system.clock.advance(37)
            await north.ask(limit(north, 2000, "asset-a", "asset-b"))

            async with asyncio.timeout(20):
                told = await stream.content.read()

    assert b"limit_contents" not in told


async def test_only_so_many_streams_are_open_and_each_that_closes_makes_room() -> None:
    streams = Streams()
    with ExitStack() as stack:
        for _ in range(STREAMS_MOST):
            stack.enter_context(streams.opened("a session"))
        assert streams.is_full

    assert not streams.is_full


async def test_a_stream_that_nobody_reads_holds_the_name_of_each_view_once() -> None:
    streams = Streams()
    with streams.opened("a session") as stream:
        for _ in range(1000):
            streams.tell("alarms")
            streams.tell("operator_limits")
        parts = stream.parts()

        assert await anext(parts) == HELLO
        assert await anext(parts) == b'event: changed\ndata: ["alarms","operator_limits"]\n\n'


async def test_a_stream_on_which_nothing_happens_says_that_the_line_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams_module, "PING_S", 0.001)
    with Streams().opened("a session") as stream:
        parts = stream.parts()
        await anext(parts)

        assert await anext(parts) == b"event: ping\ndata: {}\n\n"


async def test_what_goes_wrong_is_told_without_what_went_wrong() -> None:
    async with System.running() as system:
        system.hub.brain = None  # type: ignore[assignment] # any bug would do
        async with logged_in(system) as page:
            said = {"dso": NORTH, "assets": [], "start": START.isoformat(), "end": END.isoformat(), "action": "STOP"}
            status, told = await page.post("/api/what-if", said)

    assert (status, told["detail"]) == (500, "The hub could not answer this. Its log says why.")


async def test_no_answer_says_what_serves_it() -> None:
    async with System.running() as system, served(system) as page, page.session.get("/") as answer:
        assert answer.headers.getall("Server") == ["tps"]


@pytest.mark.parametrize("path", ["documents", "assets", "points"])
async def test_a_search_for_more_than_a_few_words_is_refused(path: str) -> None:
    async with (
        System.running() as system,
        logged_in(system) as page,
        page.session.get(f"/api/{path}", params={"q": "a " * 101}) as answer,
    ):
        assert (answer.status, "at most" in (await answer.json(content_type=None))["detail"]) == (400, True)


@pytest.mark.parametrize(
    "cookie",
    ["", ".", "9999999999.x.", "9999999999.x.0", "9999999999.\udcff.0", "9999999999.x.\udcff", "9999999999.x.é"],
)
def test_a_cookie_that_is_not_ours_is_none(cookie: str) -> None:
    assert not Sessions(PASSWORD, secret="of the hub", lasting=timedelta(hours=12)).is_valid(cookie, ORIGIN)


@pytest.mark.parametrize(
    "foreign",
    [{"Sec-Fetch-Site": "cross-site"}, {"Origin": "http://evil.example"}, {"Content-Type": "text/plain"}],
)
async def test_another_page_cannot_write(foreign: dict[str, str]) -> None:
    async with System.running() as system, logged_in(system) as page:
        assert (await page.post("/api/what-if", {"dso": NORTH}, **foreign))[0] == 403
        assert (await page.post("/api/login", {"password": PASSWORD}, **foreign))[0] == 403


async def test_every_answer_carries_a_policy_that_allows_no_inline_script_or_style() -> None:
    async with System.running() as system, served(system) as page:
        for path in ("/", "/app.js", "/api/session", "/no/such/file"):
            async with page.session.get(path) as answer:
                policy = answer.headers["Content-Security-Policy"]
                assert "script-src 'self'" in policy
                assert "style-src 'self'" in policy
                assert "unsafe" not in policy


async def test_files_outside_the_pages_are_not_served() -> None:
    outside = Path(__file__)
    paths = [
        "/%2e%2e/pages.py",
        "/..%2fpages.py",
        "/vendor",
        "/views/%2e%2e/%2e%2e/pages.py",
        f"/{outside}",
        f"/%2f{str(outside)[1:]}",
        f"/views/{outside}",
        f"/views%2f%2f{str(outside)[1:]}",
    ]
    async with System.running() as system, served(system) as page:
        for path in paths:
            async with page.session.get(URL(f"{page.url}{path}", encoded=True)) as answer:
                assert (path, answer.status) == (path, 404)
                assert __name__ not in await answer.text()


def static(root: Path) -> list[Path]:
    return [path for path in (root / "hub/web/static").rglob("*") if path.is_file() and path.name != "LICENSES"]


def test_no_file_of_the_pages_names_another_origin_or_needs_inline_code(root: Path) -> None:
    for path in static(root):
        text = path.read_text("utf-8")
        named = set(re.findall(r"https?://[\w./-]+", text))
        assert (path.name, named - {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}) == (path.name, set())
        assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\son\w+=\"|\beval\(", text), path.name


def test_what_is_not_ours_is_as_its_registry_has_it(root: Path) -> None:
    vendor = root / "hub/web/static/vendor"
    versions = json.loads((vendor / "versions.json").read_text())

    assert {path.name for path in vendor.iterdir()} == {*versions, "versions.json", "LICENSES"}
    for name, told in versions.items():
        assert hashlib.sha256((vendor / name).read_bytes()).hexdigest() == told["sha256"]


# What is answered.


async def test_the_overview_counts_what_is_there_and_lists_conflicts_first() -> None:
    async with System.running() as system, logged_in(system) as page:
        await with_a_conflict(system)

        found = await page.until("/api/overview", lambda seen: seen["findings"])

        assert found["assets"] == {"all": 2, "onGrid": 2, "planned": 0, "limited": 0, "colliding": 1}
        (conflict,) = found["findings"]
        assert (conflict["excessW"], conflict["excessWh"], conflict["side"]) == (200, 800.0, "production")
        assert [(one["state"], one["peakW"], one["copies"]) for one in found["limits"]] == [("coming", 2000, 2)]
        assert found["documents"][0]["mrid"] == "limit"


async def test_an_agrs_page_shows_its_plans_against_its_own_part_of_each_limit() -> None:
    async with System.running() as system, logged_in(system) as page:
        await with_a_conflict(system)
        await page.until("/api/overview", lambda seen: seen["findings"])

        found = await page.get(f"/api/agrs/{identifiers.party(ALPHA)}")

        begin, end = int(START.timestamp()), int(END.timestamp())
        assert found["layers"] == [{"asset": "NDK:asset-a", "curve": [[begin, end, 700]]}]
        (share,) = found["shares"]
        assert (share["allowed"], share["scheduled"]) == ([[begin, end, 500]], [[begin, end, 700]])
        assert share["excess"] == [[begin, end, 200]]
        assert [(one["scheduledW"], one["allowedW"], one["marginW"]) for one in found["findings"]] == [(700, 500, 0)]


async def test_a_dsos_page_lists_its_limits_and_a_limits_page_whom_it_has_reached() -> None:
    async with System.running() as system, logged_in(system) as page:
        north, *_ = await with_a_conflict(system)
        await page.until("/api/overview", lambda seen: seen["findings"])

        found = await page.get(f"/api/dsos/{north.id}")
        assert [(one["mrid"], one["assets"]) for one in found["limits"]] == [("limit", 2)]

        await page.until(
            f"/api/limits/{north.id}/limit",
            lambda seen: all(one["messages"][-1]["state"] == "RECEIVED" for one in seen["copies"]),
        )
        one = await page.get(f"/api/limits/{north.id}/limit")
        assert [(part["asset"], part["excessW"], part["planned"]) for part in one["parts"]] == [
            ("NDK:asset-a", 200, True),
            ("NDK:asset-b", 0, False),
        ]
        assert [(copy["concerned"], copy["collected"]) for copy in one["copies"]] == [(True, False), (True, False)]
        (finding,) = one["findings"]
        assert (finding["unplanned"], finding["marginW"]) == (["NDK:asset-b"], 1500)


async def test_a_look_back_shows_what_was_known_then() -> None:
    async with System.running() as system, logged_in(system) as page:
        await with_a_conflict(system)
        await page.until("/api/overview", lambda seen: seen["findings"])
        before = (ORIGIN + timedelta(seconds=30)).isoformat()

        found = await page.get("/api/overview", at=before)

        assert (found["limits"], found["findings"]) == ([], [])
        assert found["assets"]["all"] == 2
        assert "limit" not in [one["mrid"] for one in found["documents"]]
        assert (await page.get("/api/assets", at=before))["found"] == 2


def test_what_ended_long_ago_is_forgotten_and_what_lasts_is_kept() -> None:
    snapshot = Snapshot()
    plan = OperatorSchedule(
        operator=Identifier(ALPHA), mrid="m", revision=1, resource=Identifier("NDK:a"), curve=NOTHING
    )
    for key, hours in (("old", 1), ("new", 3)):
        snapshot.take(
            Item(
                view=OPERATOR_SCHEDULES,
                audience=OPERATOR,
                key=key,
                sequence=1,
                payload=msgspec.msgpack.encode(plan),
                valid=Interval(ORIGIN, ORIGIN + timedelta(hours=hours)),
                issued=ORIGIN,
                position=1,
            )
        )

    snapshot.forget(ORIGIN + timedelta(hours=2))

    assert list(snapshot.held(OPERATOR_SCHEDULES)) == ["new"]


async def test_a_look_back_holds_nothing_that_had_ended_long_before() -> None:
    rows, years = MemoryRows(), timedelta(days=700)
    for number, at in enumerate((ORIGIN - years, ORIGIN), 1):
        plan = OperatorSchedule(
            operator=Identifier(ALPHA), mrid=f"m{number}", revision=1, resource=Identifier("NDK:a"), curve=NOTHING
        )
        row = Item(
            view=OPERATOR_SCHEDULES,
            audience=OPERATOR,
            key=plan.mrid,
            sequence=number,
            payload=msgspec.msgpack.encode(plan),
            valid=Interval(at, at + timedelta(hours=1)),
            issued=at,
            position=number,
        )
        rows.feeds.setdefault((OPERATOR_SCHEDULES, OPERATOR), []).append(row)

    assert list((await snapshot_at(rows, ORIGIN)).held(OPERATOR_SCHEDULES)) == ["m2"]
    assert list((await snapshot_at(rows, ORIGIN - years + KEPT)).held(OPERATOR_SCHEDULES)) == ["m1"]


async def test_a_document_is_shown_with_its_verdict_and_its_xml() -> None:
    async with System.running() as system, logged_in(system) as page:
        await with_a_conflict(system)
        (listed,) = (await page.get("/api/documents", q="foreseen limit"))["documents"]

        found = await page.get("/api/document", sequence=str(listed["sequence"]))

        assert found["document"]["verdict"] == "A01"
        assert "\n  <mRID>limit</mRID>\n" in found["xml"]


async def test_documents_and_assets_are_searched_and_come_in_pages() -> None:
    async with System.running() as system, logged_in(system) as page:
        await with_a_conflict(system)

        first = await page.get("/api/documents", limit="2")
        rest = await page.get("/api/documents", before=str(first["before"]))
        assert [one["businessType"] for one in first["documents"]] == ["TPS-FORESEEN", "TPS-SCHEDULES"]
        assert (len(rest["documents"]), rest["before"]) == (3, None)

        await page.until("/api/assets", lambda seen: seen["found"] == 2)
        only = await page.get("/api/assets", limit="1")
        assert [one["id"] for one in only["assets"]] == ["NDK:asset-a"]
        assert [one["id"] for one in (await page.get("/api/assets", after=only["after"]))["assets"]] == ["NDK:asset-b"]
        assert (await page.get("/api/assets", q=f"{ALPHA} asset"))["found"] == 1
        assert [one["assets"] for one in (await page.get("/api/points"))["points"]] == [2]


@pytest.mark.parametrize(
    "query",
    [{"at": "yesterday"}, {"at": "2026-01-01T00:00"}, {"from": "2026-01-02T00:00:00Z", "to": "2026-01-01T00:00:00Z"}],
)
async def test_a_question_that_makes_no_sense_is_answered_with_what_would(query: dict[str, str]) -> None:
    async with (
        System.running() as system,
        logged_in(system) as page,
        page.session.get("/api/implications", params=query) as answer,
    ):
        assert answer.status == 400
        assert "detail" in await answer.json(content_type=None)


async def test_the_stream_tells_what_has_changed_and_ends_with_the_pages() -> None:
    async with System.running() as system, logged_in(system) as page:
        north, *_ = await played(system)
        async with page.session.get("/api/live") as stream:
            assert b"event: hello" in await stream.content.readuntil(b"\n\n")
            await north.ask(limit(north, 2000, "asset-a", "asset-b"))

            told = b""
            async with asyncio.timeout(20):
                while b"limit_contents" not in told:
                    told += await stream.content.readuntil(b"\n\n")


class Away(MemoryRows):
    """Rows of a store that does not answer as long as it `is_away`."""

    def __init__(self, rows: MemoryRows) -> None:
        super().__init__()
        self.feeds, self.current, self.is_away = rows.feeds, rows.current, True

    async def head(self, scope: Scope, view: str) -> int:
        if self.is_away:
            raise Unavailable("The database does not answer.")
        return await super().head(scope, view)


async def test_the_pages_outlive_a_database_that_is_away_for_a_while() -> None:
    async with System.running() as system:
        await played(system)
        rows = system.hub_store.rows = Away(system.hub_store.rows)
        async with logged_in(system) as page:
            async with page.session.get("/api/assets") as answer:
                assert (answer.status, "reading its rows" in await answer.text()) == (503, True)

            rows.is_away = False
            await system.clock.advance(3)

            assert (await page.until("/api/assets", lambda seen: seen["found"]))["found"] == 2


# What if.


async def what_if(page: Page, north: Member, **said: Any) -> Any:  # JSON
    span = {"start": START.isoformat(), "end": END.isoformat()}
    status, found = await page.post("/api/what-if", {"dso": north.id, "direction": "production", **span, **said})
    assert status == 200, found
    return found


async def test_a_limit_that_is_only_thought_of_is_divided_judged_and_told_to_nobody() -> None:
    async with System.running() as system, logged_in(system) as page:
        north, alpha, _ = await played(system)
        await alpha.ask(schedule(alpha, 700, "asset-a"))
        await page.until("/api/agrs/" + alpha.id, lambda seen: seen["layers"])
        head, received = await system.hub_store.log.head(), len(alpha.raw)

        steps = [{"start": START.isoformat(), "watts": 2000}]
        found = await what_if(page, north, assets=["asset-a", "asset-b"], steps=steps)

        assert found["taken"]
        assert [(one["asset"], one["excessW"]) for one in found["parts"]] == [("NDK:asset-a", 200), ("NDK:asset-b", 0)]
        assert [(one["excessW"], one["marginW"]) for one in found["findings"]] == [(200, 1500)]
        assert (await system.hub_store.log.head(), len(alpha.raw)) == (head, received)


async def test_a_limit_over_time_may_have_several_powers_and_gaps() -> None:
    async with System.running() as system, logged_in(system) as page:
        north, alpha, _ = await played(system)
        await alpha.ask(schedule(alpha, 700, "asset-a"))
        await page.until("/api/agrs/" + alpha.id, lambda seen: seen["layers"])
        steps = [
            {"start": (START + timedelta(hours=hours)).isoformat(), "watts": watts}
            for hours, watts in ((0, 600), (1, None), (2, 300), (3, 500))
        ]

        found = await what_if(page, north, assets=["asset-a"], steps=steps)

        (side,) = found["sides"]
        at = [int(START.timestamp()) + 3600 * hours for hours in range(5)]
        assert side["allowed"] == [[at[0], at[1], 600], [at[2], at[3], 300], [at[3], at[4], 500]]
        assert side["excess"] == [[at[0], at[1], 100], [at[2], at[3], 400], [at[3], at[4], 200]]


async def test_an_order_that_is_only_thought_of_is_judged_alike() -> None:
    async with System.running() as system, logged_in(system) as page:
        north, alpha, _ = await played(system)
        await alpha.ask(schedule(alpha, 700, "asset-a"))
        await page.until("/api/agrs/" + alpha.id, lambda seen: seen["layers"])

        found = await what_if(page, north, assets=["asset-a"], action="STOP")

        assert [(one["kind"], one["excessW"], one["limit"]) for one in found["findings"]] == [
            ("above", 700, "unforeseen")
        ]


async def test_a_document_can_be_tried_and_stands_for_the_limit_it_would_replace() -> None:
    async with System.running() as system, logged_in(system) as page:
        north, *_ = await with_a_conflict(system)
        await page.until("/api/overview", lambda seen: seen["findings"])
        update = registry.render(limit(north, 4000, "asset-a", mrid="limit", revision=2)).decode()

        _, found = await page.post("/api/what-if", {"dso": north.id, "document": update})

        assert (found["taken"], found["limit"]["revision"], found["findings"]) == (True, 2, [])


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"assets": ["nobody's"], "steps": [{"start": START.isoformat(), "watts": 1}]}, "Not registered"),
        ({"assets": ["asset-a"], "steps": []}, "steps must begin"),
        ({"assets": ["asset-a"], "end": START.isoformat()}, "start and an end"),
        ({"assets": ["asset-a"], "steps": [{"start": START.isoformat(), "watts": -1}]}, "no sign"),
        ({"assets": ["asset-a"], "end": "9999-12-31T23:59:00Z", "action": "STOP"}, "two years"),
        ({"assets": ["asset-a"], "steps": [{"start": START.isoformat(), "watts": None}]}, "No step says a power"),
        ({"document": "<nothing/>"}, "cannot be read"),
    ],
)
async def test_what_the_hub_would_refuse_is_refused_with_its_reason(said: dict[str, Any], told: str) -> None:
    async with System.running() as system, logged_in(system) as page:
        north, *_ = await played(system)

        found = await what_if(page, north, **said)

        assert not found["taken"]
        assert told in " ".join(one["text"] for one in found["reasons"])


async def test_an_order_that_began_in_the_year_1_is_judged_about_the_present() -> None:
    async with System.running() as system, logged_in(system) as page:
        north, alpha, _ = await played(system)
        await alpha.ask(schedule(alpha, 700, "asset-a"))
        await page.until("/api/agrs/" + alpha.id, lambda seen: seen["layers"])
        begun = {"start": "0001-01-01T00:00:00Z"}

        order = await what_if(page, north, assets=["asset-a"], action="STOP", **begun)
        steps = [{"start": begun["start"], "watts": 100}]
        foreseen = await what_if(page, north, assets=["asset-a"], steps=steps, **begun)

        assert [one["excessW"] for one in order["findings"]] == [700]
        assert [one["excessW"] for one in foreseen["findings"] if one["excessW"]] == [600]


async def test_more_power_than_any_table_holds_is_no_number() -> None:
    async with System.running() as system, logged_in(system) as page:
        north, *_ = await played(system)
        steps = [{"start": START.isoformat(), "watts": 10**30}]
        said = {"dso": north.id, "assets": ["asset-a"], "start": START.isoformat(), "end": END.isoformat()}

        status, found = await page.post("/api/what-if", {**said, "steps": steps})

        assert (status, "watts" in found["detail"]) == (400, True)
