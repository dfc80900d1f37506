"""F4: a DSO SHALL be able to register connection points, an AGR to register assets; both to change and remove them.

Rules R1-R10, R34: each item is judged by itself, one holder at a time, handed over by the operator without a gap.
"""

import asyncio

import pytest
from click.testing import CliRunner

from documents import identifiers
from gateways.demo.cast import BATTERY, CHP, COOLER, FLEET, HEAT_PUMP, N1, N2, PLANT, S1, S2, Player
from hub.cli import tps
from hub.commands import ReassignPoint, ReassignResource, SuspendParticipant
from tests.acceptance.platform import SECRET, Client, Json, Platform, registration, shares
from tests.fixtures_system import Grounds

SPARE = "571313100000000072"
"""The id of an asset nobody has registered yet."""


async def test_a_grid_operator_registers_its_connection_points(platform: Platform, north: Client) -> None:
    """F4: points are upserted one or many (R34), each with its state."""
    await north.write("PUT", "/connection-points", {"connectionPoints": [{"id": N1, "voltageKv": "10"}]})
    await north.write("PUT", f"/connection-points/{N2}", {"voltageKv": "0.4"})

    page = await north.get("/connection-points")

    assert {item["id"]: (item["voltageKv"], item["state"]) for item in page["items"]} == {
        N1: ("10", "accepted"),
        N2: ("0.4", "accepted"),
    }
    assert page["asOf"]


async def test_an_aggregator_registers_its_assets(grid: Platform, alpha: Client) -> None:
    """F4, R9: an asset is registered with its point and its capability in whole watts."""
    page = await alpha.get("/assets")

    assert {item["id"]: item["state"] for item in page["items"]} == {HEAT_PUMP.id: "accepted", CHP.id: "accepted"}
    chp = await alpha.get(f"/assets/{CHP.id}")
    assert (chp["maxProduction"], chp["maxConsumption"], chp["connectionPoint"]) == (4_500_000, 120_000, N2)


async def test_a_registration_is_pending_until_the_hub_has_answered(platform: Platform, alpha: Client) -> None:
    """R34, R35: without a wait 202 at once; GET shows pending, then accepted."""
    await platform.kill_hub()

    answer = await alpha.call("PUT", "/assets", {"assets": [registration(HEAT_PUMP)]})
    assert answer.status == 202
    assert answer.body["verdict"] == "pending"
    assert (await alpha.get(f"/assets/{HEAT_PUMP.id}"))["state"] == "pending"

    await platform.start_hub()
    path = f"/assets/{HEAT_PUMP.id}"
    await platform.until(alpha, path, lambda asset: asset["state"] == "accepted", "the hub's verdict")


async def test_put_upserts_the_named_items_and_leaves_the_others(grid: Platform, alpha: Client) -> None:
    """R34: PUT on a collection is no replacement of the collection."""
    await alpha.write("PUT", "/assets", {"assets": [{**registration(HEAT_PUMP), "maxConsumption": 600_000}]})

    assert {item["id"]: item["maxConsumption"] for item in await alpha.items("/assets")} == {
        HEAT_PUMP.id: 600_000,
        CHP.id: 120_000,
    }


async def test_patch_changes_only_what_it_names(grid: Platform, alpha: Client, north: Client) -> None:
    """R34: PATCH merges; the DSO sees the whole asset again (F5)."""
    await alpha.write("PATCH", f"/assets/{HEAT_PUMP.id}", {"maxConsumption": 650_000})

    mine = await alpha.get(f"/assets/{HEAT_PUMP.id}")
    assert (mine["maxConsumption"], mine["connectionPoint"], mine["name"]) == (650_000, N1, HEAT_PUMP.name)
    await grid.until(
        north,
        "/assets",
        lambda page: {i["id"]: i["maxConsumption"] for i in page["items"]}[HEAT_PUMP.id] == 650_000,
        "the new rating",
    )


async def test_patch_refuses_what_is_unknown_and_changes_the_rest(grid: Platform, alpha: Client) -> None:
    """R34, R35: PATCH changes existing ones only; an unknown one is that item refused (A03: 200 with `rejected`)."""
    body = {"assets": [{"id": HEAT_PUMP.id, "maxConsumption": 510_000}, {"id": SPARE, "maxConsumption": 1}]}

    answer = await alpha.call("PATCH", "/assets", body, wait=60)

    assert (answer.status, answer.body["verdict"]) == (200, "partlyAccepted")
    assert answer.body["accepted"] == [HEAT_PUMP.id]
    assert [item["id"] for item in answer.body["rejected"]] == [SPARE]
    assert (await alpha.get(f"/assets/{HEAT_PUMP.id}"))["maxConsumption"] == 510_000


async def test_delete_removes_the_named_assets_and_nothing_without_a_name(grid: Platform, alpha: Client) -> None:
    """R34: DELETE of a collection needs `?id=`."""
    answer = await alpha.call("DELETE", "/assets")
    assert answer.status == 400
    assert len(await alpha.items("/assets")) == 2

    await alpha.write("DELETE", "/assets", query=[("id", HEAT_PUMP.id)])

    assert [item["id"] for item in await alpha.items("/assets")] == [CHP.id]
    await grid.sees_assets(grid.north, {CHP.id, BATTERY.id, COOLER.id})
    assert (await alpha.call("GET", f"/assets/{HEAT_PUMP.id}")).status == 404


async def test_each_item_of_a_registration_is_judged_by_itself(grid: Platform, bravo: Client) -> None:
    """R3, R5: what another holds is refused with a reason of its own; the rest is registered."""
    body = {"assets": [registration(HEAT_PUMP), {**registration(BATTERY), "id": SPARE, "name": "Second battery"}]}

    answer = await bravo.call("PUT", "/assets", body, wait=60)

    assert (answer.status, answer.body["verdict"]) == (200, "partlyAccepted")
    assert answer.body["accepted"] == [SPARE]
    ((refused,),) = [answer.body["rejected"]]
    assert refused["id"] == HEAT_PUMP.id
    assert (await bravo.get(f"/assets/{HEAT_PUMP.id}"))["state"] == "refused"


async def test_the_refusal_of_what_another_holds_does_not_name_the_holder(grid: Platform) -> None:
    """R4, R5: one operator for an asset, one DSO for a point; the words of the refusal name nobody."""
    for client, holder, path, body in (
        (grid.bravo, grid.alpha, "/assets", {"assets": [registration(HEAT_PUMP)]}),
        (grid.south, grid.north, "/connection-points", {"connectionPoints": [{"id": N1}]}),
    ):
        answer = await client.call("PUT", path, body, wait=60)

        assert answer.status in {409, 422}, answer
        assert answer.body["reason"]
        said = answer.content.decode().lower()
        assert holder.player.name not in said
        assert holder.player.id.lower() not in said


async def test_an_asset_may_be_registered_before_its_point(platform: Platform, alpha: Client, south: Client) -> None:
    """R4: the answer to the AGR is the same either way; the DSO sees the asset when the point appears."""
    before = await alpha.write("PUT", "/assets", {"assets": [registration(HEAT_PUMP)]})
    await platform.north.write("PUT", "/connection-points", {"connectionPoints": [{"id": N1}, {"id": N2}]})
    after = await alpha.write("PUT", "/assets", {"assets": [registration(CHP)]})

    assert _without_ids(before) == _without_ids(after)
    await platform.sees_assets(platform.north, {HEAT_PUMP.id, CHP.id})
    assert await south.items("/assets") == []


@pytest.mark.parametrize("where", ["REST", "hub"])
async def test_an_asset_that_can_do_nothing_is_refused(platform: Platform, alpha: Client, where: str) -> None:
    """R9: produce or consume, at least one positive."""
    if where == "REST":
        body = {"assets": [{**registration(HEAT_PUMP), "maxConsumption": 0}]}
        answer = await alpha.call("PUT", "/assets", body, wait=60)
        assert answer.status == 422
        assert answer.body["errors"][0]["at"].startswith("$.assets[0]")
    else:
        await alpha.write("PUT", "/assets", {"assets": [registration(HEAT_PUMP)]})
        answer = await alpha.call("PATCH", f"/assets/{HEAT_PUMP.id}", {"maxConsumption": 0}, wait=60)
        assert answer.status in {400, 409, 422}, answer


async def test_a_power_that_is_no_whole_watt_is_refused_and_not_rounded(platform: Platform, alpha: Client) -> None:
    """R9: whole watts."""
    answer = await alpha.call("PUT", "/assets", {"assets": [{**registration(HEAT_PUMP), "maxConsumption": 500.5}]})

    assert answer.status == 400
    assert answer.body["errors"][0]["at"] == "$.assets[0].maxConsumption"


async def test_an_id_with_a_wrong_check_digit_is_refused_with_its_place(platform: Platform, alpha: Client) -> None:
    """R2: a GSRN or EIC is checked; what is neither is an id of the national scheme."""
    answer = await alpha.call(
        "PUT", "/assets", {"assets": [{**registration(HEAT_PUMP), "id": "A10:571313100000000011"}]}
    )
    assert answer.status == 422
    assert answer.body["errors"][0]["at"] == "$.assets[0].id"

    await alpha.write("PUT", "/assets", {"assets": [{**registration(HEAT_PUMP), "id": "Egevej-12"}]})
    assert [item["id"] for item in await alpha.items("/assets")] == ["Egevej-12"]


async def test_a_new_rating_counts_from_the_next_revision_of_a_limit(grid: Platform) -> None:
    """R9, R17: shares are fixed per revision."""
    mrid = (await grid.north.write("POST", "/limits/foreseen", _limit(grid, 600_000)))["mrid"]
    await grid.alpha.items("/limits/changes", timeout=30)
    await grid.alpha.write("PATCH", f"/assets/{HEAT_PUMP.id}", {"maxConsumption": 1_000_000})
    await grid.quiet()
    (limit,) = await grid.alpha.items("/limits/active")
    assert shares(limit) == {HEAT_PUMP.id: [200_000]}

    await grid.north.write("PUT", f"/limits/foreseen/{mrid}", _limit(grid, 600_000))

    (limit,) = await grid.alpha.items("/limits/changes", timeout=30)
    assert shares(limit) == {HEAT_PUMP.id: [300_000]}


async def test_an_asset_handed_over_keeps_its_limit_and_loses_its_schedule(grid: Platform) -> None:
    """R6: the old operator's limit ends, the new one has it at once; the old schedules leave the DSO's list."""
    await grid.submit_plan(grid.alpha, HEAT_PUMP, -400_000)
    await grid.sees_plans(grid.north, {HEAT_PUMP.id: [-400_000]})
    await grid.north.write("POST", "/limits/foreseen", _limit(grid, 600_000))
    await grid.alpha.items("/limits/changes", timeout=30)
    (of_bravo,) = await grid.bravo.items("/limits/changes", timeout=30)
    assert shares(of_bravo) == {BATTERY.id: [400_000]}

    await _reassign(grid, HEAT_PUMP.id, grid.bravo.player)

    (of_alpha,) = await grid.alpha.items("/limits/changes", timeout=30)
    (of_bravo,) = await grid.bravo.items("/limits/changes", timeout=30)
    assert of_alpha["status"] == "cancelled"
    assert shares(of_bravo) == {BATTERY.id: [400_000], HEAT_PUMP.id: [200_000]}
    await grid.sees_plans(grid.north, {})
    await grid.submit_plan(grid.bravo, HEAT_PUMP, -100_000)
    await grid.sees_plans(grid.north, {HEAT_PUMP.id: [-100_000]})
    answer = await grid.alpha.call("POST", "/schedules", _plan(grid, HEAT_PUMP.id, -1), wait=60)
    assert (answer.status, answer.body["reason"]) == (422, "A64")


async def test_remove_and_register_ends_where_a_handover_ends(grid: Platform) -> None:
    """R6, R17: whoever registers the asset before the limit ends inherits its share."""
    await grid.submit_plan(grid.alpha, HEAT_PUMP, -400_000)
    await grid.north.write("POST", "/limits/foreseen", _limit(grid, 600_000))
    await grid.alpha.items("/limits/changes", timeout=30)
    await grid.bravo.items("/limits/changes", timeout=30)

    await grid.alpha.write("DELETE", f"/assets/{HEAT_PUMP.id}")
    await grid.bravo.write("PUT", "/assets", {"assets": [registration(HEAT_PUMP)]})

    (of_alpha,) = await grid.alpha.items("/limits/changes", timeout=30)
    assert of_alpha["status"] == "cancelled"
    (of_bravo,) = await grid.bravo.items("/limits/active")
    assert shares(of_bravo) == {BATTERY.id: [400_000], HEAT_PUMP.id: [200_000]}
    await grid.sees_plans(grid.north, {})


async def test_an_asset_moved_within_a_grid_keeps_its_limits(grid: Platform) -> None:
    """R7: another point of the same DSO."""
    await grid.north.write("POST", "/limits/foreseen", _limit(grid, 600_000))
    await grid.alpha.items("/limits/changes", timeout=30)

    await grid.alpha.write("PATCH", f"/assets/{HEAT_PUMP.id}", {"connectionPoint": N2})

    await grid.until(
        grid.north,
        "/assets",
        lambda page: {i["id"]: i["connectionPoint"] for i in page["items"]}.get(HEAT_PUMP.id) == N2,
        "the asset at its new point",
    )
    (limit,) = await grid.alpha.items("/limits/active")
    assert (limit["status"], limit["revision"]) == ("active", 1)


async def test_an_asset_moved_to_another_grid_takes_its_schedules_along_and_leaves_its_limits(grid: Platform) -> None:
    """R7: the old DSO sees it and its schedules withdrawn, its limits end; the new DSO gets asset and schedules."""
    await grid.submit_plan(grid.alpha, HEAT_PUMP, -400_000, -300_000)
    await grid.sees_plans(grid.north, {HEAT_PUMP.id: [-400_000, -300_000]})
    await grid.north.write("POST", "/limits/foreseen", _limit(grid, 600_000))
    await grid.alpha.items("/limits/changes", timeout=30)

    await grid.alpha.write("PATCH", f"/assets/{HEAT_PUMP.id}", {"connectionPoint": S1})

    (limit,) = await grid.alpha.items("/limits/changes", timeout=30)
    assert limit["status"] == "cancelled"
    await grid.sees_assets(grid.north, {CHP.id, BATTERY.id, COOLER.id})
    await grid.sees_plans(grid.north, {})
    await grid.sees_assets(grid.south, {FLEET.id, PLANT.id, HEAT_PUMP.id})
    await grid.sees_plans(grid.south, {HEAT_PUMP.id: [-400_000, -300_000]})


async def test_an_asset_moved_to_an_unclaimed_point_is_seen_by_no_grid_operator(grid: Platform) -> None:
    """R7."""
    await grid.alpha.write("PATCH", f"/assets/{HEAT_PUMP.id}", {"connectionPoint": "571313199000000052"})

    await grid.sees_assets(grid.north, {CHP.id, BATTERY.id, COOLER.id})
    await grid.sees_assets(grid.south, {FLEET.id, PLANT.id})
    assert (await grid.alpha.get(f"/assets/{HEAT_PUMP.id}"))["state"] == "accepted"


async def test_a_point_under_a_live_limit_cannot_be_removed(grid: Platform) -> None:
    """R8: refused, naming the DSO's own limit; later its assets stay registered, leave the list, and return with it."""
    await grid.submit_plan(grid.alpha, HEAT_PUMP, -400_000)
    await grid.sees_plans(grid.north, {HEAT_PUMP.id: [-400_000]})
    mrid = (await grid.north.write("POST", "/limits/foreseen", _limit(grid, 600_000)))["mrid"]
    answer = await grid.north.call("DELETE", f"/connection-points/{N1}", wait=60)
    assert answer.status in {409, 422}
    assert mrid in answer.content.decode()

    await grid.north.write("DELETE", f"/limits/foreseen/{mrid}")
    await grid.north.write("DELETE", f"/connection-points/{N1}")
    await grid.sees_assets(grid.north, {CHP.id})
    await grid.sees_plans(grid.north, {})
    assert (await grid.alpha.get(f"/assets/{HEAT_PUMP.id}"))["state"] == "accepted"

    await grid.north.write("PUT", "/connection-points", {"connectionPoints": [{"id": N1}]})
    await grid.sees_assets(grid.north, {CHP.id, HEAT_PUMP.id, BATTERY.id, COOLER.id})
    await grid.sees_plans(grid.north, {HEAT_PUMP.id: [-400_000]})


async def test_a_point_handed_over_takes_its_assets_along(grid: Platform) -> None:
    """R6: points too."""
    point, dso = identifiers.parse_identifier(N2), identifiers.party(grid.south.player.id)
    await grid.operate(ReassignPoint(point=point, to=dso, why="sold", by="test"))

    await grid.sees_assets(grid.north, {HEAT_PUMP.id, BATTERY.id, COOLER.id})
    await grid.sees_assets(grid.south, {FLEET.id, PLANT.id, CHP.id})
    answer = await grid.north.call("PUT", f"/connection-points/{N2}", {"voltageKv": "10"}, wait=60)
    assert answer.status in {409, 422}


async def test_changes_of_one_asset_take_effect_in_the_order_they_were_made(platform: Platform, alpha: Client) -> None:
    """R10: one unanswered Ref per resource, strictly later each time; the last wish stands, whatever the pace."""
    await platform.register_points()
    await platform.kill_hub()
    for power in (100_000, 200_000, 300_000):
        asset = {**registration(HEAT_PUMP), "maxConsumption": power}
        assert (await alpha.call("PUT", "/assets", {"assets": [asset]})).status == 202
    await platform.start_hub()

    path = f"/assets/{HEAT_PUMP.id}"
    last = await platform.until(alpha, path, lambda a: a["state"] == "accepted", "the verdict on the last change")

    assert last["maxConsumption"] == 300_000
    told = [document.series[0].max_consumption for document in platform.documents("hub", business_type="TPS-ASSETS")]  # type: ignore[union-attr]
    assert told == [100_000, 200_000, 300_000]
    await platform.until(
        platform.north, "/assets", lambda page: [i["maxConsumption"] for i in page["items"]] == [300_000], "the last"
    )


async def test_a_suspended_participant_sends_nothing_and_still_receives_limits(grid: Platform) -> None:
    """R1: its sends are refused (A78)."""
    code = identifiers.party(grid.alpha.player.id)
    await grid.operate(SuspendParticipant(participant=code, why="unpaid", by="test"))

    await grid.alpha.refused("POST", "/schedules", _plan(grid, HEAT_PUMP.id, -1), status=422, reason="A78")
    await grid.north.write("POST", "/limits/foreseen", _limit(grid, 600_000))

    (limit,) = await grid.alpha.items("/limits/changes", timeout=30)
    assert shares(limit) == {HEAT_PUMP.id: [200_000]}


async def test_being_named_as_balance_responsible_gives_no_view_of_the_aggregator(grid: Platform) -> None:
    """R1: charlie is the BRP of alpha and bravo, and sees its own assets only."""
    assert {item["id"] for item in await grid.charlie.items("/assets")} == {PLANT.id, COOLER.id}
    assert (await grid.charlie.call("GET", f"/assets/{HEAT_PUMP.id}")).status == 404


@pytest.mark.slow
async def test_the_operator_hands_an_asset_over_on_the_command_line(grounds: Grounds) -> None:
    """R6: `tps assets reassign` and `tps points reassign`, beside a running hub."""
    async with grounds("postgres") as platform:
        await platform.register_all()

        for words in (
            ["assets", "reassign", HEAT_PUMP.id, "--to", platform.bravo.player.id, "--why", "contract ended"],
            ["points", "reassign", S2, "--to", platform.north.player.id, "--why", "grid sold"],
        ):
            environment = {
                "TPS__HUB__ID": platform.market.id,
                "TPS__HUB__SECRET": SECRET,
                "TPS__DATABASE__URL": platform.urls["hub"],
            }
            result = await asyncio.to_thread(CliRunner().invoke, tps, words, env=environment)
            assert result.exit_code == 0, result.output

        await platform.sees_assets(platform.north, {HEAT_PUMP.id, CHP.id, BATTERY.id, COOLER.id, PLANT.id})
        await platform.submit_plan(platform.bravo, HEAT_PUMP, -1000)
        await platform.sees_plans(platform.north, {HEAT_PUMP.id: [-1000]})


async def _reassign(platform: Platform, asset: str, to: Player) -> None:
    resource = identifiers.parse_identifier(asset)
    await platform.operate(
        ReassignResource(resource=resource, to=identifiers.party(to.id), why="contract ended", by="test")
    )


def _limit(platform: Platform, watts: int) -> Json:
    """A limit on the consumption of the heat pump (500 kW) and the battery (1 MW) for the next two hours."""
    periods = [platform.period(0, 2, watts, resolution="PT120M")]
    return {"direction": "consumption", "series": [{"assets": [HEAT_PUMP.id, BATTERY.id], "periods": periods}]}


def _plan(platform: Platform, asset: str, *watts: int) -> Json:
    return {"series": [{"asset": asset, "periods": [platform.period(0, len(watts), *watts)]}]}


def _without_ids(verdict: Json) -> Json:
    return {name: value for name, value in verdict.items() if name not in {"mrid", "accepted"}}
