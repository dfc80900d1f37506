"""The operator's pages: a door of their own, static files of this package, and JSON from rows (floor 7; F3).

Everything but the files and the login needs a session. Writing needs a request of our own pages: the cookie is
SameSite=Strict, the body JSON, and a browser that says where the request comes from must say that it is from here.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import Final

import structlog
from aiohttp import web
from msgspec import Struct

from hub.errors import Unavailable
from hub.settings import Web
from hub.web.api import Api, Sources, body
from hub.web.files import HEADERS, STREAM, file_of, is_ours
from hub.web.health import listening
from hub.web.session import COOKIE, Sessions
from hub.web.snapshot import Present
from hub.web.streams import Streams

OPEN: Final = frozenset({"/api/login", "/api/logout"})
LOGIN_BYTES: Final = 4096
BODY_BYTES: Final = 1024**2
WRITE_S: Final = 30.0
RETRY_S: Final = 2.0

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
log = structlog.get_logger("hub.web")


class Login(Struct, forbid_unknown_fields=True):
    """What the login sends."""

    password: str


class OperatorPages:
    """The pages as an application; `running` serves it."""

    def __init__(self, sources: Sources, settings: Web, *, secret: str) -> None:
        self._of, self._settings = sources, settings
        self._sessions = Sessions(
            settings.password.reveal(), secret=secret, lasting=timedelta(hours=settings.session_h)
        )
        self._present = Present(sources.rows, sources.feed, sources.clock.now)
        self._streams = Streams()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[int]:
        """Serve for as long as the block lasts; yields the port."""
        follow = asyncio.create_task(self._follow(), name="pages")
        try:
            async with listening(self.app(), self._settings.http) as port:
                log.info("pages.ready", port=port)
                yield port
        finally:
            follow.cancel()
            with suppress(asyncio.CancelledError):
                await follow

    def app(self) -> web.Application:
        """The application: files, login, answers, and the stream of changes."""
        app = web.Application(middlewares=[self._guard], client_max_size=BODY_BYTES)
        app.on_shutdown.append(self._end_streams)
        app.add_routes(
            [
                web.post("/api/login", self._login),
                web.post("/api/logout", self._logout),
                *Api(self._of, lambda: self._present).routes(),
                web.get("/api/live", self._live, allow_head=False),
                web.get("/{path:.*}", self._file),
            ]
        )
        return app

    async def _follow(self) -> None:
        while True:
            self._present = Present(self._of.rows, self._of.feed, self._of.clock.now)
            self._present.on_change(self._streams.tell)
            try:
                await self._present.run()
            except* Unavailable as error:
                log.warning("pages.blind", retry_s=RETRY_S, error=str(error.exceptions[0]))
            except* Exception as error:
                log.error("pages.broken", retry_s=RETRY_S, error=repr(error.exceptions[0]))
            await self._of.clock.sleep(RETRY_S)

    # Who may, and how answers look.

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            self._check(request)
            answer = await handler(request)
        except web.HTTPException as refused:
            answer = _problem(refused.status, refused.text or refused.reason)
        except Unavailable as error:
            answer = _problem(503, str(error))
        except Exception:
            log.exception("pages.failed", path=request.path)
            answer = _problem(500, "The hub could not answer this. Its log says why.")
        if not answer.prepared:
            answer.headers.update(HEADERS)
            answer.headers.setdefault("Cache-Control", "no-store")
        return answer

    def _check(self, request: web.Request) -> None:
        """Raise unless the request may be answered."""
        if request.method == "POST" and not is_ours(request):
            raise web.HTTPForbidden(text="This request comes from another page. Use the operator's own.")
        is_api = request.path.startswith("/api/") and request.path not in OPEN
        if is_api and not self._sessions.is_valid(request.cookies.get(COOKIE, ""), self._of.clock.now()):
            raise web.HTTPUnauthorized(text="There is no session, or it has ended. Log in.")

    async def _login(self, request: web.Request) -> web.Response:
        said = await body(request, Login, most=LOGIN_BYTES)
        # Nothing waits between this look and the next line, or many guesses at once would slip through.
        now, remote = self._of.clock.now(), request.remote or ""
        if self._sessions.is_besieged(now, remote):
            raise web.HTTPTooManyRequests(text="Too many wrong passwords. Wait a minute, then try again.")
        cookie = self._sessions.begin(said.password, now, remote)
        if cookie is None:
            log.warning("pages.wrong_password", remote=remote)
            raise web.HTTPUnauthorized(text="The password is wrong.")
        answer = web.Response(status=204)
        answer.set_cookie(
            COOKIE, cookie, max_age=self._sessions.lasting_s, httponly=True, samesite="Strict", secure=request.secure
        )
        log.info("pages.login", remote=remote)
        return answer

    async def _logout(self, request: web.Request) -> web.Response:
        cookie = request.cookies.get(COOKIE, "")
        self._sessions.end(cookie, self._of.clock.now())
        self._streams.end(cookie)
        answer = web.Response(status=204)
        answer.del_cookie(COOKIE, httponly=True, samesite="Strict", secure=request.secure)
        return answer

    async def _file(self, request: web.Request) -> web.Response:
        return file_of(request.match_info["path"])

    async def _live(self, request: web.Request) -> web.StreamResponse:
        """The stream of changes, as long as its session lasts."""
        if self._streams.is_full:
            raise web.HTTPServiceUnavailable(text="Too many pages follow the hub already. Close one, then try again.")
        session, answer = request.cookies.get(COOKIE, ""), web.StreamResponse(headers={**HEADERS, **STREAM})
        await answer.prepare(request)
        with self._streams.opened(session) as stream, suppress(ConnectionError, TimeoutError):
            async for part in stream.parts():
                if not self._sessions.is_valid(session, self._of.clock.now()):
                    break
                async with asyncio.timeout(WRITE_S):
                    await answer.write(part)
        return answer

    async def _end_streams(self, _: web.Application) -> None:
        self._streams.end()


def _problem(status: int, detail: str) -> web.Response:
    return web.json_response(
        {"status": status, "detail": detail}, status=status, content_type="application/problem+json"
    )
