"""F5: a DSO SHALL be able to see the assets on its grid, filter them, follow their changes, and ask for them again.

It never learns who operates them (R11). Rules R4, R11-R13, R32-R34.
"""

import asyncio

import pytest

from documents.model import RefMarketDocument
from gateways.demo.cast import BATTERY, CHP, COOLER, FLEET, HEAT_PUMP, N1, N2, PLANT
from tests.acceptance.platform import Client, Json, Platform, registration

OPERATORS = ("alpha", "bravo", "charlie", "45x-")


async def test_a_grid_operator_sees_the_assets_on_its_grid(grid: Platform) -> None:
    """F5: id, point and ratings, for each asset at one of its points, and for no other."""
    page = await grid.north.get("/assets")

    assert page["asOf"].endswith("Z")
    assert {item["id"] for item in page["items"]} == {HEAT_PUMP.id, CHP.id, BATTERY.id, COOLER.id}
    chp = next(item for item in page["items"] if item["id"] == CHP.id)
    assert chp == {
        "id": CHP.id,
        "connectionPoint": N2,
        "maxProduction": CHP.produces,
        "maxConsumption": CHP.consumes,
        "voltageKv": chp["voltageKv"],
        "withdrawn": False,
        "sequence": chp["sequence"],
    }
    assert {item["id"] for item in await grid.south.items("/assets")} == {FLEET.id, PLANT.id}


async def test_the_list_can_be_filtered_by_connection_point(grid: Platform) -> None:
    """F5, R34: `?connectionPoint=` may be repeated; no other grid's point shows anything."""
    north = grid.north
    assert [item["id"] for item in await north.items("/assets", connectionPoint=N2)] == [CHP.id]

    both = await north.call("GET", "/assets", query=[("connectionPoint", N1), ("connectionPoint", N2)])
    assert len(both.body["items"]) == 4
    assert await grid.south.items("/assets", connectionPoint=N1) == []


async def test_the_list_never_names_an_operator(grid: Platform) -> None:
    """F5, R11: owner is the hub; neither the answer nor the document on the wire says more."""
    answer = await grid.north.call("GET", "/assets")
    documents = [a.message.content for a in grid.arrived["north"] if a.message.business_type == "TPS-ASSETS"]
    assert documents

    for seen in (answer.content, *documents):
        text = seen.decode().lower().replace(grid.market.id.lower(), "the hub")
        assert [word for word in OPERATORS if word in text] == []
    for document in grid.documents("north", business_type="TPS-ASSETS"):
        assert isinstance(document, RefMarketDocument)
        assert {series.owner for series in document.series} == {grid.hub_id}
        assert {series.name for series in document.series} <= {a.id for a in (HEAT_PUMP, CHP, BATTERY, COOLER)}


async def test_changes_are_told_as_they_come(grid: Platform) -> None:
    """F5, R33: the first call waits for changes from now; later calls return what came since that token asked."""
    north = grid.north
    poll = asyncio.create_task(north.get("/assets/changes", timeout=300))
    await grid.eventually(lambda: _waiting(north), lambda waiting: waiting == 1, "the long poll to wait")

    await grid.alpha.write("PATCH", f"/assets/{CHP.id}", {"maxProduction": 4_000_000})
    await grid.beat()

    page = await poll
    assert [(item["id"], item["maxProduction"]) for item in page["items"]] == [(CHP.id, 4_000_000)]
    await grid.alpha.write("DELETE", f"/assets/{CHP.id}")
    await grid.beat()
    (gone,) = await north.items("/assets/changes", timeout=30)
    assert (gone["id"], gone["withdrawn"]) == (CHP.id, True)


async def test_the_long_poll_answers_an_empty_list_after_its_timeout(grid: Platform) -> None:
    """F5, R33: an empty answer is 200."""
    north = grid.north
    assert (await north.get("/assets/changes", timeout=0))["items"] == []

    poll = asyncio.create_task(north.get("/assets/changes", timeout=20))
    await grid.eventually(lambda: _waiting(north), lambda waiting: waiting == 1, "the long poll to wait")
    assert not poll.done()
    await grid.pass_time(25)

    page = await poll
    assert page["items"] == []
    assert page["next"]


@pytest.mark.parametrize("timeout", ["301", "-1", "soon"])
async def test_a_timeout_outside_its_bounds_is_refused(platform: Platform, north: Client, timeout: str) -> None:
    """R33: 0 to 300 s; outside: 400."""
    answer = await north.call("GET", "/assets/changes", query={"timeout": timeout})

    assert answer.status == 400
    assert "timeout" in answer.body["errors"][0]["at"] or "timeout" in answer.body["detail"]


async def test_a_cursor_misses_nothing_and_counts_without_gaps(grid: Platform) -> None:
    """R32: `sequence` 1, 2, 3 without gaps per feed; the same `after` gives the same again."""
    for power in (100_000, 110_000, 120_000):
        await grid.alpha.write("PATCH", f"/assets/{HEAT_PUMP.id}", {"maxConsumption": power})
        await grid.beat()

    everything = await grid.north.items("/assets/changes", after="0", timeout=0)
    assert [item["sequence"] for item in everything] == list(range(1, len(everything) + 1))
    seen: list[Json] = []
    after = "0"
    while True:
        page = await grid.north.get("/assets/changes", after=after, timeout=0, limit=2)
        again = await grid.north.get("/assets/changes", after=after, timeout=0, limit=2)
        assert page["items"] == again["items"]
        if not page["items"]:
            break
        seen += page["items"]
        after = page["next"]
    assert seen == everything


async def test_a_list_is_given_in_pages(grid: Platform) -> None:
    """R34: `limit`, and `next` to go on with."""
    first = await grid.north.get("/assets", limit=3)
    second = await grid.north.get("/assets", limit=3, after=first["next"])

    assert [len(first["items"]), len(second["items"])] == [3, 1]
    assert "next" not in second or second["next"] is None
    assert len({item["id"] for item in first["items"] + second["items"]}) == 4


async def test_a_push_merges_the_changes_of_all_aggregators_in_order_of_assets(platform: Platform) -> None:
    """R12: one push for a beat, ordered by asset id, so that it does not group one AGR's assets."""
    await platform.register_points()
    await platform.beat()
    before = len(platform.documents("north", business_type="TPS-ASSETS"))
    await platform.register_assets()
    await platform.beat()

    (push,) = platform.documents("north", business_type="TPS-ASSETS")[before:]

    assert isinstance(push, RefMarketDocument)
    told = [series.resource for series in push.series]
    assert told == sorted(told)
    assert len(told) == 4
    assert push.process == "A37"


async def test_the_hub_can_be_asked_for_the_full_list(grid: Platform) -> None:
    """F5, R11, R13: POST /assets/request is answered with a full list (A39), which takes away what is gone."""
    before = len(grid.documents("north", business_type="TPS-RESPONSE"))
    verdict = await grid.north.write("POST", "/assets/request")
    assert verdict["verdict"] == "accepted"

    (response,) = grid.documents("north", business_type="TPS-RESPONSE")[before:]
    assert isinstance(response, RefMarketDocument)
    assert response.process == "A39"
    assert len(response.series) == 4
    assert len(await grid.north.items("/assets")) == 4


async def test_the_hub_can_be_asked_for_the_assets_at_some_points(grid: Platform) -> None:
    """F5: the request may name connection points; what hangs elsewhere stays as it is."""
    before = len(grid.documents("north", business_type="TPS-RESPONSE"))
    await grid.north.write("POST", "/assets/request", query=[("connectionPoint", N2)])

    (response,) = grid.documents("north", business_type="TPS-RESPONSE")[before:]
    assert isinstance(response, RefMarketDocument)
    assert [series.resource for series in response.series] == [f"A10:{CHP.id}"]
    assert len(await grid.north.items("/assets")) == 4


async def test_a_gateway_that_lost_everything_gets_its_list_back(grid: Platform) -> None:
    """R13: asked for at the first start."""
    await grid.kill("north")
    grid.forget("north")
    await grid.start("north")

    await grid.sees_assets(grid.north, {HEAT_PUMP.id, CHP.id, BATTERY.id, COOLER.id})


async def test_a_list_too_long_for_one_document_comes_back_in_parts(
    grid: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R11: each part is the whole truth about its own span of ids."""
    monkeypatch.setattr("hub.projections.responses.PART_ASSETS", 1)
    await grid.kill("north")
    grid.forget("north")
    await grid.start("north")

    await grid.sees_assets(grid.north, {HEAT_PUMP.id, CHP.id, BATTERY.id, COOLER.id})
    before = len(grid.documents("north", business_type="TPS-ASSETS"))
    assert (await grid.north.write("POST", "/assets/request"))["verdict"] == "accepted"
    pushed = grid.documents("north", business_type="TPS-ASSETS")[before:]
    assert [len(part.series) for part in pushed if isinstance(part, RefMarketDocument)] == [1, 1, 1]
    assert len(await grid.north.items("/assets")) == 4


async def test_a_gateway_asks_for_the_full_list_every_day(grid: Platform) -> None:
    """R13."""
    before = len(grid.documents("north", business_type="TPS-RESPONSE"))

    await grid.pass_time(86_400 + 60)

    answers = grid.documents("north", business_type="TPS-RESPONSE")[before:]
    assert [document for document in answers if isinstance(document, RefMarketDocument)]


async def test_an_asset_at_a_point_nobody_has_claimed_is_in_nobodys_list(platform: Platform) -> None:
    """R4."""
    await platform.alpha.write("PUT", "/assets", {"assets": [registration(HEAT_PUMP)]})
    await platform.beat()

    assert await platform.north.items("/assets") == []
    assert await platform.south.items("/assets") == []


async def _waiting(client: Client) -> int:
    return client.gateway.door.polling
