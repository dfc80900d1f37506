"""Errors of both REST interfaces have one shape on every route, and tell a client what to do (RFC 9457)."""

import asyncio
import json
from collections.abc import AsyncIterator

import aiohttp
import pytest
import pytest_asyncio

from gateways import rest
from gateways.agr import routes as agr
from gateways.dso import routes as dso
from tests.gateway_world import A1, ALPHA, NORTH, P1, Client, Reply, World, asset, period

METHODS = ("GET", "PUT", "PATCH", "POST", "DELETE")
PATHS = {"agr": sorted({r.path for r in agr.ROUTES}), "dso": sorted({r.path for r in dso.ROUTES})}
ROUTES = {"agr": agr.ROUTES, "dso": dso.ROUTES}
# `/limits/{mrid}` takes any word, also that of a path beside it that has another method only.
TAKEN = {("agr", "GET", "/limits/request")}
EVERY = [(api, method, path) for api, paths in PATHS.items() for path in paths for method in METHODS]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def clients() -> AsyncIterator[dict[str, Client]]:
    """One client of each kind, who has nothing yet."""
    async with World.running() as world:
        yield {"dso": await world.dso(NORTH), "agr": await world.agr(ALPHA, max_body_bytes=20_000)}


def problem(answer: Reply, status: int) -> None:
    assert answer.status == status, answer
    assert answer.headers["Content-Type"].startswith("application/problem+json")
    assert answer.body["status"] == status
    assert answer.body["title"]
    assert answer.body["detail"]


def filled(path: str) -> str:
    return path.replace("{id}", A1).replace("{mrid}", "unknown")


@pytest.mark.parametrize(("api", "method", "path"), EVERY)
async def test_every_method_of_every_path_answers_without_a_token_with_the_same_401(
    clients: dict[str, Client], api: str, method: str, path: str
) -> None:
    answer = await clients[api].call(method, filled(path), token="wrong")

    problem(answer, 401)
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert {k: v for k, v in answer.body.items() if k != "instance"} == {
        k: v
        for k, v in (await clients[api].call("GET", "/messages/x", headers={"Authorization": "Basic x"})).body.items()
        if k != "instance"
    }


def methods(api: str, path: str) -> set[str]:
    return {route.method for route in ROUTES[api] if route.path == path}


@pytest.mark.parametrize(
    ("api", "method", "path"),
    [each for each in EVERY if each[1] not in methods(each[0], each[2]) and each not in TAKEN],
)
async def test_a_method_that_is_not_there_is_405_and_says_which_are(
    clients: dict[str, Client], api: str, method: str, path: str
) -> None:
    there = methods(api, path)

    answer = await clients[api].call(method, filled(path), body={})

    problem(answer, 405)
    assert there <= set(answer.headers["Allow"].split(", "))


@pytest.mark.parametrize(
    ("api", "method", "path"),
    [(api, r.method, r.path) for api, routes in ROUTES.items() for r in routes if "{" in r.path and r.body is None],
)
async def test_what_is_unknown_is_404_in_the_same_words(
    clients: dict[str, Client], api: str, method: str, path: str
) -> None:
    answer = await clients[api].call(method, filled(path))

    problem(answer, 404)
    assert answer.body["detail"] == (await clients[api].call("GET", "/nothing/here")).body["detail"]


WRITES = [(api, r.method, r.path) for api, routes in ROUTES.items() for r in routes if r.body is not None]


@pytest.mark.parametrize(("api", "method", "path"), WRITES)
async def test_a_body_that_is_no_json_is_400_and_says_where(
    clients: dict[str, Client], api: str, method: str, path: str
) -> None:
    headers = {"Content-Type": "application/json"}

    for data in (b"{", b"\xff\xfe", b"[]", b'{"surprise": 1}', b""):
        answer = await clients[api].call(method, filled(path), data=data, headers=headers)
        problem(answer, 400)


@pytest.mark.parametrize(("api", "method", "path"), WRITES)
async def test_a_body_of_another_media_type_is_415(
    clients: dict[str, Client], api: str, method: str, path: str
) -> None:
    answer = await clients[api].call(method, filled(path), data=b"a: 1", headers={"Content-Type": "text/yaml"})

    problem(answer, 415)


READS = [(api, r.path) for api, routes in ROUTES.items() for r in routes if r.method == "GET"]


@pytest.mark.parametrize(("api", "path"), READS)
async def test_an_unknown_parameter_is_400_and_named(clients: dict[str, Client], api: str, path: str) -> None:
    answer = await clients[api].call("GET", filled(path) + "?surprise=1")

    problem(answer, 400)
    assert "surprise" in answer.body["errors"][0]["problem"]


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "limit=x", "after=zzz", "limit=1&limit=2"])
@pytest.mark.parametrize("path", ["/assets", "/schedules", "/limits", "/limits/active", "/limits/changes"])
async def test_a_page_that_cannot_be_is_400(clients: dict[str, Client], path: str, query: str) -> None:
    problem(await clients["agr"].call("GET", f"{path}?{query}"), 400)


@pytest.mark.parametrize("timeout", ["-1", "301", "soon"])
async def test_r33_a_timeout_out_of_range_is_400(clients: dict[str, Client], timeout: str) -> None:
    problem(await clients["agr"].call("GET", f"/limits/changes?timeout={timeout}"), 400)


async def test_spans_that_end_before_they_begin_are_400(clients: dict[str, Client]) -> None:
    span = "from=2026-02-01T00:00:00Z&to=2026-01-01T00:00:00Z"

    problem(await clients["agr"].call("GET", f"/limits?{span}"), 400)
    problem(await clients["dso"].call("POST", "/schedules/request?from=2026-02-01T00:00:00Z"), 400)


async def test_r34_delete_without_an_id_is_400_and_of_an_unknown_one_404(clients: dict[str, Client]) -> None:
    problem(await clients["agr"].call("DELETE", "/assets"), 400)
    problem(await clients["dso"].call("DELETE", "/connection-points"), 400)
    problem(await clients["dso"].call("DELETE", f"/connection-points?id={P1}"), 404)


async def test_a_wrong_value_says_where_it_stands_and_what_was_expected(clients: dict[str, Client]) -> None:
    wrong_type = await clients["agr"].call("PUT", "/assets", {"assets": [{**asset(A1, P1), "maxProduction": "much"}]})
    powerless = await clients["agr"].call("PUT", "/assets", {"assets": [asset(A1, P1)]})
    wrong_id = await clients["agr"].call("PUT", "/assets", {"assets": [asset("A10:1", P1, produces=1)]})

    problem(wrong_type, 400)
    assert wrong_type.body["errors"] == [
        {"at": "$.assets[0].maxProduction", "problem": "Expected `int`, got `str`."},
    ]
    problem(powerless, 422)
    problem(wrong_id, 422)
    assert wrong_id.body["errors"][0]["at"] == "$.assets[0].id"


async def test_a_value_or_field_that_is_not_listed_says_which_are(clients: dict[str, Client]) -> None:
    curve = period("2026-01-16T12:00:00Z", "2026-01-16T14:00:00Z", 1)
    dso = clients["dso"]

    answers = [
        await dso.call("POST", "/limits/foreseen", {"direction": "up", "series": []}),
        await dso.call(
            "POST", "/limits/foreseen", {"series": [{"assets": [A1], "curveType": "A02", "periods": [curve]}]}
        ),
        await dso.call("POST", "/limits/unforeseen", {"orders": [{"asset": A1, "action": "PAUSE"}]}),
        await dso.call("POST", "/limits/unforeseen", {"orders": [{"assets": [A1]}]}),
        await dso.call("GET", "/limits?form=2026-01-16T12:00:00Z"),
    ]

    assert [answer.body["errors"] for answer in answers] == [
        [{"at": "$.direction", "problem": "Invalid enum value 'up'; expected both or consumption or production."}],
        [{"at": "$.series[0].curveType", "problem": "Invalid enum value 'A02'; expected A01 or A03."}],
        [{"at": "$.orders[0].action", "problem": "Invalid enum value 'PAUSE'; expected HOLD or START or STOP."}],
        [{"at": "$.orders[0]", "problem": "Object contains unknown field `assets`; expected only asset, action."}],
        [
            {
                "at": "$",
                "problem": "Object contains unknown field `form`; "
                "expected only limit, after, from, to, validFrom, validTo.",
            }
        ],
    ]


async def test_a_reason_that_no_document_can_carry_is_refused_at_once(clients: dict[str, Client]) -> None:
    curve = period("2026-01-16T12:00:00Z", "2026-01-16T14:00:00Z", 1)
    limit = {"reason": "ZZZ", "series": [{"assets": [A1], "periods": [curve]}]}
    order = {"reason": "ZZZ", "expectedEnd": "2026-01-16T12:00:00Z", "orders": [{"asset": A1, "action": "STOP"}]}

    for path, body in (("/limits/foreseen", limit), ("/limits/unforeseen", order)):
        answer = await clients["dso"].call("POST", path, body)
        problem(answer, 422)
        assert answer.body["errors"] == [
            {"at": "$.reason", "problem": "ZZZ is not in the Reason code list; expected a code such as B19 or B18."}
        ]


@pytest.mark.parametrize("written", ["2026", "1767225600", "2026-01-01"])
async def test_an_instant_is_written_as_one_and_never_as_a_number(clients: dict[str, Client], written: str) -> None:
    answer = await clients["agr"].call("GET", f"/limits?from={written}")

    problem(answer, 400)
    assert answer.body["errors"] == [
        {"at": "$.from", "problem": "Expected an instant such as 2026-01-15T12:00:00Z."},
    ]


async def test_r33_head_moves_no_long_poll(clients: dict[str, Client]) -> None:
    alpha = clients["agr"]
    headers = {"Authorization": f"Bearer {alpha.token}"}

    async with (
        aiohttp.ClientSession() as session,
        session.head(alpha.gateway.url + "/limits/changes", headers=headers) as it,
    ):
        assert it.status == 405


async def test_the_instance_of_a_problem_is_a_uri_reference(clients: dict[str, Client]) -> None:
    answer = await clients["agr"].call("GET", "/assets/a%20%C3%A9")

    assert answer.body["instance"] == "/assets/a%20%C3%A9"


@pytest.mark.parametrize(
    "wrong",
    [
        period("2026-01-16T12:00:30Z", "2026-01-16T14:00:00Z", 1, 2),
        period("2026-01-16T14:00:00Z", "2026-01-16T12:00:00Z", 1, 2),
        period("2026-01-16T12:00:00Z", "2026-01-16T14:00:00Z", 1, 2, 3),
        period("2026-01-16T12:00:00Z", "2026-01-16T14:00:00Z", -1, 2),
        period("2026-01-16T12:00:00Z", "2026-01-16T14:00:00Z", 1, 2, resolution="P1D"),
        period("2026-01-16T12:00:00Z", "2026-01-16T14:00:00Z", 1, 2, resolution="PT0.5H"),
        {**period("2026-01-16T12:00:00Z", "2026-01-16T14:00:00Z", 1), "points": [{"position": 2, "quantity": 1}]},
    ],
)
async def test_a_curve_that_cannot_be_is_422_and_says_where(clients: dict[str, Client], wrong: object) -> None:
    answer = await clients["dso"].call("POST", "/limits/foreseen", {"series": [{"assets": [A1], "periods": [wrong]}]})

    problem(answer, 422)
    assert answer.body["errors"][0]["at"].startswith("$.series[0].periods")


async def test_control_characters_and_instants_beyond_the_calendar_are_never_a_500(clients: dict[str, Client]) -> None:
    agr, dso = clients["agr"], clients["dso"]
    early = "0001-01-01T00:00:00%2B14:00"
    curve = period("0001-01-01T00:00:00+14:00", "0001-01-01T02:00:00+14:00", 1, 2)
    cursor = "awA"  # "k" and a zero byte

    answers = [
        await agr.call("GET", "/messages/%00"),
        await agr.call("GET", "/assets/%00"),
        await agr.call("GET", f"/assets?after={cursor}"),
        await agr.call("GET", "/assets?connectionPoint=%00"),
        await agr.call("PUT", "/assets", {"assets": [{**asset(A1, P1, produces=1), "name": "a\x00b"}]}),
        await agr.call("PUT", "/assets", {"assets": [asset("\x01", P1, produces=1)]}),
        await agr.call("GET", f"/limits?from={early}"),
        await dso.call("POST", "/limits/foreseen", {"series": [{"assets": [A1], "periods": [curve]}]}),
        await dso.call("POST", "/limits/foreseen", headers={"Idempotency-Key": "é"}, body={"series": []}),
    ]

    assert {answer.status for answer in answers} <= {400, 404, 422}


async def test_a_query_may_name_a_thousand_ids(clients: dict[str, Client]) -> None:
    query = "&".join(f"connectionPoint={P1}" for _ in range(1000))

    assert (await clients["dso"].call("GET", f"/assets?{query}")).status == 200
    problem(await clients["dso"].call("GET", f"/assets?{query}&connectionPoint={P1}"), 400)


async def test_a_body_that_is_too_large_is_413(clients: dict[str, Client]) -> None:
    answer = await clients["agr"].call("PUT", "/assets", {"assets": [asset("x" * 30_000, P1)]})

    problem(answer, 413)
    assert answer.body["detail"].startswith("The body has more than 20000 bytes.")


async def test_a_body_that_is_not_packed_as_its_header_says_is_400(clients: dict[str, Client]) -> None:
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}

    answer = await clients["agr"].call("PUT", "/assets", data=b"no gzip", headers=headers)

    problem(answer, 400)
    assert "'gzip'" in answer.body["detail"]


@pytest.mark.parametrize("prefer", ["wait=-1", "wait=301", "wait=soon", "wait=", "wait=" + "9" * 5000])
async def test_r35_a_wait_that_cannot_be_is_400(clients: dict[str, Client], prefer: str) -> None:
    answer = await clients["agr"].call(
        "PUT", "/assets", {"assets": [asset(A1, P1, produces=1)]}, headers={"Prefer": prefer}
    )

    problem(answer, 400)


async def test_who_asks_too_often_is_429_and_told_when_to_come_back() -> None:
    async with World.running() as world:
        alpha = await world.agr(ALPHA, rate_per_s=1.0, burst=2)

        answers = [await alpha.call("GET", "/assets") for _ in range(3)]
        await world.system.clock.advance(1.0)
        later = await alpha.call("GET", "/assets")

        problem(answers[2], 429)
        assert answers[2].headers["Retry-After"] == "1"
        assert [answer.status for answer in (*answers[:2], later)] == [200, 200, 200]


async def test_an_address_that_tries_many_wrong_tokens_is_refused_without_asking_the_store(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A token that was good before still works from there: others may share the address."""
    monkeypatch.setattr(rest, "FAILURES_BURST", 3)
    async with World.running() as world:
        alpha = await world.agr(ALPHA)
        assert (await alpha.call("GET", "/assets")).status == 200

        answers = [await alpha.call("GET", "/assets", token=f"wrong {number}") for number in range(5)]
        good = await alpha.call("GET", "/assets")
        await world.system.clock.advance(1.0)
        later = [await alpha.call("GET", "/assets", token="wrong again") for _ in range(2)]

    assert [answer.status for answer in answers] == [401, 401, 401, 429, 429]
    problem(answers[-1], 429)
    assert answers[-1].headers["Retry-After"] == "1"
    assert good.status == 200
    assert [answer.status for answer in later] == [401, 429]


NO_HTTP = {
    "words": b"garbage\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01",
    "a version": b"GET /assets HTTP/9.9\r\nHost: x\r\n\r\n",
    "a long header": b"GET /assets HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 20_000 + b"\r\n\r\n",
    "a length": b"POST /schedules HTTP/1.1\r\nHost: x\r\nContent-Length: abc\r\n\r\n",
    "two lengths": b"POST /schedules HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nabc",
    "no host": b"GET /ping HTTP/1.1\r\n\r\n",
    "an address": b"GET http://[::1 HTTP/1.1\r\nHost: x\r\n\r\n",
}


async def raw(client: Client, request: bytes) -> tuple[bytes, bytes]:
    """Head and body of the answer to some bytes."""
    host, _, port = client.gateway.url.rpartition("/")[2].partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(request)
    async with asyncio.timeout(20):
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    return head, body


@pytest.mark.parametrize("request_", NO_HTTP)
async def test_what_is_no_http_is_answered_as_a_problem(clients: dict[str, Client], request_: str) -> None:
    head, body = await raw(clients["agr"], NO_HTTP[request_])

    told = json.loads(body)
    assert b" 400 " in head.splitlines()[0]
    assert b"Content-Type: application/problem+json" in head
    assert (told["status"], told["detail"][:24]) == (400, "It cannot be read as HTT")


async def test_an_expectation_that_is_not_known_is_passed_over(clients: dict[str, Client]) -> None:
    answer = await clients["agr"].call("GET", "/assets", headers={"Expect": "wonders"})

    assert answer.status == 200


async def test_more_long_polls_than_there_are_places_are_503() -> None:
    async with World.running() as world:
        alpha = await world.agr(ALPHA, polls_max=1)
        first = asyncio.create_task(alpha.call("GET", "/limits/changes"))
        await world.system.until(lambda: alpha.gateway.door.polling == 1, "the first poll")

        refused = await alpha.call("GET", "/limits/changes")
        await world.system.clock.advance(31)

        problem(refused, 503)
        assert (await first).status == 200


async def test_answers_do_not_name_the_server_and_are_not_kept_by_caches(clients: dict[str, Client]) -> None:
    for path in ("/assets", "/ping", "/nothing"):
        headers = (await clients["agr"].call("GET", path)).headers
        assert "Server" not in headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cache-Control"] == "no-store"


async def test_r34_ping_needs_no_token(clients: dict[str, Client]) -> None:
    for client in clients.values():
        answer = await client.call("GET", "/ping", token="wrong")
        assert (answer.status, answer.body) == (200, "pong")
        assert answer.headers["Content-Type"].startswith("text/plain")
