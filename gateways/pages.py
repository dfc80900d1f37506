"""Charts of a participant's own rows at `/ui`, for its people (floor 7; F3). Off unless `gateway.ui` is set.

The same files as the operator's pages, and nothing but this gateway's rows: there is nobody else's to show. A token of
the gateway logs in; each question looks it up again, so that a revoked one is out at once. What a page shows counts as
collected by nobody (R29): that is for the participant's own systems.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec
import structlog
from aiohttp import web
from msgspec import Struct

from documents.values import Identifier, Instant, Interval
from gateways.problems import ProblemError
from gateways.reading import FOREVER
from gateways.rest import Tokens
from hub.feed import Feed
from hub.ports import Clock, RowReader, Scope
from hub.store.tokens import Token
from hub.web import own
from hub.web.files import HEADERS, STREAM, file_of, is_ours
from hub.web.streams import Streams

PATH: Final = "/ui/"
COOKIE: Final = "tps-ui"
LASTING: Final = timedelta(hours=12)
SESSIONS_MOST: Final = 1000
LOGIN_BYTES: Final = 4096
BODY_S: Final = 20.0
WRITE_S: Final = 30.0
LONGEST: Final = timedelta(days=8)
LOOK_AHEAD: Final = timedelta(hours=48)

log = structlog.get_logger("gateways.pages")

Admit = Callable[[Token], None]
"""Raises ProblemError when a token asks too often."""


class Login(Struct, forbid_unknown_fields=True):
    """What the login sends: a token of this gateway."""

    password: str


class Session(Struct, frozen=True):
    """Who is logged in, and until when."""

    token: str
    ends: Instant


class Sources(Struct, frozen=True, kw_only=True):
    """What the pages of a gateway are made from."""

    participant: Identifier
    role: str
    name: str
    zone: str
    tokens: Tokens
    rows: RowReader
    feed: Feed
    views: tuple[str, ...]
    read: Callable[[Interval], Awaitable[own.Own]]
    admit: Admit
    clock: Clock


class Pages:
    """The pages of one gateway; `routes` are for its door, which lets them in without a token of their own."""

    def __init__(self, sources: Sources) -> None:
        self._of, self._streams = sources, Streams()
        self._sessions: dict[str, Session] = {}
        self._turn = asyncio.Lock()
        self._made: tuple[tuple[object, ...], bytes] | None = None

    def routes(self) -> Sequence[web.RouteDef]:
        """Routes for an application."""
        return [
            web.get("/ui", self._home, allow_head=False),
            web.post("/ui/api/login", self._login),
            web.post("/ui/api/logout", self._logout),
            web.get("/ui/api/session", self._session, allow_head=False),
            web.get("/ui/api/own", self._own, allow_head=False),
            web.get("/ui/api/live", self._live, allow_head=False),
            web.get("/ui/{path:.*}", self._file, allow_head=False),
        ]

    def close(self) -> None:
        """End what is open, so that the gateway can stop."""
        self._streams.end()

    async def _home(self, _: web.Request) -> web.Response:
        return web.Response(status=308, headers={**HEADERS, "Location": PATH})

    async def _file(self, request: web.Request) -> web.Response:
        return file_of(request.match_info["path"])

    async def _login(self, request: web.Request) -> web.Response:
        _must_be_ours(request)
        secret = (await _body(request)).password.strip()
        token = await self._of.tokens.lookup(secret, now=self._of.clock.now()) if secret else None
        if token is None or token.participant != self._of.participant:
            log.warning("ui.wrong_token", remote=request.remote)
            raise ProblemError(401, "This is no valid token of this gateway.")
        self._of.admit(token)
        cookie = self._begin(secret)
        answer = web.Response(status=204, headers=HEADERS)
        answer.set_cookie(
            COOKIE,
            cookie,
            path=PATH,
            max_age=int(LASTING.total_seconds()),
            httponly=True,
            samesite="Strict",
            secure=request.secure,
        )
        log.info("ui.login", remote=request.remote)
        return answer

    async def _logout(self, request: web.Request) -> web.Response:
        _must_be_ours(request)
        cookie = request.cookies.get(COOKIE, "")
        self._sessions.pop(cookie, None)
        self._streams.end(cookie)
        answer = web.Response(status=204, headers=HEADERS)
        answer.del_cookie(COOKIE, path=PATH)
        return answer

    async def _session(self, request: web.Request) -> web.Response:
        self._of.admit(await self._known(request))
        of = self._of
        return _json(own.OwnSession(hub=of.participant, role=of.role, name=of.name, zone=of.zone, now=of.clock.now()))

    async def _own(self, request: web.Request) -> web.Response:
        self._of.admit(await self._known(request))
        now = self._of.clock.now()
        window = _window(request, now)
        # One at a time, and none again while nothing has changed: a large grid has many rows, and many may look at it.
        async with self._turn:
            heads = [await self._of.rows.head(Scope(self._of.participant), view) for view in self._of.views]
            made = (window, now.replace(second=0, microsecond=0), *heads)
            if self._made is None or self._made[0] != made:
                rows = await self._of.read(Interval(window.start - LONGEST, window.end))
                page = await asyncio.to_thread(own.page, rows, window, now)
                self._made = made, msgspec.json.encode(page)
            return web.Response(body=self._made[1], content_type="application/json", headers=HEADERS)

    async def _live(self, request: web.Request) -> web.StreamResponse:
        """Which view has changed, as long as the session lasts."""
        self._of.admit(await self._known(request))
        if self._streams.is_full:
            raise ProblemError(503, "Too many pages follow this gateway already. Close one, then try again.")
        answer = web.StreamResponse(headers={**HEADERS, **STREAM})
        await answer.prepare(request)
        async with self._followed(request.cookies.get(COOKIE, "")) as parts:
            with suppress(ConnectionError, TimeoutError, ProblemError):
                async for part in parts:
                    await self._known(request)
                    async with asyncio.timeout(WRITE_S):
                        await answer.write(part)
        return answer

    @asynccontextmanager
    async def _followed(self, session: str) -> AsyncIterator[AsyncIterator[bytes]]:
        """The parts of a stream that every view of ours feeds."""
        scope = Scope(self._of.participant)

        async def follow(view: str, after: int) -> None:
            while items := await self._of.feed.wait(scope, view, after=after, timeout_s=3600.0):
                after = items[-1].sequence
                stream.tell(view)
            if self._of.feed.is_closed:
                stream.end()

        with self._streams.opened(session) as stream:
            heads = {view: await self._of.rows.head(scope, view) for view in self._of.views}
            tasks = [asyncio.create_task(follow(view, head), name=f"ui-{view}") for view, head in heads.items()]
            try:
                yield stream.parts()
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    def _begin(self, secret: str) -> str:
        """A new session; of too many the oldest ends."""
        cookie, now = secrets.token_urlsafe(32), self._of.clock.now()
        self._sessions = {key: one for key, one in self._sessions.items() if one.ends > now}
        while len(self._sessions) >= SESSIONS_MOST:
            del self._sessions[next(iter(self._sessions))]
        self._sessions[cookie] = Session(secret, now + LASTING)
        return cookie

    async def _known(self, request: web.Request) -> Token:
        """The token behind a session. Raises ProblemError."""
        now, session = self._of.clock.now(), self._sessions.get(request.cookies.get(COOKIE, ""))
        token = await self._of.tokens.lookup(session.token, now=now) if session and session.ends > now else None
        if token is None or token.participant != self._of.participant:
            raise ProblemError(401, "There is no session, or it has ended. Log in.")
        return token


def _must_be_ours(request: web.Request) -> None:
    if not is_ours(request):
        raise ProblemError(403, "This request comes from another page. Use the gateway's own.")


async def _body(request: web.Request) -> Login:
    try:
        async with asyncio.timeout(BODY_S):
            return msgspec.json.decode(await request.clone(client_max_size=LOGIN_BYTES).read(), type=Login)
    except TimeoutError as error:
        raise ProblemError(408, f"The request did not come within {BODY_S:.0f} s. Send it again.") from error
    except msgspec.DecodeError as error:
        raise ProblemError(400, f"The request cannot be read: {error}.") from error


def _window(request: web.Request, now: datetime) -> Interval:
    """What is looked at: two days from now, unless the request says `from` and `to`. Raises ProblemError."""
    start, end = _instant(request, "from"), _instant(request, "to")
    if start is None or end is None:
        return Interval(now, now + LOOK_AHEAD)
    if not start < end <= start + LONGEST:
        raise ProblemError(400, f"The window must end after it begins, and last {LONGEST.days} days at most.")
    return Interval(start, end)


def _instant(request: web.Request, name: str) -> datetime | None:
    text = request.query.get(name)
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
        instant = found.astimezone(UTC) if found.tzinfo else None
    except (ValueError, OverflowError):
        instant = None
    if instant is None or not datetime(2000, 1, 1, tzinfo=UTC) <= instant < FOREVER - LONGEST:
        raise ProblemError(400, f"{name} is {text[:40]!r}. Give an instant such as 2026-11-24T12:00:00Z.")
    return instant


def _json(answer: Struct) -> web.Response:
    return web.Response(body=msgspec.json.encode(answer), content_type="application/json", headers=HEADERS)
