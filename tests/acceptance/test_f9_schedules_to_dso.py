"""F9: a DSO SHALL get the schedules of the assets on its grid, be told of changes, and be able to ask for them.

Rules R12, R13, R24, R25, R32, R33. Signs are those of F8, unchanged from end to end.
"""

import asyncio

import pytest

from documents.model import GlMarketDocument
from gateways.demo.cast import BATTERY, CHP, COOLER, FLEET, HEAT_PUMP, PLANT
from tests.acceptance.platform import Client, Json, Platform, quantities
from tests.acceptance.test_f8_schedules import schedule


async def test_signs_arrive_as_they_were_sent(grid: Platform) -> None:
    """R25: signed values unchanged, from the AGR's JSON to the DSO's JSON."""
    await grid.bravo.write("POST", "/schedules", schedule(grid, (BATTERY.id, [1_000_000, 0, -750_500, 1])))

    await grid.sees_plans(grid.north, {BATTERY.id: [1_000_000, 0, -750_500, 1]})

    ((series,),) = [d.series for d in grid.documents("north") if isinstance(d, GlMarketDocument)]
    assert [point.quantity for point in series.periods[0].points] == [1_000_000, 0, -750_500, 1]


async def test_a_schedule_is_split_by_grid(grid: Platform) -> None:
    """F9: bravo's document names assets of two grids; each DSO gets its own, in a document of the hub's."""
    sent = await grid.bravo.write("POST", "/schedules", schedule(grid, (BATTERY.id, [-1]), (FLEET.id, [-2])))

    await grid.sees_plans(grid.north, {BATTERY.id: [-1]})
    await grid.sees_plans(grid.south, {FLEET.id: [-2]})

    for name in ("north", "south"):
        for arrival in grid.arrived[name]:
            assert sent["mrid"] not in arrival.message.content.decode()


async def test_a_push_merges_all_aggregators_and_names_none(grid: Platform) -> None:
    """R12, R25: one document per DSO per beat, ordered by asset id, hub-made mRIDs, no operator, no name."""
    before = len(grid.documents("north"))
    await grid.charlie.write("POST", "/schedules", {**schedule(grid, (COOLER.id, [-3])), "mrid": "charlies-plan"})
    await grid.alpha.write("POST", "/schedules", {**schedule(grid, (HEAT_PUMP.id, [-1])), "mrid": "alphas-plan"})
    await grid.bravo.write("POST", "/schedules", {**schedule(grid, (BATTERY.id, [-2])), "mrid": "bravos-plan"})
    await grid.beat()

    (push,) = [d for d in grid.documents("north")[before:] if isinstance(d, GlMarketDocument)]

    assert [series.resource for series in push.series] == [f"A10:{a.id}" for a in (HEAT_PUMP, BATTERY, COOLER)]
    content = grid.arrived["north"][-1].message.content.decode()
    for word in ("alpha", "bravo", "charlie", "ALPHA", "BRAVO", "CHARLIE", HEAT_PUMP.name):
        assert word not in content
    assert len({series.mrid for series in push.series}) == 3


async def test_a_waiting_long_poll_is_told_of_a_schedule(grid: Platform) -> None:
    """F9, R33: first all that stand, then what came since, withdrawn ones marked."""
    north = grid.north
    await grid.alpha.write("POST", "/schedules", schedule(grid, (HEAT_PUMP.id, [-1])))
    await grid.sees_plans(north, {HEAT_PUMP.id: [-1]})
    (first,) = await north.items("/schedules/changes", timeout=0)
    assert (first["asset"], quantities(first), first["withdrawn"]) == (HEAT_PUMP.id, [-1], False)

    poll = asyncio.create_task(north.get("/schedules/changes", timeout=300))
    await grid.eventually(lambda: _waiting(north), lambda waiting: waiting == 1, "the long poll to wait")
    mrid = (await grid.bravo.write("POST", "/schedules", schedule(grid, (BATTERY.id, [5]))))["mrid"]
    await grid.beat()
    (told,) = (await poll)["items"]
    assert (told["asset"], quantities(told)) == (BATTERY.id, [5])

    await grid.bravo.write("PUT", f"/schedules/{mrid}", schedule(grid, (BATTERY.id, [6])))
    await grid.beat()
    (changed,) = await north.items("/schedules/changes", timeout=30)
    assert (changed["series"], quantities(changed)) == (told["series"], [6])
    await grid.bravo.write("DELETE", f"/schedules/{mrid}")
    await grid.beat()
    (gone,) = await north.items("/schedules/changes", timeout=30)
    assert (gone["series"], gone["withdrawn"]) == (told["series"], True)


async def test_the_long_poll_answers_an_empty_list_after_its_timeout(grid: Platform) -> None:
    """R33: an empty answer is 200."""
    page = await grid.north.get("/schedules/changes", timeout=0)

    assert page["items"] == []
    assert page["next"]


async def test_a_cursor_misses_nothing_and_counts_without_gaps(grid: Platform) -> None:
    """R32."""
    mrid = (await grid.alpha.write("POST", "/schedules", schedule(grid, (HEAT_PUMP.id, [-1]))))["mrid"]
    await grid.beat()
    for watts in (-2, -3):
        await grid.alpha.write("PUT", f"/schedules/{mrid}", schedule(grid, (HEAT_PUMP.id, [watts])))
        await grid.beat()
    await grid.sees_plans(grid.north, {HEAT_PUMP.id: [-3]})

    feed = await grid.north.items("/schedules/changes", after="0", timeout=0)

    assert [item["sequence"] for item in feed] == [1, 2, 3]
    assert [quantities(item) for item in feed] == [[-1], [-2], [-3]]


async def test_schedules_are_found_by_asset_and_time(grid: Platform) -> None:
    """F9: `GET /schedules?asset=&from=&to=`."""
    north = grid.north
    await grid.alpha.write("POST", "/schedules", schedule(grid, (HEAT_PUMP.id, [-1])))
    await grid.alpha.write("POST", "/schedules", schedule(grid, (CHP.id, [1]), start_h=10))
    await grid.sees_plans(north, {HEAT_PUMP.id: [-1], CHP.id: [1]})

    async def found(**query: str) -> list[str]:
        return [item["asset"] for item in await north.items("/schedules", **query)]

    assert await found(asset=CHP.id) == [CHP.id]
    assert await found(from_=grid.z(5)) == [CHP.id]
    assert await found(to=grid.z(5)) == [HEAT_PUMP.id]
    assert await found(from_=grid.z(1), to=grid.z(10)) == []
    assert await found(asset=FLEET.id) == []


async def test_the_hub_can_be_asked_for_the_schedules_now(grid: Platform) -> None:
    """F9, R13: `POST /schedules/request` is answered with all that stand, before any beat."""
    await grid.alpha.write("POST", "/schedules", schedule(grid, (HEAT_PUMP.id, [-1])))
    assert await grid.north.items("/schedules") == []

    verdict = await grid.north.write("POST", "/schedules/request")

    assert verdict["verdict"] == "accepted"
    (plan,) = await grid.north.items("/schedules")
    assert (plan["asset"], quantities(plan)) == (HEAT_PUMP.id, [-1])


async def test_the_hub_can_be_asked_for_some_assets_and_some_time(grid: Platform) -> None:
    """F9: by asset and by time; the rest of what is known stays."""
    await grid.alpha.write("POST", "/schedules", schedule(grid, (HEAT_PUMP.id, [-1])))
    await grid.bravo.write("POST", "/schedules", schedule(grid, (BATTERY.id, [-2])))
    before = len(grid.documents("north"))

    await grid.north.write("POST", "/schedules/request", query={"asset": BATTERY.id})
    await grid.north.write("POST", "/schedules/request", query={"from": grid.z(20), "to": grid.z(30)})

    responses = [d for d in grid.documents("north")[before:] if isinstance(d, GlMarketDocument)]
    assert [[series.resource for series in d.series] for d in responses] == [[f"A10:{BATTERY.id}"]]
    await grid.sees_plans(grid.north, {HEAT_PUMP.id: [-1], BATTERY.id: [-2]})


async def test_asking_for_anothers_assets_tells_nothing(grid: Platform) -> None:
    """R36: another grid's asset and one that does not exist give the same answer."""
    await grid.charlie.write("POST", "/schedules", schedule(grid, (PLANT.id, [7])))
    await grid.sees_plans(grid.south, {PLANT.id: [7]})

    said: list[Json] = []
    for asset in (PLANT.id, "571313100000000089"):
        answer = await grid.north.call("POST", "/schedules/request", query={"asset": asset}, wait=60)
        said.append((answer.status, {n: v for n, v in answer.body.items() if n not in {"mrid", "document"}}))

    assert str(said[0]).replace(PLANT.id, "X") == str(said[1]).replace("571313100000000089", "X")
    assert await grid.north.items("/schedules") == []


async def test_a_gateway_that_lost_everything_gets_its_schedules_back(grid: Platform) -> None:
    """R13."""
    await grid.alpha.write("POST", "/schedules", schedule(grid, (HEAT_PUMP.id, [-1])))
    await grid.bravo.write("POST", "/schedules", schedule(grid, (BATTERY.id, [-2])))
    await grid.sees_plans(grid.north, {HEAT_PUMP.id: [-1], BATTERY.id: [-2]})

    await grid.kill("north")
    grid.forget("north")
    await grid.start("north")

    await grid.sees_plans(grid.north, {HEAT_PUMP.id: [-1], BATTERY.id: [-2]})


async def test_a_plan_that_is_over_stays_readable_after_the_daily_request(grid: Platform) -> None:
    """R13, R33: the full state is of what is to come; it takes away nothing of the past."""
    await grid.alpha.write("POST", "/schedules", schedule(grid, (HEAT_PUMP.id, [-1])))
    await grid.sees_plans(grid.north, {HEAT_PUMP.id: [-1]})

    await grid.pass_time(2 * 86_400)

    (plan,) = await grid.north.items("/schedules")
    assert (plan["withdrawn"], quantities(plan)) == (False, [-1])


async def test_a_schedule_sent_before_the_point_is_registered_arrives_with_it(platform: Platform) -> None:
    """R4, R7: stored future schedules come with the asset."""
    await platform.register_assets()
    await platform.alpha.write("POST", "/schedules", schedule(platform, (HEAT_PUMP.id, [-1])))
    await platform.register_points()

    await platform.sees_plans(platform.north, {HEAT_PUMP.id: [-1]})


async def _waiting(client: Client) -> int:
    return client.gateway.door.polling


async def test_plans_too_long_for_one_document_come_back_in_parts(
    grid: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R13: each part is the whole truth about its own span of series."""
    monkeypatch.setattr("hub.projections.responses.PART_BYTES", 1)
    await grid.alpha.write("POST", "/schedules", schedule(grid, (HEAT_PUMP.id, [-1])))
    sent = await grid.bravo.write("POST", "/schedules", schedule(grid, (BATTERY.id, [5])))
    await grid.charlie.write("POST", "/schedules", schedule(grid, (COOLER.id, [-3])))
    everything = {HEAT_PUMP.id: [-1], BATTERY.id: [5], COOLER.id: [-3]}
    await grid.sees_plans(grid.north, everything)
    await grid.kill("north")
    grid.forget("north")
    await grid.start("north")
    await grid.sees_plans(grid.north, everything)

    before = len(grid.documents("north", business_type="TPS-SCHEDULES"))
    assert (await grid.north.write("POST", "/schedules/request"))["verdict"] == "accepted"
    pushed = grid.documents("north", business_type="TPS-SCHEDULES")[before:]
    assert [len(part.series) for part in pushed if isinstance(part, GlMarketDocument)] == [1, 1]
    await grid.sees_plans(grid.north, everything)

    await grid.bravo.write("DELETE", f"/schedules/{sent['mrid']}")
    assert (await grid.north.write("POST", "/schedules/request"))["verdict"] == "accepted"
    await grid.sees_plans(grid.north, {HEAT_PUMP.id: [-1], COOLER.id: [-3]})
