"""The use case of an unforeseen limit, step by step, as its participants live it (F4, F5, F7).

A fault: the DSO orders, prolongs and ends; or it forgets to, is reminded, and the order ends by itself. No schedules
are needed for any of it (R15, R25).
"""

from gateways.demo.cast import BATTERY, CHP, FLEET, HEAT_PUMP, PLANT
from tests.acceptance.platform import Json, Platform


async def test_an_unforeseen_limit_from_the_fault_to_its_repair(platform: Platform) -> None:
    south, bravo, charlie = platform.south, platform.bravo, platform.charlie

    # 1. Register and list (F4, F5).
    await platform.register_all()
    assert {item["id"] for item in await south.items("/assets")} == {FLEET.id, PLANT.id}

    # 2. Schedules are checked: the fleet charges, the plant produces (F8, F9).
    await platform.submit_plan(bravo, FLEET, -600_000, -600_000)
    await platform.submit_plan(charlie, PLANT, 2_000_000, 2_000_000)
    await platform.until(south, "/schedules", lambda page: len(page["items"]) == 2, "the plans of its grid")

    # 3. A transformer fails. The DSO orders a stop, and cannot say for sure until when (F7).
    sent = await south.write("POST", "/limits/unforeseen", _stop(platform, hours=2))
    mrid = sent["mrid"]
    for client, asset in ((bravo, FLEET.id), (charlie, PLANT.id)):
        (limit,) = await client.items("/limits/changes", timeout=30)
        assert limit["orders"] == [{"asset": asset, "action": "STOP"}]
        assert (limit["kind"], limit["revision"], limit["status"]) == ("unforeseen", 1, "active")
        assert limit["end"] == platform.z(2)

    # 4. Repair takes longer (R19).
    await south.write("PUT", f"/limits/unforeseen/{mrid}", _stop(platform, hours=6))
    for client in (bravo, charlie):
        (limit,) = await client.items("/limits/changes", timeout=30)
        assert (limit["revision"], limit["end"]) == (2, platform.z(6))

    # 5. The plant may run again, the fleet waits (R15: orders are per asset).
    update = {
        "expectedEnd": platform.z(6),
        "orders": [{"asset": FLEET.id, "action": "STOP"}, {"asset": PLANT.id, "action": "HOLD"}],
    }
    await south.write("PUT", f"/limits/unforeseen/{mrid}", update)
    (limit,) = await charlie.items("/limits/changes", timeout=30)
    assert limit["orders"] == [{"asset": PLANT.id, "action": "HOLD"}]
    assert limit["revision"] == 3

    # 6. The fault is mended.
    await south.write("DELETE", f"/limits/unforeseen/{mrid}")
    for client in (bravo, charlie):
        items = await client.items("/limits/changes", timeout=30)
        assert items[-1]["status"] == "cancelled"
        assert await client.items("/limits/active") == []


async def test_an_unforeseen_limit_works_without_a_single_schedule(grid: Platform) -> None:
    """R25: orders need no schedules."""
    await grid.south.write("POST", "/limits/unforeseen", _stop(grid, hours=2))

    (limit,) = await grid.bravo.items("/limits/changes", timeout=30)

    assert limit["orders"] == [{"asset": FLEET.id, "action": "STOP"}]


async def test_an_order_ends_at_its_expected_end_and_the_operator_is_reminded_before(grid: Platform) -> None:
    """R15: it ends at the expected end unless updated; the DSO is reminded before."""
    south, bravo = grid.south, grid.bravo
    sent = await south.write("POST", "/limits/unforeseen", _stop(grid, hours=1))
    path = f"/limits/unforeseen/{sent['mrid']}"
    assert (await south.get(path))["reminder"] is False

    await grid.pass_time((grid.at(1) - grid.clock.now()).total_seconds() - 600)
    assert (await south.get(path))["reminder"] is True
    assert len(await bravo.items("/limits/active")) == 1

    await grid.pass_time(1200)
    assert await bravo.items("/limits/active") == []
    (limit,) = await bravo.items("/limits/changes", after="0", timeout=0)
    assert (limit["status"], limit["revision"]) == ("ended", 1)


async def test_the_known_assets_are_ordered_even_when_another_is_not_on_the_grid(grid: Platform) -> None:
    """R15: in an emergency the rest must not wait; unknown and foreign assets are refused one by one (A64)."""
    body = {
        "expectedEnd": grid.z(1),
        "orders": [
            {"asset": FLEET.id, "action": "STOP"},
            {"asset": HEAT_PUMP.id, "action": "STOP"},
            {"asset": BATTERY.id, "action": "STOP"},
        ],
    }

    answer = await grid.south.call("POST", "/limits/unforeseen", body, wait=60)

    assert answer.status == 200
    assert answer.body["verdict"] == "partlyAccepted"
    assert answer.body["accepted"] == [FLEET.id]
    assert {item["id"]: item["reasons"][0]["code"] for item in answer.body["rejected"]} == {
        HEAT_PUMP.id: "A64",
        BATTERY.id: "A64",
    }
    (limit,) = await grid.bravo.items("/limits/changes", timeout=30)
    assert limit["orders"] == [{"asset": FLEET.id, "action": "STOP"}]
    assert await grid.alpha.items("/limits/changes", timeout=0) == []


async def test_a_start_of_an_asset_that_can_do_both_needs_a_direction(grid: Platform) -> None:
    """R15: START on an asset that can do both needs a direction, else A59."""
    body: Json = {"expectedEnd": grid.z(1), "orders": [{"asset": CHP.id, "action": "START"}]}

    await grid.north.refused("POST", "/limits/unforeseen", body, status=422, reason="A59")
    await grid.north.write("POST", "/limits/unforeseen", {**body, "direction": "production"})

    (limit,) = await grid.alpha.items("/limits/changes", timeout=30)
    assert (limit["direction"], limit["orders"]) == ("production", [{"asset": CHP.id, "action": "START"}])


def _stop(platform: Platform, *, hours: float) -> Json:
    return {
        "direction": "both",
        "expectedEnd": platform.z(hours),
        "orders": [{"asset": FLEET.id, "action": "STOP"}, {"asset": PLANT.id, "action": "STOP"}],
        "text": "Transformer fault at the southern station",
    }
