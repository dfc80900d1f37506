"""The doors of the directory: HTTPS for components, and a local one for its operator to look at (floor 7; MADES 4.4).

| call | opened by | does |
|---|---|---|
| POST /registration | a one-time token | takes a registration in |
| GET /registration/{id} | the token that registered | says how it stands; certificates once approved |
| PUT /components/{code}/configuration | that code's AUTHENTICATION certificate | makes the component known |
| POST /renewal | an AUTHENTICATION certificate | new certificates beside the present ones |
| POST /sync | an AUTHENTICATION certificate | the component's own copy of the directory, signed |

Errors are problem details (RFC 9457). Whatever is wrong with a token or a certificate, the answer is the same, and so
it is for what is unknown and what is another's (NF3).
"""

import time
from base64 import b64encode
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from ssl import SSLObject
from typing import Final, NoReturn, TypeVar

import msgspec
import structlog
from aiohttp import hdrs, web
from msgspec import Struct

from hub.directory import calls
from hub.directory.refusals import CLOSED, Refusal
from hub.directory.values import Configuration
from hub.directory_service.directory import Directory
from hub.directory_service.lists import Listed, Topology, shown, topology
from hub.errors import Rejected, Unavailable
from hub.web.health import Health

MAX_BODY_BYTES: Final = 256 * 1024
JSON: Final = "application/json"
XML: Final = "application/xml"
PROBLEM: Final = "application/problem+json"
CRL: Final = "application/pkix-crl"
STATUSES: Final = {
    Refusal.TOKEN: HTTPStatus.FORBIDDEN,
    Refusal.UNKNOWN: HTTPStatus.NOT_FOUND,
    Refusal.STATE: HTTPStatus.CONFLICT,
    Refusal.INVALID: HTTPStatus.UNPROCESSABLE_ENTITY,
}
STRANGER: Final = "This certificate opens nothing here. Show your valid AUTHENTICATION certificate, or register anew."
NOT_YOURS: Final = "Nothing of yours is here. Check the code: you may change your own component only."
S = TypeVar("S", bound=Struct)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

log = structlog.get_logger("hub.directory")
security = structlog.get_logger("tps.security")


class Problem(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An error as it is told (RFC 9457)."""

    title: str
    status: int
    detail: str
    reason: str = ""


class ProblemError(Exception):
    """A call that cannot be answered."""

    def __init__(self, status: HTTPStatus, detail: str, *, reason: str = "") -> None:
        super().__init__(detail)
        self.status, self.detail, self.reason = status, detail, reason


class Components:
    """The door for components."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    def application(self) -> web.Application:
        """The application to serve with `Authority.server_context`."""
        app = web.Application(middlewares=[_guard], client_max_size=MAX_BODY_BYTES)
        app.add_routes(
            [
                web.post("/registration", self.post_registration),
                web.get("/registration/{id}", self.get_registration, allow_head=False),
                web.put("/components/{code}/configuration", self.put_configuration),
                web.post("/renewal", self.post_renewal),
                web.post("/sync", self.post_sync),
            ]
        )
        return app

    async def post_registration(self, request: web.Request) -> web.Response:
        """Take a registration in; 202: it waits for the operator."""
        token = _token(request)
        asked = await _body(request, calls.RegistrationRequest)
        answer = await self._directory.register(asked, token=token)
        return _json(answer, status=HTTPStatus.ACCEPTED)

    async def get_registration(self, request: web.Request) -> web.Response:
        """How a registration stands."""
        return _json(await self._directory.registration(request.match_info["id"], token=_token(request)))

    async def put_configuration(self, request: web.Request) -> web.Response:
        """Take in what a component says of itself."""
        code = await self._owner(request)
        if request.match_info["code"] != code:
            raise ProblemError(HTTPStatus.NOT_FOUND, NOT_YOURS)
        await self._directory.configure(code, await _body(request, Configuration))
        return web.Response(status=HTTPStatus.NO_CONTENT)

    async def post_renewal(self, request: web.Request) -> web.Response:
        """Issue new certificates: the present one has opened the door."""
        code = await self._owner(request)
        asked = await _body(request, calls.RenewalRequest)
        return _json(calls.RenewalAnswer(certificates=await self._directory.renew(code, asked.requests)))

    async def post_sync(self, request: web.Request) -> web.Response:
        """The component's own copy of the directory, signed for it."""
        code = await self._owner(request)
        asked = await _body(request, calls.SyncRequest)
        copy = await self._directory.copy_for(code, asked.known)
        headers = {
            calls.SIGNATURE: b64encode(copy.signature).decode(),
            calls.SIGNED_BY: b64encode(copy.certificate).decode(),
            calls.HOME: self._directory.code,
        }
        return web.Response(body=copy.body, content_type=XML, headers=headers)

    async def _owner(self, request: web.Request) -> str:
        """Who has shown a certificate. Raises ProblemError: the same for every certificate that opens nothing."""
        secured = request.transport.get_extra_info("ssl_object") if request.transport else None
        der = secured.getpeercert(binary_form=True) if isinstance(secured, SSLObject) else None
        code = await self._directory.owner_of(der) if der else None
        if code is None:
            if der:
                security.warning("certificate.refused", path=_pattern(request))
            raise ProblemError(HTTPStatus.FORBIDDEN, STRANGER)
        return code


class Operator:
    """The door for the directory's operator: it shows, and changes nothing."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    def application(self) -> web.Application:
        """The application, with health and measures."""
        app = web.Application(middlewares=[_guard])
        app.add_routes(
            [
                web.get("/components", self.get_components),
                web.get("/paths", self.get_paths),
                web.get("/crl", self.get_crl),
                *Health(trouble=self._directory.trouble, measures=self._directory.measures).routes(),
            ]
        )
        return app

    async def get_components(self, _: web.Request) -> web.Response:
        """Every component: status, contact, configuration, certificates with their ends."""
        return _json(Listed(items=tuple(shown(entry) for entry in await self._directory.board())))

    async def get_paths(self, _: web.Request) -> web.Response:
        """The topology: every path into every component, and whether it leads there now."""
        paths = topology(await self._directory.board(), self._directory.code, self._directory.clock.now())
        return _json(Topology(items=tuple(paths)))

    async def get_crl(self, _: web.Request) -> web.Response:
        """The revocation list (DER) of the issuing authority."""
        return web.Response(body=await self._directory.revocation_list(), content_type=CRL)


@web.middleware
async def _guard(request: web.Request, handler: Handler) -> web.StreamResponse:
    """What goes wrong leaves as a problem; each call is one line of the log, without anybody's data."""
    started = time.perf_counter()
    answer: web.StreamResponse
    try:
        answer = await handler(request)
    except ProblemError as problem:
        answer = _told(problem)
    except Rejected as refusal:
        answer = _told(_of_refusal(refusal, request))
    except web.HTTPException as error:
        answer = _told(ProblemError(HTTPStatus(error.status), error.reason))
    except Unavailable:
        answer = _told(
            ProblemError(HTTPStatus.SERVICE_UNAVAILABLE, "The directory's store does not answer. Try again.")
        )
        answer.headers[hdrs.RETRY_AFTER] = "2"
    except Exception:
        log.exception("call.failed", method=request.method, path=_pattern(request))
        detail = "Something is wrong with the directory; its operator finds it in the log."
        answer = _told(ProblemError(HTTPStatus.INTERNAL_SERVER_ERROR, detail))
    took_ms = round((time.perf_counter() - started) * 1000, 1)
    log.info("call.answered", method=request.method, path=_pattern(request), status=answer.status, duration_ms=took_ms)
    answer.headers.update({"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"})
    return answer


def _of_refusal(refusal: Rejected, request: web.Request) -> ProblemError:
    reason = Refusal(refusal.code)
    if reason is Refusal.TOKEN:
        security.warning("token.refused", path=_pattern(request))
    return ProblemError(STATUSES[reason], refusal.text, reason=reason)


def _told(problem: ProblemError) -> web.Response:
    body = Problem(
        title=problem.status.phrase, status=int(problem.status), detail=problem.detail, reason=problem.reason
    )
    return web.Response(status=int(problem.status), body=msgspec.json.encode(body), content_type=PROBLEM)


def _json(body: Struct, *, status: HTTPStatus = HTTPStatus.OK) -> web.Response:
    return web.Response(status=int(status), body=msgspec.json.encode(body), content_type=JSON)


def _token(request: web.Request) -> str:
    scheme, _, secret = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
    if scheme.lower() != "bearer" or not secret.strip():
        raise ProblemError(HTTPStatus.FORBIDDEN, CLOSED, reason=Refusal.TOKEN)
    return secret.strip()


async def _body(request: web.Request, kind: type[S]) -> S:
    if request.content_type != JSON:
        _refuse(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"The body is {request.content_type[:80]}; expected {JSON}.")
    try:
        return msgspec.json.decode(await request.read(), type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        _refuse(HTTPStatus.BAD_REQUEST, f"The body cannot be read: {error}.")


def _refuse(status: HTTPStatus, detail: str) -> NoReturn:
    raise ProblemError(status, detail)


def _pattern(request: web.Request) -> str:
    """The path without what stands in it, so that no id gets into the log."""
    resource = request.match_info.route.resource
    return resource.canonical if resource else "(unknown)"
