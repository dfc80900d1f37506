"""Serves an application that words every answer itself, also those to what is no HTTP (floor 7).

aiohttp answers such a request in plain text before any of the application's code has run.
"""

from collections.abc import Callable
from typing import Any

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

Wording = Callable[[web.BaseRequest, int], web.Response]
"""The answer to a request that could not be read (400), or whose handling broke (500)."""


class WordedRunner(web.AppRunner):
    """As its base; `wording` answers what the application is never asked."""

    def __init__(self, app: web.Application, *, wording: Wording, **options: Any) -> None:  # those of the base
        super().__init__(app, **options)
        self._wording = wording

    async def _make_server(self) -> web.Server:
        return _Server(await super()._make_server(), self._wording)


class _Server(web.Server):
    def __init__(self, made: web.Server, wording: Wording) -> None:
        super().__init__(
            made.request_handler,
            request_factory=made.request_factory,
            handler_cancellation=made.handler_cancellation,
            **made._kwargs,
        )
        self._wording = wording

    def __call__(self) -> RequestHandler:
        return _Connection(self, self._wording, loop=self._loop, **self._kwargs)


class _Connection(RequestHandler):
    __slots__ = ("_wording",)

    def __init__(self, server: web.Server, wording: Wording, **options: Any) -> None:  # those of the base
        super().__init__(server, **options)
        self._wording = wording

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Logged and closed as by the base, in the application's words."""
        super().handle_error(request, status, exc, message)
        answer = self._wording(request, status)
        answer.force_close()
        return answer
