"""The door both gateways share: tokens, limits, one shape of errors (floor 7).

A gateway's routes are a table of `Route`; the query and body of each are msgspec types, so that what the contract
says is what is checked. Every refusal is a problem (RFC 9457). A request is logged without its payload; nothing here
knows assets or limits.
"""

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import cache
from http import HTTPStatus
from typing import Any, Final, Protocol, TypeVar

import msgspec
import structlog
from aiohttp import hdrs, web
from msgspec import Struct, inspect

from documents.values import Identifier, Instant
from gateways import expected, problems
from gateways.problems import ProblemError
from gateways.rates import REMEMBERED, Rates
from hub.errors import Unavailable
from hub.ports import Clock
from hub.settings import Http
from hub.store.tokens import Token, fingerprint_of

S = TypeVar("S", bound=Struct)
JSON: Final = "application/json"
XML: Final = "application/xml"
MAX_WAIT_S: Final = 300
OPEN_PATHS: Final = frozenset(
    {"/ping", "/openapi.json", "/api.raml", "/docs", "/health/live", "/health/ready", "/metrics"}
)
"""Answered without a token: they hold nothing of anybody's."""
FAILURES_PER_S: Final = 1.0
FAILURES_BURST: Final = 100
"""Wrong tokens that one address may try: so many at once, and so many a second after that."""
HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
TOKEN: Final = web.RequestKey("token", Token)
log = structlog.get_logger("gateways.rest")


class Query(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """Base of the query parameters of a route; a route without parameters takes this one."""


class Tokens(Protocol):
    """What the door needs of the token store."""

    async def lookup(self, secret: str, *, now: Any) -> Token | None:  # datetime
        """The token of this secret, None when it opens nothing."""


class Call(Struct, frozen=True, kw_only=True):
    """One request, read and checked. `query` and `body` are of the types its route declares."""

    request: web.Request
    token: Token
    begun: Instant
    query: Any  # the route's query type
    body: Any = None  # the route's body type
    raw: bytes = b""

    def path(self, name: str) -> str:
        """A parameter of the path. Raises ProblemError (404) for what nothing can be called."""
        value = self.request.match_info[name]
        if not value.isprintable():
            raise problems.unknown()
        return value

    @property
    def is_xml(self) -> bool:
        """Whether the body is a document of its own."""
        return self.request.content_type == XML

    @property
    def wants_xml(self) -> bool:
        """Whether the client prefers the document itself as the answer."""
        accepted = self.request.headers.get(hdrs.ACCEPT, "")
        return XML in accepted and JSON not in accepted

    @property
    def wait_s(self) -> float | None:
        """Seconds of `Prefer: wait=N`; None when not asked for. Raises ProblemError."""
        for part in self.request.headers.get("Prefer", "").split(","):
            name, _, value = part.strip().partition("=")
            if name.lower() == "wait":
                # A float takes any number of digits; int() refuses thousands of them.
                if not value.isascii() or not value.isdigit() or float(value) > MAX_WAIT_S:
                    raise ProblemError(400, f"Prefer: wait is {value[:32]!r}; expected 0 to {MAX_WAIT_S} seconds.")
                return float(value)
        return None


Handler = Callable[[Any, Call], Awaitable[web.Response]]


class Route(Struct, frozen=True, kw_only=True):
    """One method of one path; `xml` says that the body may also be an IEC 62325 document."""

    method: str
    path: str
    handler: Handler
    query: type[Query] = Query
    body: type[Struct] | None = None
    xml: bool = False
    poll: bool = False


class Door:
    """Turns routes into an aiohttp application for one participant."""

    def __init__(
        self, gateway: Any, *, participant: Identifier, tokens: Tokens, clock: Clock, http: Http
    ) -> None:  # gateway: what the handlers of the routes work with
        self._gateway, self._participant, self._tokens, self._clock, self._http = (
            gateway,
            participant,
            tokens,
            clock,
            http,
        )
        self._rates = Rates(per_s=http.rate_per_s, burst=http.burst, clock=clock)
        self._failures = Rates(per_s=FAILURES_PER_S, burst=FAILURES_BURST, clock=clock)
        self._admitted: dict[str, None] = {}
        """Fingerprints of tokens that have opened this door, the newest last: these are always looked up."""
        self.polling = 0
        self._has_pages = False

    def application(
        self,
        routes: Sequence[Route],
        extra: Sequence[web.AbstractRouteDef] = (),
        pages: Sequence[web.AbstractRouteDef] = (),
    ) -> web.Application:
        """The application; `extra` are routes that need no token (the contract and its documentation).

        `pages`, below /ui, have sessions of their own.
        """
        app = web.Application(middlewares=[self._guard], client_max_size=self._http.max_body_bytes)
        app.add_routes([_registered(route, self._runner(route)) for route in routes])
        app.add_routes([web.get("/ping", ping, allow_head=False), *extra, *pages])
        self._has_pages = bool(pages)
        app.on_response_prepare.append(_harden)
        return app

    @web.middleware
    async def _guard(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        """Whoever comes in has a token; what goes wrong leaves as a problem.

        Each request is one line of the log.
        """
        started = time.perf_counter()
        answer: web.StreamResponse
        try:
            if request.path not in OPEN_PATHS and not self._is_of_pages(request):
                request[TOKEN] = await self._admit(request)
            answer = await handler(request)
        except ProblemError as problem:
            answer = problems.response(problem, instance=_instance(request))
        except web.HTTPException as error:
            answer = problems.response(_of_http(error, self._http.max_body_bytes), instance=_instance(request))
        except Unavailable:
            busy = ProblemError(503, "The gateway's store does not answer. Try again.", headers={"Retry-After": "2"})
            answer = problems.response(busy, instance=_instance(request))
        except Exception:
            log.exception("request.failed", method=request.method, path=_pattern(request))
            broken = ProblemError(500, "Something is wrong with this gateway; its operator finds it in the log.")
            answer = problems.response(broken, instance=_instance(request))
        took_ms = round((time.perf_counter() - started) * 1000, 1)
        log.info(
            "request.answered", method=request.method, path=_pattern(request), status=answer.status, duration_ms=took_ms
        )
        return answer

    async def _admit(self, request: web.Request) -> Token:
        """The token of a request.

        Raises ProblemError: the same 401 whatever is wrong with it, 429 when it asks too often.
        """
        scheme, _, secret = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
        bearer = secret.strip() if scheme.lower() == "bearer" else ""
        token = await self._found(bearer, request.remote or "") if bearer else None
        if token is None:
            raise ProblemError(
                401,
                "No valid token. Send `Authorization: Bearer <token>`; the gateway's operator issues tokens.",
                headers={"WWW-Authenticate": 'Bearer realm="tps"'},
            )
        self.must_not_ask_too_often(token)
        return token

    def must_not_ask_too_often(self, token: Token) -> None:
        """Count a request of a token. Raises ProblemError (429)."""
        if (pause_s := self._rates.take(token.fingerprint)) > 0:
            raise ProblemError(
                429,
                f"More than {self._http.rate_per_s:g} requests per second. Send them more slowly.",
                headers={"Retry-After": str(max(1, round(pause_s)))},
            )

    def _is_of_pages(self, request: web.Request) -> bool:
        return self._has_pages and (request.path == "/ui" or request.path.startswith("/ui/"))

    async def _found(self, bearer: str, address: str) -> Token | None:
        """The token behind a secret. Who tries many wrong ones is refused without asking the store.

        Several clients may share an address (a proxy, say): a token that was good before is not kept out with the rest.
        Raises ProblemError (429).
        """
        is_known = fingerprint_of(bearer) in self._admitted
        if not is_known and (pause_s := self._failures.pause_s(address)) > 0:
            raise ProblemError(
                429,
                "Too many wrong tokens came from this address. Try again later, with the right one.",
                headers={"Retry-After": str(max(1, round(pause_s)))},
            )
        token = await self._tokens.lookup(bearer, now=self._clock.now())
        if token is None or token.participant != self._participant:
            self._failures.take(address)
            return None
        self._remember(token.fingerprint)
        return token

    def _remember(self, fingerprint: str) -> None:
        self._admitted.pop(fingerprint, None)
        self._admitted[fingerprint] = None
        if len(self._admitted) > REMEMBERED:
            del self._admitted[next(iter(self._admitted))]

    def _runner(self, route: Route) -> Callable[[web.Request], Awaitable[web.Response]]:
        """The aiohttp handler of a route: read and check, then run."""

        async def run(request: web.Request) -> web.Response:
            begun = self._clock.now()
            raw = await _read(request) if route.body else b""
            call = Call(
                request=request,
                token=request[TOKEN],
                begun=begun,
                query=_query(request, route.query),
                body=_body(request, route, raw),
                raw=raw,
            )
            return await (self._polled(route, call) if route.poll else self._once(route, call))

        return run

    async def _once(self, route: Route, call: Call) -> web.Response:
        """A write that is repeated is answered before anybody asks whether it is still possible."""
        if route.method != hdrs.METH_GET:
            again: web.Response | None = await self._gateway.outbound.repeated(call)
            if again is not None:
                return again
        return await route.handler(self._gateway, call)

    async def _polled(self, route: Route, call: Call) -> web.Response:
        """A long poll takes one of the places there are."""
        if self.polling >= self._http.polls_max:
            raise ProblemError(
                503, f"{self.polling} long polls wait already. Try again later.", headers={"Retry-After": "5"}
            )
        self.polling += 1
        try:
            return await route.handler(self._gateway, call)
        finally:
            self.polling -= 1


def _registered(route: Route, run: Callable[[web.Request], Awaitable[web.Response]]) -> web.RouteDef:
    """The route as aiohttp takes it. No HEAD: it would move on a long poll whose answer nobody gets."""
    options = {"allow_head": False} if route.method == hdrs.METH_GET else {}
    return web.route(route.method, route.path, run, expect_handler=_expect, **options)


async def _expect(request: web.Request) -> None:
    """Tell who asks before it sends a body to go on; any other expectation is passed over (RFC 9110, 10.1.1)."""
    if request.headers.get(hdrs.EXPECT, "").lower() == "100-continue":
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0  # as aiohttp itself does: the answer has not begun


async def ping(_: web.Request) -> web.Response:
    """That somebody is at home; needs no token (R34)."""
    return web.Response(text="pong")


def answer(body: Struct, *, status: int = HTTPStatus.OK, headers: Mapping[str, str] | None = None) -> web.Response:
    """A JSON answer."""
    return web.Response(
        status=int(status), body=msgspec.json.encode(body), content_type=JSON, headers=dict(headers or {})
    )


async def _read(request: web.Request) -> bytes:
    """The bytes of a body. Raises ProblemError for one that is packed otherwise than its header says."""
    try:
        return await request.read()
    except web.RequestPayloadError as error:
        encoding = request.headers.get(hdrs.CONTENT_ENCODING, "none")
        detail = f"The body cannot be unpacked; its Content-Encoding is {encoding[:32]!r}. Send it plain, or as gzip."
        raise ProblemError(400, detail) from error


def _query(request: web.Request, kind: type[S]) -> S:
    """The query parameters as their type; a repeated one is a list. Raises ProblemError."""
    found = {name: request.query.getall(name) for name in dict.fromkeys(request.query)}
    values = {name: given if name in _repeatable(kind) else given[0] for name, given in found.items()}
    for name, given in found.items():
        if len(given) > 1 and name not in _repeatable(kind):
            raise ProblemError(400, f"The parameter {name} is given {len(given)} times; expected once.")
    for name in _instants(kind) & values.keys():
        if ":" not in values[name]:
            # Not strict, msgspec would read a bare number as seconds since 1970.
            raise problems.unfit("query", f"$.{name}", "Expected an instant such as 2026-01-15T12:00:00Z.")
    try:
        return msgspec.convert(values, kind, strict=False)
    except msgspec.ValidationError as error:
        raise problems.undecodable(error, "query", kind) from error


@cache
def _repeatable(kind: type[Struct]) -> frozenset[str]:
    """The parameters that may stand several times."""
    return frozenset(name for name, type_ in expected.fields(kind).items() if isinstance(type_, inspect.VarTupleType))


@cache
def _instants(kind: type[Struct]) -> frozenset[str]:
    """The parameters that are instants."""
    return frozenset(name for name, type_ in expected.fields(kind).items() if isinstance(type_, inspect.DateTimeType))


def _body(request: web.Request, route: Route, raw: bytes) -> Any:  # of the route's body type
    """The body as its type; None for a route without one, and for XML. Raises ProblemError."""
    if route.body is None or (route.xml and request.content_type == XML):
        return None
    if request.content_type != JSON:
        expected = f"{JSON} or {XML}" if route.xml else JSON
        raise ProblemError(415, f"The body is {request.content_type}; expected {expected}. Set Content-Type.")
    try:
        return msgspec.json.decode(raw, type=route.body)
    except msgspec.DecodeError as error:
        raise problems.undecodable(error, "body", route.body) from error
    except UnicodeDecodeError as error:
        raise ProblemError(400, "The body is no UTF-8. Send JSON in UTF-8.") from error


def _of_http(error: web.HTTPException, most_bytes: int) -> ProblemError:
    """What aiohttp found wrong, in our words."""
    match error:
        case web.HTTPNotFound():
            return problems.unknown()
        case web.HTTPMethodNotAllowed():
            allowed = ", ".join(sorted(error.allowed_methods))
            detail = f"{error.method} is not possible here; expected {allowed}."
            return ProblemError(405, detail, headers={"Allow": allowed})
        case web.HTTPRequestEntityTooLarge():
            return ProblemError(413, f"The body has more than {most_bytes} bytes. Send fewer items at once.")
        case _:
            return ProblemError(error.status, error.reason)


async def _harden(request: web.Request, answer: web.StreamResponse) -> None:  # aiohttp's signature
    answer.headers.popall(hdrs.SERVER, None)
    for name, value in HEADERS.items():
        answer.headers.setdefault(name, value)


def _instance(request: web.Request) -> str:
    """The path as it was written: a URI reference (RFC 9457), so never decoded."""
    return request.rel_url.raw_path


def _pattern(request: web.Request) -> str:
    """The path without what stands in it, so that no id gets into the log."""
    resource = request.match_info.route.resource
    return resource.canonical if resource else "(unknown)"
