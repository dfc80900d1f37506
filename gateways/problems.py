"""Errors of the REST interfaces in one shape: problem details (RFC 9457).

They say what was found, what was expected, and what to do.
"""

import re
from collections.abc import Mapping
from http import HTTPStatus

import msgspec
from aiohttp import web
from msgspec import Struct

from gateways import expected
from gateways.bodies import FieldError, Problem

MEDIA_TYPE = "application/problem+json"
UNKNOWN = "Nothing of yours has this id. Check it, or list what you have."
"""The one answer about what is unknown or another's (NF3)."""

_UNLISTED = ("Invalid enum value", "Object contains unknown field")
"""Findings of msgspec that do not say what would fit."""
_AT = re.compile(r"(?P<problem>.*?)(?: - at `(?P<at>[^`]*)`)?", re.DOTALL)


class ProblemError(Exception):
    """A request that cannot be done, as the client is told."""

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        reason: str | None = None,
        document: str | None = None,
        errors: tuple[FieldError, ...] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status, self.detail, self.reason, self.document = status, detail, reason, document
        self.errors, self.headers = errors, dict(headers or {})


def unknown() -> ProblemError:
    """Not there, or not yours: nobody can tell which."""
    return ProblemError(HTTPStatus.NOT_FOUND, UNKNOWN)


def invalid(at: str, problem: str) -> ProblemError:
    """A value of the right type that cannot be used."""
    return ProblemError(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "The request holds a value that cannot be used. See errors.",
        errors=(FieldError(at=at, problem=problem),),
    )


def one_line(text: str, at: str) -> str:
    """Text that a document and a store can carry: printable, on one line. Raises ProblemError (422)."""
    if not text.isprintable():
        raise invalid(at, "It holds line breaks or control characters; expected one line of printable text.")
    return text


def undecodable(error: msgspec.DecodeError, what: str, kind: type[Struct]) -> ProblemError:
    """A body or query that is no JSON, or of other types than the contract says: `kind`."""
    found = _AT.fullmatch(str(error))
    problem, at = (found["problem"], found["at"]) if found else (str(error), None)
    problem, at = problem.rstrip("."), at or "$"
    if problem.startswith(_UNLISTED) and (choice := expected.at(kind, at)):
        problem = f"{problem}; expected {choice}"
    return unfit(what, at, f"{problem}.")


def unfit(what: str, at: str, problem: str) -> ProblemError:
    """A body or query that is not as the contract says."""
    return ProblemError(
        HTTPStatus.BAD_REQUEST,
        f"The {what} does not fit the contract. See errors.",
        errors=(FieldError(at=at, problem=problem),),
    )


def unreadable(request: web.BaseRequest, status: int) -> web.Response:
    """The answer to what is no HTTP, or (500) to what broke before anybody could say why."""
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        problem = ProblemError(status, "Something is wrong with this gateway; its operator finds it in the log.")
    else:
        detail = "It cannot be read as HTTP/1.1. Check its first line, its headers and how long they are."
        problem = ProblemError(status, detail)
    return response(problem, instance=request.rel_url.raw_path)


def response(problem: ProblemError, *, instance: str) -> web.Response:
    """The answer a client gets."""
    body = Problem(
        title=HTTPStatus(problem.status).phrase,
        status=int(problem.status),
        detail=problem.detail,
        instance=instance,
        reason=problem.reason,
        document=problem.document,
        errors=problem.errors,
    )
    return web.Response(
        status=int(problem.status),
        body=msgspec.json.encode(body),
        content_type=MEDIA_TYPE,
        headers=problem.headers,
    )
