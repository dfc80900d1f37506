"""F2: each gateway offers its participant REST with long polls, as its RAML says (R32, R33).

Every answer the client of these tests gets is held against the contract; here each operation of it is called.
"""

import pytest

from raml import reader
from tests.acceptance.platform import Platform


@pytest.mark.parametrize(("contract", "name"), [("agr.raml", "alpha"), ("dso.raml", "north")])
async def test_every_operation_of_the_contract_is_served(platform: Platform, contract: str, name: str) -> None:
    client = platform.clients[name]
    operations = reader.read(contract).operations
    assert len(operations) > 20

    for operation in operations:
        path = operation.path.replace("{id}", "571313100000000089").replace("{mrid}", "nobodys")
        if path.endswith("/changes"):
            path += "?timeout=0"
        answer = await client.call(operation.method, path)

        assert answer.status != 405, (operation.method, path)
        assert answer.status < 500, (operation.method, path)


@pytest.mark.parametrize("name", ["alpha", "bravo", "charlie", "north", "south"])
async def test_every_gateway_answers_a_ping(platform: Platform, name: str) -> None:
    answer = await platform.clients[name].call("GET", "/ping")

    assert (answer.status, answer.body) == (200, "pong")


@pytest.mark.parametrize(
    ("name", "path"), [("alpha", "/limits/changes"), ("north", "/assets/changes"), ("north", "/schedules/changes")]
)
async def test_a_long_poll_without_news_ends_with_an_empty_list(platform: Platform, name: str, path: str) -> None:
    answer = await platform.clients[name].call("GET", f"{path}?after=0&timeout=0")

    assert answer.status == 200
    assert answer.body["items"] == []
    assert answer.body["next"]
