"""The witness of live answers notices each way in which an answer can leave the contract."""

import json

import pytest

from raml.conformance import ContractBroken, check, operation_of
from raml.reader import read

API = read("agr.raml")
HEADERS = {"Retry-After": "1", "Location": "/messages/x", "WWW-Authenticate": "Bearer", "Allow": "GET"}
PROBLEM = "application/problem+json"
LIMIT = API.examples["Limit"]


def problem(status: int) -> bytes:
    return json.dumps({"title": "No", "status": status}).encode()


def told(method: str, path: str, status: int, kind: str, body: object, *, headers: dict[str, str] | None = None) -> str:
    """What the check says; empty when it is content."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    try:
        check(
            API,
            method,
            path,
            status=status,
            content_type=kind,
            body=content,
            headers=HEADERS if headers is None else headers,
        )
    except ContractBroken as broken:
        return str(broken)
    return ""


@pytest.mark.parametrize("body", [LIMIT, {**LIMIT, "issued": "2026-11-30T09:15:01.123456Z"}])
def test_an_answer_as_declared_passes(body: object) -> None:
    assert told("GET", "/limits/c4a8e2f6", 200, "application/json; charset=utf-8", body) == ""


@pytest.mark.parametrize(
    ("call", "status", "kind", "body", "complaint"),
    [
        ("GET /limits/x", 200, "application/json", {**LIMIT, "dso": "5790000000005"}, "'dso' was unexpected"),
        ("GET /limits/x", 200, "application/json", {**LIMIT, "revision": "1"}, "$.revision"),
        ("GET /limits/x", 200, "application/json", {**LIMIT, "start": "2026-11-30 09:15"}, "date-time"),
        ("GET /limits/x", 200, "application/json", {"mrid": "x"}, "required property"),
        ("GET /limits/x", 200, "application/json", b"{", "no JSON"),
        ("GET /limits/x", 200, "text/plain", b"hello", "not text/plain"),
        ("GET /limits/x", 201, "application/json", LIMIT, "not 201"),
        ("GET /limits/x", 500, PROBLEM, problem(500), "not 500"),
        ("GET /limits/x", 404, PROBLEM, problem(400), "the problem says status 400"),
        ("GET /limits/x", 404, "application/json", problem(404), f"declares {PROBLEM}"),
        ("GET /nowhere", 200, "application/json", {}, "does not have this"),
        ("POST /limits/x", 404, "text/html", b"<p>", f"expected {PROBLEM}"),
    ],
)
def test_an_answer_that_is_not_as_declared_is_told(
    call: str, status: int, kind: str, body: object, complaint: str
) -> None:
    method, path = call.split()
    assert complaint in told(method, path, status, kind, body)


def test_a_promised_header_must_be_there() -> None:
    assert "Retry-After is missing" in told("GET", "/limits", 429, PROBLEM, problem(429), headers={"Allow": "GET"})


@pytest.mark.parametrize(("path", "status"), [("/nowhere", 404), ("/nowhere", 401), ("/ping", 405)])
def test_what_the_contract_does_not_have_is_refused_with_a_problem(path: str, status: int) -> None:
    assert told("POST", path, status, PROBLEM, problem(status)) == ""


def test_a_path_of_its_own_goes_before_a_placeholder() -> None:
    active, one = operation_of(API, "GET", "/limits/active?limit=1"), operation_of(API, "GET", "/limits/c4a8e2f6")

    assert active is not None
    assert one is not None
    assert (active.name, one.name) == ("listActiveLimits", "getLimit")
