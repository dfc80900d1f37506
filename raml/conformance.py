"""Whether a live answer keeps the contract: status and media type are declared, the body is of its type.

Made for tests, which watch every answer with it; needs `jsonschema`, which the running platform does not.
"""

import json
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from http import HTTPStatus
from typing import Any

from raml.reader import Api, Media, Operation
from raml.schemas import Schema

PROBLEM = "application/problem+json"


class ContractBroken(AssertionError):
    """An answer that the contract does not allow. The message says each reason."""


def check(
    api: Api,
    method: str,
    path: str,
    *,
    status: int,
    content_type: str,
    body: bytes,
    headers: Mapping[str, str] | None = None,
) -> None:
    """Compare an answer with the contract; `path` is the path that was asked for. Raises ContractBroken."""
    found = list(violations(api, method, path, status=status, content_type=content_type, body=body))
    found += missing_headers(api, method, path, status=status, headers=headers) if headers is not None else ()
    if found:
        raise ContractBroken(f"{method} {path} -> {status} {content_type}: " + "; ".join(found))


def violations(api: Api, method: str, path: str, *, status: int, content_type: str, body: bytes) -> Iterator[str]:
    """What is wrong with an answer."""
    media_type = content_type.partition(";")[0].strip()
    operation = operation_of(api, method, path)
    if operation is None:
        yield from _undeclared(api, status, media_type, body)
        return
    response = operation.responses.get(status)
    if response is None:
        declared = ", ".join(map(str, operation.responses))
        yield f"the contract declares {declared}, not {status}: {body[:400]!r}"
        return
    media = response.bodies.get(media_type)
    if media is None:
        yield f"the contract declares {', '.join(response.bodies) or 'no body'}, not {media_type}"
        return
    yield from _body(api, media, media_type, body)
    if media_type == PROBLEM and json.loads(body).get("status") != status:
        yield f"the problem says status {json.loads(body).get('status')}"


def missing_headers(api: Api, method: str, path: str, *, status: int, headers: Mapping[str, str]) -> Iterator[str]:
    """Headers that the contract promises and an answer lacks."""
    operation = operation_of(api, method, path)
    response = operation.responses.get(status) if operation else None
    given = {name.lower() for name in headers}
    for header in response.headers if response else ():
        if header.required and header.name.lower() not in given:
            yield f"the header {header.name} is missing"


def operation_of(api: Api, method: str, path: str) -> Operation | None:
    """The operation that a request is answered by; a path without parameters goes before one with."""
    path = path.partition("?")[0]
    fits = [o for o in api.operations if o.method == method and _pattern(o.path).fullmatch(path)]
    return min(fits, key=lambda operation: operation.path.count("{"), default=None)


def mismatches(api: Api, schema: Schema, value: Any) -> Iterator[str]:  # JSON
    """Where a value is not of its type."""
    from jsonschema import Draft202012Validator, FormatChecker  # type: ignore[import-untyped] # noqa: PLC0415 # for tests

    whole = schema | {"components": {"schemas": api.schemas}}
    for error in Draft202012Validator(whole, format_checker=FormatChecker()).iter_errors(value):
        yield f"{error.json_path}: {error.message[:300]}"


def example_problems(api: Api) -> Iterator[str]:
    """Examples that are not of their type, and types and bodies that have none."""
    for name, schema in api.schemas.items():
        if name not in api.examples:
            yield f"type {name}: has no example"
        else:
            yield from (f"type {name}: {found}" for found in mismatches(api, schema, api.examples[name]))
    for operation in api.operations:
        for place, media in bodies_of(operation):
            if media.example is None:
                yield f"{place}: has no example"
            else:
                yield from (f"{place}: {found}" for found in mismatches(api, media.schema, media.example))


def bodies_of(operation: Operation) -> Iterator[tuple[str, Media]]:
    """Every body of an operation with its place in words."""
    name = f"{operation.method} {operation.path}"
    yield from ((f"{name} {kind}", media) for kind, media in operation.bodies.items())
    for status, response in operation.responses.items():
        yield from ((f"{name} {status} {kind}", media) for kind, media in response.bodies.items())


def _body(api: Api, media: Media, media_type: str, body: bytes) -> Iterator[str]:
    if not media_type.endswith("json"):
        return
    try:
        value = json.loads(body)
    except ValueError as error:
        yield f"the body is no JSON: {error}"
        return
    yield from mismatches(api, media.schema, value)


def _undeclared(api: Api, status: int, media_type: str, body: bytes) -> Iterator[str]:
    """A path or method that the contract does not have is refused, with a problem."""
    if status not in (HTTPStatus.UNAUTHORIZED, HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED):
        yield "the contract does not have this; expected 401, 404 or 405"
    elif media_type != PROBLEM:
        yield f"expected {PROBLEM}"
    else:
        yield from mismatches(api, {"$ref": "#/components/schemas/Problem"}, json.loads(body))


@lru_cache
def _pattern(template: str) -> re.Pattern[str]:
    return re.compile(
        "".join("[^/]+" if part.startswith("{") else re.escape(part) for part in re.split(r"(\{\w+\})", template))
    )
